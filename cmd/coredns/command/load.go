package command

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"os"
	"slices"
	"sync"

	"github.com/coredns/caddy"
	"github.com/coredns/caddy/caddyfile"
	"github.com/coredns/coredns/core/dnsserver"

	"github.com/dnsmus/dnsmus"
	"github.com/dnsmus/dnsmus/plugin/printable"
)

// serverType is what Caddy calls a server of DNS.
const serverType = "dns"

// loader loads what is to be served, at the start and at each reload. It never
// falls back to what CoreDNS and Caddy do: to serve the plugin whoami, by which
// every name exists and none has an address.
type loader struct {
	name    string // the program's
	conf    string // the Corefile; empty: the one in the current directory, if any
	builtIn string // the built-in Corefile; empty: there is one in a file
	mu      sync.Mutex
	stdin   []byte // which can be read once
	failed  string // why it could not be loaded again, when that was last tried
}

// take checks the words of the command line, and the flags that are given beside
// them by name, and makes the built-in Corefile of the words, if there are any.
func (l *loader) take(words, flags []string, show bool) (err error) {
	switch {
	case len(words) == 0 && show:
		return errors.New("-corefile goes with [ADDRESS:]PORT [TO...]")
	case len(words) == 0:
		return nil
	}
	for _, other := range []string{"conf", "p", "dns.port"} {
		if slices.Contains(flags, other) {
			return fmt.Errorf("-%s goes with a Corefile, not with %q; use one or the other", other, words)
		}
	}
	if l.builtIn, err = corefile(words, slices.Contains(flags, "user")); err == nil {
		return nil
	}
	if info, missing := os.Stat(words[0]); missing == nil && info.Mode().IsRegular() {
		return fmt.Errorf("%q is a file; to run it as a Corefile write -conf %[1]s", words[0])
	}
	return err
}

// Load implements [caddy.Loader]. It tells of a reload that ends here: the plugin reload is
// silent about that.
func (l *loader) Load(serverType string) (caddy.Input, error) {
	toJournal()
	l.mu.Lock()
	defer l.mu.Unlock()
	in, err := l.load(serverType)
	if len(caddy.Instances()) > 0 {
		why := ""
		if err != nil {
			why = err.Error()
		}
		if why != "" && why != l.failed {
			log.Printf("[ERROR] The Corefile cannot be loaded again, so the one before stays in use: %s", why)
		}
		l.failed = why
		dnsmus.LoadFailed(err != nil)
	}
	return in, err
}

// load reads what is to be served.
func (l *loader) load(serverType string) (caddy.Input, error) {
	in := caddy.CaddyfileInput{Filepath: l.conf, ServerTypeName: serverType}
	var err error
	switch {
	case l.builtIn != "":
		in.Filepath, in.Contents = "built-in Corefile", []byte(l.builtIn)
	case l.conf == "stdin":
		if l.stdin == nil {
			l.stdin, err = io.ReadAll(os.Stdin)
		}
		in.Contents = l.stdin
	default:
		if l.conf == "" {
			in.Filepath = caddy.DefaultConfigFile
		}
		in.Contents, err = os.ReadFile(in.Filepath)
	}
	path := printable.Text(in.Filepath)
	switch {
	case path != in.Filepath: // Caddy would show it as it is
		return nil, fmt.Errorf("the name of %s has characters that cannot be shown; give it another one", path)
	case l.conf == "" && errors.Is(err, fs.ErrNotExist):
		return nil, l.nothing("there is no Corefile here")
	case err != nil:
		return nil, err
	}
	blocks, err := caddyfile.Parse(path, bytes.NewReader(in.Contents), nil)
	if err != nil {
		return nil, errors.New(printable.Text(err.Error()))
	}
	if len(blocks) == 0 {
		return nil, l.nothing(fmt.Sprintf("%s has no server block", path))
	}
	for _, block := range blocks {
		if slices.Contains(block.Keys, "dnsmus") { // its upstreams would be zones, and nothing served
			return nil, fmt.Errorf("%s: 'dnsmus' stands outside of a server block; write '. {' above it, and '}' below", path)
		}
	}
	return in, nil
}

// check says whether what is to be served can be. Warnings are logged to standard error, but for
// -quiet: then the server repeats them soon.
func (l *loader) check() error {
	log.SetFlags(0)
	in, err := l.Load(serverType)
	if err != nil {
		return err
	}
	if dnsserver.Quiet {
		log.SetOutput(io.Discard)
	}
	if err := dnsmus.Check(in); err != nil {
		return errors.New(printable.Text(err.Error()))
	}
	if !dnsserver.Quiet {
		fmt.Printf("%s: %s is valid\n", l.name, in.Path())
	}
	return nil
}

// nothing says that there is nothing to serve, and what to write.
func (l *loader) nothing(why string) error {
	return fmt.Errorf(`%[2]s, so there is nothing to serve; write one of
    %[1]s 5553 192.0.2.1 192.0.2.2    to listen on port 5553 of 127.0.0.1 and ask these upstreams
    %[1]s 5553 resolv.conf            ... or those of a file
    %[1]s -conf COREFILE              to run a Corefile
and see '%[1]s -h'`, l.name, why)
}
