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
	named    bool         // upstreams are, on the command line
	links    bool         // where they come from is asked for, and nothing else
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
