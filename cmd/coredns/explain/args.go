package explain

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/server"
	"github.com/dnsmus/dnsmus/plugin/source"
)

// parse reads the command line. The error is [flag.ErrHelp] if it asks for help.
func parse(args []string) (*config, error) {
	cfg := &config{Values: option.Default(), list: new(source.List)}
	var reverse string
	f := flag.NewFlagSet("", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.Usage = func() {}
	f.Func("f", "", func(s string) error {
		if s == "" {
			return errors.New("the file name is empty")
		}
		cfg.list.Add(source.File(s))
		cfg.named = true
		return nil
	})
	f.StringVar(&reverse, "x", "", "")
	f.Func("ca", "", func(s string) error {
		var err error
		cfg.TLS, err = trusting(s)
		return err
	})
	f.BoolVar(&cfg.links, "links", false, "")
	f.BoolVar(&cfg.json, "json", false, "")
	addOptions(f, &cfg.Values)

	var words []string
	for flags := true; len(args) > 0; {
		if flags {
			if err := f.Parse(args); err != nil {
				return nil, err
			}
			rest := f.Args()
			if n := len(args) - len(rest); n > 0 && args[n-1] == "--" {
				flags = false
			}
			if args = rest; len(args) == 0 {
				break
			}
		}
		word, isServer := strings.CutPrefix(args[0], "@")
		switch {
		case isServer && word == source.Links:
			cfg.list.AddLinks()
			cfg.named = true
		case isServer:
			s, err := server.Parse(word)
			if err != nil {
				return nil, err
			}
			cfg.list.AddServer(s)
			cfg.named = true
		default:
			words = append(words, args[0])
		}
		args = args[1:]
	}
	if cfg.links {
		cfg.list.AddLinks()
		if len(words) > 0 || reverse != "" {
			return nil, errors.New("--links takes no NAME; leave it out, or write @links to ask all resolvers that the system knows")
		}
		return cfg, nil
	}
	if !cfg.named {
		cfg.list.Add(source.File(source.DefaultFile()))
	}
	err := cfg.ask(reverse, words)
	return cfg, err
}

// ask sets the question: the words are NAME and TYPE, or TYPE alone for the name
// of an address.
func (cfg *config) ask(reverse string, words []string) error {
	name, qtype := "", dns.TypeA
	if reverse != "" {
		addr, err := netip.ParseAddr(reverse)
		if err != nil {
			return fmt.Errorf("%q is not an IP address", reverse)
		}
		qtype = dns.TypePTR
		if name, err = dns.ReverseAddr(addr.Unmap().String()); err != nil {
			return err
		}
	} else {
		if len(words) == 0 {
			return errors.New("missing NAME; write it after the command")
		}
		bare, note, err := bareName(words[0])
		if err != nil {
			return err
		}
		if _, ok := dns.IsDomainName(bare); !ok {
			return fmt.Errorf("%q is not a domain name", words[0])
		}
		name, words, cfg.note = dns.Fqdn(bare), words[1:], note
	}
	if len(words) > 1 {
		return fmt.Errorf("unexpected argument %q", words[1])
	}
	if len(words) == 1 {
		var err error
		if qtype, err = parseType(words[0]); err != nil {
			return err
		}
	}
	cfg.question = dns.Question{Name: name, Qtype: qtype, Qclass: dns.ClassINET}
	var err error
	if cfg.message, err = message(cfg.question); err != nil {
		return fmt.Errorf("%q is not a domain name: %w", name, err)
	}
	return nil
}

// parseType reads a type by its name or as TYPE and a number (RFC 3597, section
// 5).
func parseType(s string) (uint16, error) {
	upper := strings.ToUpper(s)
	qtype, ok := dns.StringToType[upper]
	if digits, generic := strings.CutPrefix(upper, "TYPE"); !ok && generic {
		n, err := strconv.ParseUint(digits, 10, 16)
		qtype, ok = uint16(n), err == nil
	}
	switch {
	case !ok || qtype == dns.TypeNone:
		return 0, fmt.Errorf("%q is not a record type; write one such as AAAA, MX or TYPE65", s)
	case qtype == dns.TypeOPT || qtype >= dns.TypeTKEY && qtype <= dns.TypeAXFR:
		return 0, fmt.Errorf("%s is not a type that resolvers can be asked for", upper)
	}
	return qtype, nil
}

// trusting returns a configuration that trusts the authorities in a file.
func trusting(file string) (*tls.Config, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("there is no certificate in it")
	}
	return &tls.Config{RootCAs: pool}, nil
}

// addOptions defines the flags that set what a stanza can set.
func addOptions(f *flag.FlagSet, v *option.Values) {
	for _, o := range option.Table {
		switch {
		case o.Flag == "":
		case o.Args == "":
			f.BoolFunc(o.Flag, "", func(s string) error {
				on, err := strconv.ParseBool(s)
				if err != nil {
					return errors.New("it takes no value")
				}
				if !on {
					return nil
				}
				return o.Set(v, nil, option.Reader{})
			})
		default:
			f.Func(o.Flag, "", func(s string) error { return flagError(o.Set(v, []string{s}, option.Reader{})) })
		}
	}
}

// flagError says what is wrong with an argument, without the argument, which package flag
// shows.
func flagError(err error) error {
	var bad *option.ArgError
	switch {
	case !errors.As(err, &bad):
		return err
	case bad.Remedy != "":
		return errors.New(bad.Remedy)
	}
	return errors.New("it " + bad.Is)
}
