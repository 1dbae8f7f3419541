package explain

import (
	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/source"
	"github.com/dnsmus/dnsmus/plugin/upstream"
)

// config is what the command line asks for.
type config struct {
	option.Values
	question dns.Question
	note     string       // what was made of the name that was written; empty: nothing
	message  []byte       // that asks it
	list     *source.List // not read yet
	named    bool         // the command line names upstreams
	links    bool         // show where upstreams come from, and ask nothing
	json     bool
}

// message asks as a stub resolver with EDNS does, so that upstreams can say why
// they fail.
func message(q dns.Question) ([]byte, error) {
	m := new(dns.Msg)
	m.RecursionDesired = true
	m.Question = []dns.Question{q}
	m.SetEdns0(upstream.MaxUDPSize, false)
	return m.Pack()
}
