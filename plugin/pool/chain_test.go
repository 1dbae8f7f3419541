package pool

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/server"
)

// Words in place of a type: there is an SOA, or no reply.
const (
	nothing = "NODATA"
	silence = "silence"
)

// R23: an alias of one company is resolved by what another says of its end, whatever rcode
// stands beside it; and what comes of that is what the client gets.
func TestR23Chains(t *testing.T) {
	known := newCompany(t, "host.b A 10.2.0.20", "host.b AAAA fd00::20", "mid.b CNAME host.c", "only4.b A 10.2.0.4", "b6 AAAA fd00::6")
	third := newCompany(t, "host.c A 10.3.0.30")
	denier := newCompany(t)
	for _, tc := range []struct {
		what    string
		records []string // of the first
		name    string
		qtype   uint16
		want    string
	}{
		{"NOERROR", []string{"wiki CNAME host.b"}, "wiki", dns.TypeA, "NOERROR host.b 10.2.0.20 by wiki 0 host.b 1"},
		{"NXDOMAIN", []string{"wiki NXDOMAIN CNAME host.b"}, "wiki", dns.TypeA, "NOERROR host.b 10.2.0.20 by wiki 0 host.b 1"},
		{"SERVFAIL", []string{"wiki SERVFAIL CNAME host.b"}, "wiki", dns.TypeA, "NOERROR host.b 10.2.0.20 by wiki 0 host.b 1"},
		{"REFUSED", []string{"wiki REFUSED CNAME host.b"}, "wiki", dns.TypeA, "NOERROR host.b 10.2.0.20 by wiki 0 host.b 1"},
		{"AAAA", []string{"wiki CNAME host.b"}, "wiki", dns.TypeAAAA, "NOERROR host.b fd00::20 by wiki 0 host.b 1"},
		{"three companies", []string{"wiki CNAME mid.b"}, "wiki", dns.TypeA, "NOERROR mid.b host.c 10.3.0.30 by wiki 0 mid.b 1 host.c 2"},
		{"denied by all", []string{"wiki CNAME none.b"}, "wiki", dns.TypeA, "NXDOMAIN none.b by wiki 0 none.b 0"},
		{"NXDOMAIN denied by all", []string{"wiki NXDOMAIN CNAME none.b"}, "wiki", dns.TypeA, "NXDOMAIN none.b by wiki 0 none.b 0"},
		{"no such record", []string{"wiki CNAME only4.b"}, "wiki", dns.TypeAAAA, "NOERROR only4.b by wiki 0 only4.b 1"},
		{"no such record, so says who has the alias", []string{"wiki CNAME b6", "wiki NODATA"}, "wiki", dns.TypeAAAA, "NOERROR b6"},
		{"the same of an A record", []string{"wiki CNAME host.b", "wiki NODATA"}, "wiki", dns.TypeA, "NOERROR host.b 10.2.0.20 by wiki 0 host.b 1"},
		{"a CNAME was asked for", []string{"wiki CNAME host.b"}, "wiki", dns.TypeCNAME, "NOERROR host.b"},
		{"anything was", []string{"wiki CNAME host.b"}, "wiki", dns.TypeANY, "NOERROR host.b"},
		{"whole", []string{"wiki CNAME a", "wiki@a A 10.0.0.1"}, "wiki", dns.TypeA, "NOERROR a 10.0.0.1"},
		{"DNAME and CNAME", []string{"old DNAME b", "host.old CNAME host.b"}, "host.old", dns.TypeA, "NOERROR b host.b 10.2.0.20 by host.old 0 host.b 1"},
		{"CNAME and DNAME", []string{"host.old CNAME host.b", "old DNAME b"}, "host.old", dns.TypeA, "NOERROR b host.b 10.2.0.20 by host.old 0 host.b 1"},
		{"DNAME without CNAME", []string{"old DNAME b"}, "host.old", dns.TypeA, "NOERROR b host.b 10.2.0.20 by host.old 0 host.b 1"},
		{"special name", []string{"wiki CNAME x.onion."}, "wiki", dns.TypeA, "NXDOMAIN x.onion. by wiki 0 x.onion. -1"},
		{"special name without a record", []string{"wiki CNAME dns.resolver.arpa."}, "wiki", dns.TypeA, "NOERROR dns.resolver.arpa. by wiki 0 dns.resolver.arpa. -1"},
		{"excepted", []string{"wiki CNAME host.internal"}, "wiki", dns.TypeA, "NOERROR host.internal"},
		{"NXDOMAIN, excepted", []string{"wiki NXDOMAIN CNAME host.internal"}, "wiki", dns.TypeA, "NXDOMAIN host.internal"},
		{"the end of the end is excepted", []string{"wiki CNAME x", "x CNAME host.internal"}, "wiki", dns.TypeA, "NOERROR x host.internal by wiki 0 x 0"},
		{"an alias of itself", []string{"wiki CNAME wiki"}, "wiki", dns.TypeA, "servfail"},
		{"two in a circle", []string{"wiki CNAME x", "x CNAME wiki"}, "wiki", dns.TypeA, "servfail"},
		{"three that do not come back to the first", []string{"wiki CNAME x", "x CNAME y", "y CNAME x"}, "wiki", dns.TypeA, "servfail"},
		{"eight ends", linked(8), "n0", dns.TypeA, "NOERROR n1 n2 n3 n4 n5 n6 n7 n8 10.0.0.1 by n0 0 n1 0 n2 0 n3 0 n4 0 n5 0 n6 0 n7 0 n8 0"},
		{"nine", linked(9), "n0", dns.TypeA, "servfail"},
		{"seventeen", linked(17), "n0", dns.TypeA, "servfail"},
		{"what nobody tells of", []string{"wiki CNAME broken", "broken SERVFAIL"}, "wiki", dns.TypeA, "NXDOMAIN broken by wiki 0 broken 1"},
	} {
		for _, clients := range []int{1, 6} {
			t.Run(fmt.Sprintf("%s, %d clients", tc.what, clients), func(t *testing.T) {
				first := newCompany(t, tc.records...)
				p := chainPool(t, func(c *Config) { c.Except = []string{"internal.example."} }, first, known, third, denier)
				results, counted := make(chan *Result, clients), make(chan bool, clients)
				for range clients {
					q := askFor(t, fqdn(tc.name), tc.qtype, false)
					go func() {
						res, first := p.Ask(q, nil)
						counted <- first
						results <- res
					}()
				}
				for range clients {
					if got := (<-results).text(p); got != tc.want {
						t.Errorf("got %s, want %s", got, tc.want)
					}
				}
				if clients == 1 {
					first.mu.Lock()
					for asked, n := range first.asked {
						if n > 1 {
							t.Errorf("%s was asked for %d times", asked, n)
						}
					}
					first.mu.Unlock()
					if !<-counted {
						t.Error("it is not counted")
					}
				}
				if n := len(p.calls.underway); n != 0 {
					testkit.Eventually(t, func() error {
						p.calls.mu.Lock()
						defer p.calls.mu.Unlock()
						if len(p.calls.underway) > 0 {
							return errors.New("calls are left")
						}
						return nil
					})
				}
			})
		}
	}
}

