package explain

import (
	"crypto/tls"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/source"
)

// config is what the command line asks for.
type config struct {
	questions []dns.Question
	note      string // what was made of the name that was written; empty: nothing

	list    *source.List                 // of upstreams that are named; not read yet
	named   bool                         // there are some
	options []func(*option.Values) error // that are given; they are known to be right
	ca      *tls.Config                  // to trust; nil: as the options say
	conf    string                       // the Corefile; empty: the installed one
	alone   bool                         // no server that runs is asked

	socket string // of that server; empty: wherever it is
	server string // its server block; empty: there is only one

	links bool // show where upstreams come from, and ask nothing
	json  bool
}

// apply sets the options in v.
func (cfg *config) apply(v *option.Values) {
	for _, set := range cfg.options {
		set(v)
	}
	if cfg.ca != nil {
		v.TLS = cfg.ca
	}
}

// askServer reports whether a server that runs may be asked: nothing is given that it would not
// do.
func (cfg *config) askServer() bool {
	return !cfg.alone && !cfg.named && len(cfg.options) == 0 && cfg.ca == nil && cfg.conf == ""
}
