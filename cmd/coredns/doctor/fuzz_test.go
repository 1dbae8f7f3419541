package doctor

import (
	"strings"
	"testing"
)

// What is in files of the machine and in texts of others breaks nothing.
func FuzzTexts(f *testing.F) {
	for _, seed := range []string{
		"nameserver 127.0.0.1\nsearch a b\noptions ndots:5\n", "hosts: files mdns4_minimal [NOTFOUND=return] dns\n", "hosts: [ ] ]x[",
		udpHeadSeed, "x https://a.b.c/d?e git.corp.example. (**a.b.c) ://a.b.c", "user_pref(\"network.trr.mode\", 2);",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		parseResolvConf(text)
		for _, s := range parseHosts(text) {
			s.ends()
		}
		for _, h := range parseSockets(text, false) {
			_ = h.String()
		}
		hosts(text)
		once := masked(text, "/home/me", "laptop")
		if strings.Contains(once, "laptop.corp.example") || strings.Contains(masked("git.corp.example "+text, "", ""), "git.corp.example ") {
			t.Errorf("%q becomes %q", text, once)
		}
	})
}

const udpHeadSeed = "   1: 3500007F:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000   102        0 4242 2 0 0\n"