// R23: queries that may not be changed, and those of clients that check signatures, are left
// as they came.
func TestR23Validating(t *testing.T) {
	first, known := newCompany(t, "wiki CNAME host.b"), newCompany(t, "host.b A 10.2.0.20")
	p := chainPool(t, nil, first, known)
	for what, q := range map[string]*query{"DO": askFor(t, "wiki.example.", dns.TypeA, true), "TSIG": signedQuery(t, "wiki.example.")} {
		res, _ := p.Ask(q, nil)
		if got := res.text(p); got != "NOERROR host.b" || res.Verdict != race.Alias || !res.Conclusive() {
			t.Errorf("%s: %s, %v", what, got, res.Verdict)
		}
	}
	if n := known.count("host.b"); n != 0 {
		t.Errorf("its end was asked for %d times", n)
	}
}

// R23: an end that somebody is silent to until the time is up is not denied, and one that all
// fail is not either; and why is told.
func TestR23Silent(t *testing.T) {
	for _, records := range [][]string{{"wiki CNAME host.b"}, {"wiki CNAME host.b", "host.b silence"}, {"wiki CNAME x", "x CNAME host.b"}} {
		for limit := 200 * time.Millisecond; ; limit *= 2 { // until it is enough for the aliases on a busy machine
			short := func(c *Config) { c.Rules.Timeout, c.Patience = limit, limit }
			p := chainPool(t, short, newCompany(t, records...), newCompany(t, "host.b silence"))
			res, _ := p.Ask(ask(t, "wiki.example."), nil)
			if res.Verdict == race.Broken && res.Leg < 0 && !res.Conclusive() && !slices.ContainsFunc(res.Errs, race.NetworkFailed) {
				break
			}
			if limit > testkit.Patience/4 {
				t.Fatalf("%v: %v, %v", records, res.Verdict, res.Errs)
			}
		}
	}
	// All fail.
	p := chainPool(t, nil, newCompany(t, "wiki CNAME host.b", "host.b SERVFAIL"), newCompany(t, "host.b SERVFAIL"))
	res, _ := p.Ask(ask(t, "wiki.example."), nil)
	if res.Verdict != race.Broken || len(res.Errs) != 2 || !errors.Is(res.Errs[0], race.ErrServFail) || !errors.Is(res.Errs[1], race.ErrServFail) {
		t.Errorf("%v, %v", res.Verdict, res.Errs)
	}
}

// R23, R7: a denial of the end on which somebody gave no opinion is inconclusive.
func TestR23Inconclusive(t *testing.T) {
	first, broken := newCompany(t, "wiki CNAME host.b"), newCompany(t, "host.b SERVFAIL")
	p := chainPool(t, nil, first, broken)
	res, _ := p.Ask(ask(t, "wiki.example."), nil)
	if got := res.text(p); got != "NXDOMAIN host.b by wiki 0 host.b 0" || !res.Inconclusive() || res.Errs[0] != nil || !errors.Is(res.Errs[1], race.ErrServFail) ||
		!strings.HasPrefix(res.Errs[1].Error(), "host.b.example.: ") {
		t.Errorf("%s, %v", got, res.Errs)
	}
	if ttl := res.MaxTTL(5 * time.Second); ttl.Authority != 5 || ttl.Answer != 5 {
		t.Errorf("it may be kept for %v", ttl)
	}
}

// R23, R21: if the network failed for all that the end was asked of, that is told.
func TestR23Network(t *testing.T) {
	alias := newCompany(t, "wiki CNAME host.corp")
	closed := server.Plain(testkit.FreeAddr(t))
	closed.Domains = []string{"corp.example."}
	cfg := Config{Values: option.Default()}
	cfg.Rules.Timeout, cfg.Patience, cfg.PrivateLinks = testkit.Patience, testkit.Patience, true
	p := New(cfg)
	t.Cleanup(p.Close)
	p.Replace([]server.Server{alias.Server, closed})
	res, _ := p.Ask(ask(t, "wiki.example."), nil)
	code, text := res.ExtendedError()
	if res.Verdict != race.Broken || code != dns.ExtendedErrorCodeNetworkError || !strings.Contains(text, "refused") {
		t.Errorf("%v, %v: %d %s", res.Verdict, res.Errs, code, text)
	}
}
