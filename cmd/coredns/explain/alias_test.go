package explain

import (
	"regexp"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// forName is a resolver that behaves so for a name, and denies all others.
func forName(name string, b behaviour) behaviour {
	return func(network string, m *dns.Msg) bool {
		if m.Question[0].Name == name {
			return b(network, m)
		}
		return nxdomain(network, m)
	}
}

var (
	someTimes  = regexp.MustCompile(`\d+\.\d+ m?s\b|\d+ ms\b`)
	manyBlanks = regexp.MustCompile(`(\S) {2,}`)
)

// R23: what came of an alias, and who gave which part, is told, as text and as JSON.
func TestAlias(t *testing.T) {
	t.Parallel()
	alias := forName("host.example.", knows("host.example. 60 IN CNAME x.test."))
	for _, tc := range []struct {
		what   string
		first  behaviour
		second behaviour
		status int
		text   string // FIRST and SECOND are the upstreams
		parts  []string
	}{
		{"found", alias, forName("x.test.", knows("x.test. 30 IN A 192.0.2.1")), 0, `
host.example. A: NOERROR after TIME, host.example. by FIRST, x.test. by SECOND:
  host.example. 60 IN CNAME x.test.
  x.test. 30 IN A 192.0.2.1
Conclusive: the first good answer is the reply; other replies do not matter.

  UPSTREAM  TIME  REPLY  WHY
* FIRST  TIME  CNAME x.test.  alias of x.test.: first good answer
  SECOND  TIME  NXDOMAIN  no such name

Asked by this command itself: the upstreams named on the command line.
`, []string{"host.example. FIRST", "x.test. SECOND"}},
		{"denied, and not by all", alias, forName("x.test.", code(dns.RcodeServerFailure)), 2, `
host.example. A: NXDOMAIN after TIME, host.example. by FIRST, x.test. by FIRST:
  host.example. 5 IN CNAME x.test.
Inconclusive: no opinion from SECOND (x.test.: SERVFAIL).
Caches may keep it for 5 s.

  UPSTREAM  TIME  REPLY  WHY
* FIRST  TIME  CNAME x.test.  alias of x.test.: no such name at the end of its CNAME chain
  SECOND  TIME  NXDOMAIN  no such name

Asked by this command itself: the upstreams named on the command line.
`, []string{"host.example. FIRST", "x.test. FIRST"}},
		{"nobody tells", forName("host.example.", knows("host.example. 60 IN CNAME host.example.")), nxdomain, 3, `
host.example. A: SERVFAIL after TIME: the end of an alias was not found; no opinion from FIRST (alias: its end was not found).

  UPSTREAM  TIME  REPLY  WHY
  FIRST  TIME  CNAME host.example.  alias: its end was not found
  SECOND  TIME  NXDOMAIN  no such name

Asked by this command itself: the upstreams named on the command line.
`, nil},
	} {
		t.Run(tc.what, func(t *testing.T) {
			t.Parallel()
			names := []string{resolver(t, tc.first).String(), resolver(t, tc.second).String()}
			called := strings.NewReplacer(names[0], "FIRST", names[1], "SECOND")
			status, out, problems := explains(t, "host.example", "@"+names[0], "@"+names[1])
			out = manyBlanks.ReplaceAllString(someTimes.ReplaceAllString(called.Replace(out), "TIME"), "$1  ")
			if status != tc.status || problems != "" || out != strings.TrimPrefix(tc.text, "\n") {
				t.Errorf("status %d, %s\n%s\nwant\n%s", status, problems, out, tc.text)
			}
			_, out, _ = explains(t, "host.example", "--json", "@"+names[0], "@"+names[1])
			s := decode(t, out)
			var parts []string
			for _, p := range s.Parts {
				parts = append(parts, p.Name+" "+called.Replace(*p.Upstream))
			}
			if strings.Join(parts, ", ") != strings.Join(tc.parts, ", ") || (s.Upstream == nil) != (tc.parts == nil) {
				t.Errorf("parts are %q in\n%s", parts, out)
			}
		})
	}
}
