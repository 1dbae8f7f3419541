package command

import (
	"strings"
	"testing"
)

func TestMeant(t *testing.T) {
	for word, want := range map[string]string{
		"explane": "explain", "stauts": "status", "hepl": "help", "forgett": "forget", "zone": "zones", "versoin": "version", "Status": "status", "WHY": "why", "completion": "was built",
		"5553": "", "help": "", "links": "", "Corefile": "", "192.0.2.1": "", "-h": "", "tailor": "",
	} {
		got := meant(word)
		if (got == "") != (want == "") || !strings.HasSuffix(got, want) {
			t.Errorf("%s: %q, want %q", word, got, want)
		}
	}
}

func TestHelpOf(t *testing.T) {
	for in, want := range map[string]string{
		"help": "help", "help explain": "explain -h", "help why x": "why -h", "help version": "help version", "help help": "help help",
		"help foo": "", "status help": "status help", "5553": "5553",
	} {
		got := strings.Join(helpOf(append([]string{"dnsmus"}, strings.Fields(in)...)), " ")
		if got != strings.TrimSuffix("dnsmus "+want, " ") && (want != "" || got != "") {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestAsFlag(t *testing.T) {
	for in, want := range map[string]string{"help": "-h", "version": "-version", "5553 help": "5553 help", "": "", "help x": "-h x"} {
		if got := strings.Join(asFlag(strings.Fields(in)), " "); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
