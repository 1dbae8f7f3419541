package pool

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/cache"
	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/server"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// company is a resolver that has these records, and denies all other names. It gives an alias
// as it is: to resolve what that leads to is left to others.
type company struct {
	server.Server
	mu    sync.Mutex
	asked map[string]int // by name and type
	ids   map[string]bool
	seen  chan string // names, as they are asked for
	holds map[string]chan bool
	knows []string
}

// turnsTo has it know these records and no others.
func (c *company) turnsTo(records ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.knows = records
}

// Words in place of a type: there is an SOA, or no reply.
const (
	nothing = "NODATA"
	silence = "silence"
)

// newCompany makes one. Records are written without TTL and class: "wiki CNAME host.b". Names
// are below example. With a word before the type that is the rcode beside the record, "wiki
// NXDOMAIN CNAME host.b"; alone it is that of the reply. "wiki@a A 10.0.0.1" is a record of a
// in the reply to wiki.
func newCompany(t *testing.T, records ...string) *company {
	t.Helper()
	c := &company{asked: make(map[string]int), ids: make(map[string]bool), seen: make(chan string, 1000), holds: make(map[string]chan bool), knows: records}
	c.Server = server.Plain(testkit.Handle(t, func(w dns.ResponseWriter, q *dns.Msg) {
		name, qtype := strings.ToLower(q.Question[0].Name), q.Question[0].Qtype
		c.mu.Lock()
		if packet := fmt.Sprint(name, qtype, q.Id); !c.ids[packet] { // else it is sent again
			c.ids[packet] = true
			c.asked[name+dns.Type(qtype).String()]++
		}
		hold, records := c.holds[name], c.knows
		c.mu.Unlock()
		c.seen <- name
		if hold != nil {
			<-hold
		}
		m := new(dns.Msg).SetReply(q)
		m.RecursionAvailable, m.AuthenticatedData = true, true
		m.Rcode = dns.RcodeNameError
		for _, r := range records {
			words := strings.Fields(r)
			asked, owner, _ := strings.Cut(words[0], "@")
			words[0] = cmp.Or(owner, asked)
			if fqdn(asked) != name && !strings.HasPrefix(words[1], "DNAME") || !dns.IsSubDomain(fqdn(asked), name) {
				continue
			}
			switch words[1] {
			case silence:
				return
			case nothing:
				m.Rcode, m.Ns = 0, []dns.RR{rr(t, "example. 60 IN SOA ns.example. mail.example. 1 2 3 4 30")}
				continue
			}
			if len(words) == 2 {
				m.Rcode = dns.StringToRcode[words[1]]
				continue
			}
			rcode, is := dns.StringToRcode[words[1]]
			if is {
				words = slices.Delete(words, 1, 2)
			}
			data := words[2]
			if words[1] == "CNAME" || words[1] == "DNAME" {
				data = fqdn(data)
			}
			if record := rr(t, fmt.Sprintf("%s 60 IN %s %s", fqdn(words[0]), words[1], data)); record.Header().Rrtype == qtype || record.Header().Rrtype == dns.TypeCNAME || record.Header().Rrtype == dns.TypeDNAME {
				m.Rcode, m.Answer = rcode, append(m.Answer, record)
			} else {
				m.Rcode = 0
			}
		}
		if len(m.Answer) == 0 && m.Rcode == dns.RcodeNameError {
			m.Ns = []dns.RR{rr(t, "example. 60 IN SOA ns.example. mail.example. 1 2 3 4 30")}
		}
		w.WriteMsg(m)
	}))
	return c
}

// fqdn is a name below example., unless it ends with a point.
func fqdn(name string) string {
	if strings.HasSuffix(name, ".") {
		return name
	}
	return name + ".example."
}

