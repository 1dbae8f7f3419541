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
	"slices"
	"strconv"
	"strings"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/cmd/coredns/question"
	"github.com/dnsmus/dnsmus/cmd/coredns/show"
	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/outcome"
	"github.com/dnsmus/dnsmus/plugin/server"
	"github.com/dnsmus/dnsmus/plugin/source"
)

// parse reads the command line. The error is [flag.ErrHelp] if it asks for help.
func parse(args []string) (*config, error) {
	cfg := &config{list: new(source.List)}
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
		cfg.ca, err = trusting(s)
		return err
	})
	f.StringVar(&cfg.conf, "conf", "", "")
	f.BoolVar(&cfg.alone, "alone", false, "")
	f.StringVar(&cfg.socket, "s", "", "")
	f.StringVar(&cfg.server, "server", "", "")
	f.BoolVar(&cfg.links, "links", false, "")
	f.BoolVar(&cfg.json, "json", false, "")
	cfg.addOptions(f)

	var words []string
	err := show.Words(f, args, func(w string) error {
		word, isServer := strings.CutPrefix(w, "@")
		switch {
		case !isServer:
			words = append(words, w)
			return nil
		case word == source.Links:
			cfg.list.AddLinks()
		default:
			s, err := server.Parse(word)
			if err != nil {
				return err
			}
			cfg.list.AddServer(s)
		}
		cfg.named = true
		return nil
	})
	if err != nil {
		return nil, err
	}
	return cfg, cfg.check(reverse, words)
}

// check checks what belongs together, and sets the questions.
func (cfg *config) check(reverse string, words []string) error {
	v := option.Default()
	cfg.apply(&v)
	switch {
	case cfg.links && (len(words) > 0 || reverse != ""):
		return errors.New("--links takes no NAME; leave it out, or write @links to ask all resolvers that the system knows")
	case cfg.links:
		cfg.list.AddLinks()
		return nil
	case cfg.conf != "" && cfg.named:
		return errors.New("-conf names upstreams, as -f and @ do; leave one of them out")
	case (cfg.socket != "" || cfg.server != "") && !cfg.askServer():
		return errors.New("a server is asked as it is set; leave out -s and --server, or the other options")
	}
	if err := v.Check(); err != nil {
		return err
	}
	return cfg.ask(reverse, words)
}

// ask sets the questions: the words are NAME and types, or types alone for the name of an
// address.
func (cfg *config) ask(reverse string, words []string) error {
	name, types := "", []uint16{dns.TypeA}
	if reverse != "" {
		addr, err := netip.ParseAddr(reverse)
		if err != nil {
			return fmt.Errorf("%q is not an IP address", reverse)
		}
		types[0] = dns.TypePTR
		if name, err = question.Reverse(addr); err != nil {
			return err
		}
	} else {
		if len(words) == 0 {
			return errors.New("missing NAME; write it after the command")
		}
		var err error
		if name, cfg.note, err = question.Name(words[0]); err != nil {
			return err
		}
		words = words[1:]
	}
	if len(words) > 0 {
		types = nil
	}
	for _, word := range words {
		t, err := question.Type(word)
		if err != nil {
			return err
		}
		if !slices.Contains(types, t) {
			types = append(types, t)
		}
	}
	for _, t := range types {
		q := dns.Question{Name: name, Qtype: t, Qclass: dns.ClassINET}
		if _, err := outcome.Message(q); err != nil {
			return fmt.Errorf("%q is not a domain name: %w", name, err)
		}
		cfg.questions = append(cfg.questions, q)
	}
	return nil
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

// addOptions defines the flags that set what a stanza can set. They are tried at once, and set
// later, when it is known which stanza they are added to.
func (cfg *config) addOptions(f *flag.FlagSet) {
	var tried option.Values
	add := func(o option.Option, args []string) error {
		set := func(v *option.Values) error { return o.Set(v, args, option.Reader{}) }
		if err := set(&tried); err != nil {
			return flagError(err)
		}
		cfg.options = append(cfg.options, set)
		return nil
	}
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
				return add(o, nil)
			})
		default:
			f.Func(o.Flag, "", func(s string) error { return add(o, []string{s}) })
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
