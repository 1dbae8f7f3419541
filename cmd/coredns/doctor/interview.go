package doctor

import (
	"context"
	"crypto/rand"
	"slices"
	"strings"
	"sync"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/control/api"
	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/outcome"
	"github.com/dnsmus/dnsmus/plugin/pool"
	"github.com/dnsmus/dnsmus/plugin/server"
)

// interview is what the upstreams of a server block say to a few questions: to each kind of them,
// what became of it.
type interview struct {
	addr, addr6, https, keys api.Outcome // of names that there are, keys with DO
	tcp                      api.Outcome // over TCP
	madeUp                   []api.Outcome
}

// A name that all resolvers resolve (RFC 7050), so that each upstream can be compared to others.
const wellKnown = "ipv4only.arpa."

// question asks for one outcome.
type question struct {
	name  string
	qtype uint16
	do    bool
	tcp   bool
	into  *api.Outcome
}

// ask asks upstreams by pools of its own, with these options. So nothing that the server has learned
// spares an upstream a question, and the server learns no names that were made up.
func (in *interview) ask(ctx context.Context, names []string, v option.Values) error {
	var servers []server.Server
	for _, name := range names {
		s, err := server.Parse(name)
		if err != nil {
			return err
		}
		servers = append(servers, s)
	}
	v.Cache, v.Learn = 0, 0
	udp := pool.New(pool.Config{Values: v})
	defer udp.Close()
	v.ForceTCP = true
	tcp := pool.New(pool.Config{Values: v})
	defer tcp.Close()
	udp.Replace(servers)
	tcp.Replace(servers)
	in.madeUp = make([]api.Outcome, len(tlds))
	questions := []question{
		{name: wellKnown, qtype: dns.TypeA, into: &in.addr},
		{name: wellKnown, qtype: dns.TypeAAAA, into: &in.addr6},
		{name: wellKnown, qtype: dns.TypeHTTPS, into: &in.https},
		{name: ".", qtype: dns.TypeDNSKEY, do: true, into: &in.keys},
		{name: ".", qtype: dns.TypeNS, tcp: true, into: &in.tcp},
	}
	for i, name := range madeUpNames() {
		questions = append(questions, question{name: name, qtype: dns.TypeA, into: &in.madeUp[i]})
	}
	var asking sync.WaitGroup
	for _, q := range questions {
		p := udp
		if q.tcp {
			p = tcp
		}
		begin := outcome.New
		if q.do {
			begin = outcome.NewSigned
		}
		r, err := begin(p, &v, dns.Question{Name: q.name, Qtype: q.qtype, Qclass: dns.ClassINET})
		if err != nil {
			return err
		}
		asking.Go(func() { *q.into = r.Ask(ctx) })
	}
	asking.Wait()
	return ctx.Err()
}

// tlds are the zones of names that nobody has, the last of which is long.
var tlds = []string{"com.", "org.", "net."}

// madeUpNames are names that do not exist.
func madeUpNames() (all []string) {
	for i, tld := range tlds {
		label := strings.ToLower(rand.Text()) // of 26 letters and digits
		if i == len(tlds)-1 {
			label = strings.ToLower(rand.Text() + rand.Text() + rand.Text())[:63]
		}
		all = append(all, label+"."+tld)
	}
	return all
}

// legOf is an upstream's part in an outcome; nil: it has none.
func legOf(o *api.Outcome, upstream string) *api.Leg {
	i := slices.IndexFunc(o.Upstreams, func(l api.Leg) bool { return l.Upstream == upstream })
	if i < 0 {
		return nil
	}
	return &o.Upstreams[i]
}

// replied reports whether an upstream has replied to a question; true if it was not asked.
func replied(o *api.Outcome, upstream string) bool {
	l := legOf(o, upstream)
	return l == nil || l.Unasked || l.Rcode != nil
}

// askable reports whether an upstream can be asked by its name as the server tells it: that has no
// secret path.
func askable(upstream string) bool {
	s, err := server.Parse(upstream)
	return err == nil && s.String() == upstream && !strings.Contains(upstream, "/#")
}

// interview asks the upstreams of a server block, once in a run.
func (m *machine) interview(ctx context.Context, s *api.Server) (*interview, error) {
	if in := m.interviews[s.Server]; in != nil {
		return in, nil
	}
	var names []string
	for i := range s.Upstreams {
		if u := &s.Upstreams[i]; u.State != "gone" && u.State != "down" && askable(u.Upstream) {
			names = append(names, u.Upstream)
		}
	}
	in := new(interview)
	if len(names) > 0 {
		if err := in.ask(ctx, names, m.values); err != nil {
			return nil, err
		}
	}
	if m.interviews == nil {
		m.interviews = make(map[string]*interview)
	}
	m.interviews[s.Server] = in
	return in, nil
}
