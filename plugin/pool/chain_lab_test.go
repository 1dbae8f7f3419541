package pool

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/internal/testkit"
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

// linked are the records of a chain that takes n further races.
func linked(n int) (records []string) {
	for i := range n {
		records = append(records, fmt.Sprintf("n%d CNAME n%d", i, i+1))
	}
	return append(records, fmt.Sprintf("n%d A 10.0.0.1", n))
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