func rr(t *testing.T, text string) dns.RR {
	t.Helper()
	r, err := dns.NewRR(text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (c *company) count(name string) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for asked, times := range c.asked {
		if strings.HasPrefix(asked, fqdn(name)) {
			n += times
		}
	}
	return n
}

// holdBack has it reply for a name when the channel is closed.
func (c *company) holdBack(t *testing.T, name string) (release func()) {
	hold := make(chan bool)
	c.mu.Lock()
	c.holds[fqdn(name)] = hold
	c.mu.Unlock()
	release = sync.OnceFunc(func() { close(hold) })
	t.Cleanup(release)
	return release
}

// chainPool is a pool over these, with what a test changes.
func chainPool(t *testing.T, change func(*Config), companies ...*company) *Pool {
	t.Helper()
	cfg := Config{Values: option.Default()}
	cfg.Rules.Timeout, cfg.Patience = testkit.Patience, testkit.Patience
	if change != nil {
		change(&cfg)
	}
	p := New(cfg)
	t.Cleanup(p.Close)
	var servers []server.Server
	for _, c := range companies {
		servers = append(servers, c.Server)
	}
	p.Replace(servers)
	return p
}

// text is a result in short: the rcode, the data of the answer, and whose the parts are, by
// number.
func (r *Result) text(p *Pool) string {
	if r.Leg < 0 || r.Verdict == race.Broken {
		return r.Verdict.String()
	}
	m := new(dns.Msg)
	if err := m.Unpack(r.Msg); err != nil {
		return err.Error()
	}
	text := dns.RcodeToString[m.Rcode]
	for _, rr := range m.Answer {
		data := strings.Fields(rr.String())
		text += " " + strings.TrimSuffix(data[4], ".example.")
	}
	if len(r.Parts) > 0 {
		text += " by"
	}
	for _, part := range r.Parts {
		text += fmt.Sprintf(" %s %d", strings.TrimSuffix(part.Name, ".example."), slices.Index(p.Members(), part.Giver))
	}
	wire.ExtendedErrors(r.Msg, func(code uint16, _ []byte) bool {
		if code == dns.ExtendedErrorCodeStaleAnswer {
			text += ", stale"
		}
		return true
	})
	return text
}

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

// linked are the records of a chain that takes n further races.
func linked(n int) (records []string) {
	for i := range n {
		records = append(records, fmt.Sprintf("n%d CNAME n%d", i, i+1))
	}
	return append(records, fmt.Sprintf("n%d A 10.0.0.1", n))
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

func signedQuery(t *testing.T, name string) *query {
	t.Helper()
	m := new(dns.Msg).SetQuestion(name, dns.TypeA)
	m.Extra = []dns.RR{&dns.TSIG{Hdr: dns.RR_Header{Name: "key.", Rrtype: dns.TypeTSIG, Class: dns.ClassANY}, Algorithm: dns.HmacSHA256}}
	msg, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return &query{msg: msg}
}

// R23: a bare alias does not win over a whole answer that comes later, nor does it hold one
// up; the end that two aliases have is asked for once.
func TestR23Beside(t *testing.T) {
	first, second := newCompany(t, "wiki CNAME host.b"), newCompany(t, "wiki CNAME host.b", "host.b A 10.2.0.20")
	whole := newCompany(t, "wiki A 10.9.0.9")
	p := chainPool(t, nil, first, second, whole)
	// The first denies the end, the second is asked for it and holds its reply back.
	releaseEnd, releaseWhole := second.holdBack(t, "host.b"), whole.holdBack(t, "wiki")
	results := make(chan *Result, 6)
	for range cap(results) {
		q := ask(t, "wiki.example.")
		go func() {
			res, _ := p.Ask(q, nil)
			results <- res
		}()
	}
	for name := range second.seen {
		if name == "host.b.example." {
			break
		}
	}
	releaseWhole()
	for range cap(results) {
		if got := (<-results).text(p); got != "NOERROR 10.9.0.9" {
			t.Errorf("got %s", got)
		}
	}
	releaseEnd()
	if n := second.count("host.b"); n != 1 {
		t.Errorf("the end was asked for %d times", n)
	}
}

// R23, R11: who asks for an end itself shares the race for it, and is counted.
func TestR23Shared(t *testing.T) {
	first, known := newCompany(t, "wiki CNAME host.b", "www CNAME host.b"), newCompany(t, "host.b A 10.2.0.20")
	p := chainPool(t, nil, first, known)
	release := known.holdBack(t, "host.b")
	type outcome struct {
		text    string
		counted bool
	}
	results := make(chan outcome, 9)
	for i := range cap(results) {
		name := []string{"wiki", "www", "host.b"}[i%3]
		q := ask(t, fqdn(name))
		go func() {
			res, first := p.Ask(q, nil)
			results <- outcome{name + ": " + res.text(p), first}
		}()
	}
	testkit.Eventually(t, func() error {
		p.calls.mu.Lock()
		defer p.calls.mu.Unlock()
		waits := 0
		for _, c := range p.calls.underway {
			waits += len(c.race.waits)
		}
		if waits < 2 || len(p.calls.underway) < 3 {
			return fmt.Errorf("%d races wait", waits)
		}
		return nil
	})
	release()
	counted := make(map[string]int)
	for range cap(results) {
		o := <-results
		if o.counted {
			counted[o.text]++
		}
	}
	for _, want := range []string{"wiki: NOERROR host.b 10.2.0.20 by wiki 0 host.b 1", "www: NOERROR host.b 10.2.0.20 by www 0 host.b 1", "host.b: NOERROR 10.2.0.20"} {
		if counted[want] != 1 {
			t.Errorf("%s: counted %d times, of %v", want, counted[want], counted)
		}
	}
	if n := known.count("host.b"); n != 1 {
		t.Errorf("the end was asked for %d times", n)
	}
}

// R23: aliases that lead to each other at one company, and are both asked for at once, wait
// for each other not at all, and another company's answer is found all the same.
func TestR23Circle(t *testing.T) {
	for range 10 {
		circle := newCompany(t, "a CNAME b", "b CNAME c", "c CNAME a")
		known := newCompany(t, "c A 10.3.0.3")
		p := chainPool(t, nil, circle, known)
		release := known.holdBack(t, "c")
		results := make(chan string, 18)
		for i := range cap(results) {
			name := string("abc"[i%3])
			q := ask(t, fqdn(name))
			go func() {
				res, _ := p.Ask(q, nil)
				m := new(dns.Msg)
				if res.Leg < 0 || res.Verdict != race.Good || m.Unpack(res.Msg) != nil {
					results <- fmt.Sprint(name, " ", res.Verdict, res.Errs)
					return
				}
				results <- fmt.Sprint(name, " ", m.Answer[len(m.Answer)-1].(*dns.A).A)
			}()
		}
		for range 3 {
			<-known.seen
		}
		release()
		for range cap(results) {
			if got := <-results; !strings.HasSuffix(got, " 10.3.0.3") {
				t.Error(got)
			}
		}
	}
	// And where nobody knows better, all fail at once.
	circle := newCompany(t, "a CNAME b", "b CNAME a")
	p := chainPool(t, nil, circle, newCompany(t))
	start := time.Now()
	results := make(chan *Result, 6)
	for i := range cap(results) {
		q := ask(t, fqdn(string("ab"[i%2])))
		go func() {
			res, _ := p.Ask(q, nil)
			results <- res
		}()
	}
	for range cap(results) {
		if res := <-results; res.Verdict != race.Broken || !slices.ContainsFunc(res.Errs, isEndless) {
			t.Errorf("%v, %v", res.Verdict, res.Errs)
		}
	}
	if took := time.Since(start); took > testkit.Patience/2 {
		t.Errorf("it took %v", took)
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

// R21: the end of an alias is asked for where its name belongs: over its own link alone, or
// not over the link that the alias is of.
func TestR23PrivateLinks(t *testing.T) {
	private := func(c *Config) { c.PrivateLinks = true }
	for _, tc := range []struct{ alias, end, want string }{
		{"wiki.public", "host.corp", "NOERROR host.corp 10.1.2.3 by wiki.public 0 host.corp 1"},
		{"wiki.corp", "host.public", "NOERROR host.public 192.0.2.7 by wiki.corp 1 host.public 0"},
		{"wiki.corp", "host.lab", "NOERROR host.lab 10.5.5.5 by wiki.corp 1 host.lab 2"},
	} {
		public := newCompany(t, tc.alias+" CNAME "+tc.end, "host.public A 192.0.2.7", "host.corp A 192.0.2.66", "host.lab A 192.0.2.66")
		corp := newCompany(t, strings.Replace(tc.alias, "wiki.public", "other", 1)+" CNAME "+tc.end, "host.corp A 10.1.2.3")
		lab := newCompany(t, "host.lab A 10.5.5.5")
		corp.Domains, lab.Domains = []string{"corp.example."}, []string{"lab.example."}
		p := chainPool(t, private, public, corp, lab)
		res, _ := p.Ask(ask(t, fqdn(tc.alias)), nil)
		if got := res.text(p); got != tc.want {
			t.Errorf("%s, want %s", got, tc.want)
		}
		if public.count("host.corp")+public.count("wiki.corp")+public.count("host.lab")+corp.count("host.lab") != 0 {
			t.Errorf("%s: asked were %v, %v", tc.alias, public.asked, corp.asked)
		}
	}
	// The errors of an end are those of its own upstreams, also where the alias has fewer.
	public, corp := newCompany(t, "host.public SERVFAIL"), newCompany(t, "wiki.corp CNAME host.public", "host.public SERVFAIL")
	corp.Domains = []string{"corp.example."}
	p := chainPool(t, private, public, corp)
	res, _ := p.Ask(ask(t, "wiki.corp.example."), nil)
	if res.Verdict != race.Broken || len(res.Errs) != 2 || len(res.Members) != 2 || res.Members[1] != p.Members()[0] || !errors.Is(res.Errs[1], race.ErrServFail) {
		t.Errorf("%v, %v", res.Verdict, res.Errs)
	}
}

// R23, R7: the end is asked of upstreams that come while it is asked for.
func TestR23VPNComes(t *testing.T) {
	for _, clients := range []int{1, 6} {
		first, vpn := newCompany(t, "wiki CNAME host.vpn"), newCompany(t, "host.vpn A 10.8.0.8")
		p := chainPool(t, nil, first)
		release := first.holdBack(t, "host.vpn")
		results := make(chan *Result, clients)
		for range clients {
			q := ask(t, "wiki.example.")
			go func() {
				res, _ := p.Ask(q, nil)
				results <- res
			}()
		}
		for name := range first.seen {
			if name == "host.vpn.example." {
				break
			}
		}
		p.Replace([]server.Server{first.Server, vpn.Server})
		release()
		for range clients {
			if got := (<-results).text(p); got != "NOERROR host.vpn 10.8.0.8 by wiki 0 host.vpn 1" && got != "NOERROR host.vpn 10.8.0.8 by wiki 0 host.vpn -1" {
				t.Errorf("%d clients: %s", clients, got)
			}
		}
	}
}

// AD is set on a chain whose parts are all authentic, and of one upstream.
func TestR23Authentic(t *testing.T) {
	for _, tc := range []struct {
		first, second []string
		want          bool
	}{
		{[]string{"wiki CNAME host.b", "host.b A 10.2.0.20"}, nil, true},
		{[]string{"wiki CNAME x", "x CNAME host.b", "host.b A 10.2.0.20"}, nil, true},
		{[]string{"wiki CNAME host.b"}, []string{"host.b A 10.2.0.20"}, false},
		{[]string{"wiki CNAME x", "host.b A 10.2.0.20"}, []string{"x CNAME host.b"}, false},
	} {
		p := chainPool(t, nil, newCompany(t, tc.first...), newCompany(t, tc.second...))
		res, _ := p.Ask(ask(t, "wiki.example."), nil)
		m := new(dns.Msg)
		if err := m.Unpack(res.Msg); err != nil || res.Verdict != race.Good || m.AuthenticatedData != tc.want || m.Authoritative || !m.RecursionAvailable {
			t.Errorf("%v and %v: %v\n%v", tc.first, tc.second, err, m)
		}
	}
}

// R23, R24: an alias and its end are kept together. They are given when the giver of the end is
// away, though others deny it and the alias is there; not when that giver denies it itself.
func TestR23Kept(t *testing.T) {
	keeps := func(c *Config) { c.Cache = 100 }
	kept := func(p *Pool) bool {
		q := ask(t, "wiki.example.")
		_, _, state := p.Kept(wire.Question(q.msg), cache.Flags(0), time.Now())
		return state == cache.Alive
	}
	for _, tc := range []struct {
		what  string
		after func(p *Pool, alias, end *company)
		want  string
		stale bool
	}{
		{"its giver has left", func(p *Pool, alias, _ *company) { p.Replace([]server.Server{alias.Server}) }, "NOERROR host.b 10.2.0.20 by wiki 0 host.b -1, stale", false},
		{"its giver fails", func(_ *Pool, _, end *company) { end.turnsTo("host.b SERVFAIL") }, "NOERROR host.b 10.2.0.20 by wiki 0 host.b 1, stale", false},
		{"its giver has left, and the alias of it fails", func(p *Pool, alias, _ *company) {
			alias.turnsTo("wiki SERVFAIL")
			p.Replace([]server.Server{alias.Server})
		}, "", true},
		{"its giver denies it, and refuses the alias", func(_ *Pool, _, end *company) { end.turnsTo("wiki REFUSED") }, "NXDOMAIN host.b by wiki 0 host.b 0", false},
		{"its giver denies it", func(_ *Pool, _, end *company) { end.turnsTo() }, "NXDOMAIN host.b by wiki 0 host.b 0", false},
		{"the giver of the alias denies that", func(_ *Pool, alias, _ *company) { alias.turnsTo() }, "NXDOMAIN", false},
		{"the giver of the alias fails", func(_ *Pool, alias, _ *company) { alias.turnsTo("wiki SERVFAIL") }, "", true},
		{"another end", func(_ *Pool, alias, _ *company) { alias.turnsTo("wiki CNAME host.c") }, "NOERROR host.c 10.3.0.30 by wiki 0 host.c 1", false},
	} {
		alias, end := newCompany(t, "wiki CNAME host.b"), newCompany(t, "host.b A 10.2.0.20", "host.c A 10.3.0.30")
		p := chainPool(t, keeps, alias, end)
		if res, _ := p.Ask(ask(t, "wiki.example."), nil); res.text(p) != "NOERROR host.b 10.2.0.20 by wiki 0 host.b 1" || !kept(p) {
			t.Fatalf("%s: %s, kept %v", tc.what, res.text(p), kept(p))
		}
		tc.after(p, alias, end)
		res, _ := p.Ask(ask(t, "wiki.example."), nil)
		switch {
		case (res.Stale != nil) != tc.stale:
			t.Errorf("%s: stale %v; %s, %v", tc.what, res.Stale != nil, res.text(p), res.Errs)
		case tc.stale:
			if len(res.Stale.Givers) != 2 {
				t.Errorf("%s: given by %v", tc.what, res.Stale.Givers)
			}
		case res.text(p) != tc.want:
			t.Errorf("%s: %s, want %s", tc.what, res.text(p), tc.want)
		}
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

// R16, R23: what is known of zones says who is asked for an alias, and who for its end.
func TestR23Learn(t *testing.T) {
	var aliases, ends []string
	for i := range 5 {
		aliases = append(aliases, fmt.Sprintf("wiki%d.a CNAME host%d.b", i, i))
		ends = append(ends, fmt.Sprintf("host%d.b A 10.2.0.%d", i, i))
	}
	first, second := newCompany(t, aliases...), newCompany(t, ends...)
	p := chainPool(t, func(c *Config) { c.Learn, c.Hedge = 10*time.Minute, testkit.Patience }, first, second)
	for i := range 5 {
		res, _ := p.Ask(ask(t, fmt.Sprintf("wiki%d.a.example.", i)), nil)
		if want := fmt.Sprintf("NOERROR host%d.b 10.2.0.%d by wiki%d.a 0 host%d.b 1", i, i, i, i); res.text(p) != want {
			t.Errorf("%s, want %s", res.text(p), want)
		}
		if i == 0 { // all were asked; what the other says is learned, too
			testkit.Eventually(t, func() error {
				if second.count("wiki0.a")+first.count("host0.b") != 2 {
					return errors.New("not all were asked")
				}
				return nil
			})
			continue
		}
		if n := second.count(fmt.Sprintf("wiki%d.a", i)); n != 0 {
			t.Errorf("query %d: the giver of ends was asked for the alias", i)
		}
		if n := first.count(fmt.Sprintf("host%d.b", i)); n != 0 {
			t.Errorf("query %d: the giver of aliases was asked for the end", i)
		}
	}
}
