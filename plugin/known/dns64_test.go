package known

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/dnsmus/dnsmus/plugin/instant"
)

// R4: who makes addresses is asked until it replies, a few times, and again after an hour or
// when it may be another one; until it has replied it may.
func TestR4DNS64(t *testing.T) {
	for _, tc := range []struct{ what, story, want string }{
		{"it may", "makes", "yes "},
		{"it is asked once", "ask; ask; makes", "asked - yes "},
		{"it does", "ask; replied yes; makes; ask", "asked yes - "},
		{"it does not", "ask; replied no; makes; ask", "asked no - "},
		{"it is asked again after a while", "ask; wait 5s; ask; wait 4s; ask; makes", "asked asked - yes "},
		{"and is given up", "ask; wait 5s; ask; wait 5s; ask; makes; wait 5s; makes; ask", "asked asked asked yes no - "},
		{"for an hour", "ask; wait 5s; ask; wait 5s; ask; wait 1h; ask; makes; replied yes; makes", "asked asked asked asked yes yes "},
		{"what is known is asked again, too", "ask; replied yes; wait 1h; ask; makes; replied no; makes", "asked asked yes no "},
		{"another one is asked anew", "ask; replied no; forget; makes; ask", "asked was yes asked "},
		{"who was never asked need not be", "forget", "- "},
	} {
		var d DNS64
		now, got := instant.Now(), ""
		said := func(is bool, yes, no string) { got += map[bool]string{true: yes, false: no}[is] + " " }
		for line := range strings.SplitSeq(tc.story, "; ") {
			word, rest, _ := strings.Cut(line, " ")
			switch word {
			case "ask":
				said(d.Ask(now), "asked", "-")
			case "makes":
				said(d.Makes(now), "yes", "no")
			case "replied":
				d.Replied(rest == "yes")
			case "forget":
				said(d.Forget(), "was", "-")
			case "wait":
				span, err := time.ParseDuration(rest)
				if err != nil {
					t.Fatal(err)
				}
				now = now.Add(span)
			default:
				t.Fatal(fmt.Sprint("no ", word))
			}
		}
		if got != tc.want {
			t.Errorf("%s: %s, want %s", tc.what, got, tc.want)
		}
	}
}
