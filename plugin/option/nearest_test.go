package option

import "testing"

func TestNearest(t *testing.T) {
	for word, want := range map[string]string{
		"timout": "timeout", "Timeout": "timeout", "timeuot": "timeout", "tiemout": "timeout",
		"negative-ttl": "negative_ttl", "negativettl": "negative_ttl", "private_link": "private_links", "chache": "cache",
		"forcetcp": "force_tcp", "leran": "learn", "lern": "learn", "tsl": "tls", "aways": "away",
		"prefer_private": "prefer", "negative": "negative_ttl", "max": "", "caching": "", "cached": "cache",
		"hedge": "", "": "", "192.0.2.1": "", "é": "", "good": "", "prefer_tcp": "prefer_udp",
	} {
		if got, found := Nearest(word, Names()); got != want || found != (want != "") {
			t.Errorf("%q is taken for %q, want %q", word, got, want)
		}
	}
	if got, _ := Nearest("explane", []string{"help", "explain"}); got != "explain" {
		t.Error(got)
	}
}

func FuzzEdits(f *testing.F) {
	f.Add("timeout", "tiemout")
	f.Add("", "a")
	f.Fuzz(func(t *testing.T, a, b string) {
		n := Edits(a, b)
		if n != Edits(b, a) || (n == 0) != (a == b) || n > max(len(a), len(b)) || n < max(len(a), len(b))-min(len(a), len(b)) {
			t.Errorf("%q and %q: %d", a, b, n)
		}
	})
}
