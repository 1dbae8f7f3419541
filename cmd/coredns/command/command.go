// Package command is the command line of a CoreDNS with dnsmus: CoreDNS's own and,
// beside it, [ADDRESS:]PORT [TO...], which needs no Corefile, and commands such as
// explain. Unlike CoreDNS it does not start if there is nothing to serve. The main package
// that calls it imports the plugins.
package command

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/coredns/caddy"
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"

	"github.com/dnsmus/dnsmus"
	"github.com/dnsmus/dnsmus/cmd/coredns/show"
	"github.com/dnsmus/dnsmus/plugin/version"
)

// exitUsage is the exit status of package flag.
const exitUsage = 2

// Main is the whole program. It returns only when CoreDNS does.
func Main() {
	if status, ran := word(os.Args); ran {
		os.Exit(status)
	}
	if !slices.Contains(dnsserver.Directives, "dnsmus") {
		// The place in plugin.cfg where docs/reference.md tells other builds to put it.
		at := slices.Index(dnsserver.Directives, "forward")
		dnsserver.Directives = slices.Insert(dnsserver.Directives, at, "dnsmus")
	}

	coremain.GitCommit = "dnsmus-" + version.String()

	show := flag.Bool("corefile", false, "Print the Corefile that [ADDRESS:]PORT [TO...] stands for")
	check := flag.Bool("check", false, "Check the Corefile, or what [ADDRESS:]PORT [TO...] stands for, and exit")
	flag.BoolVar(&dnsmus.Share, "share", false, "Listen even where another process of this user does, as in an update of pods")
	becomeUser := userFlag()
	name := filepath.Base(os.Args[0])
	words, err := parse(asFlag(os.Args[1:]))
	if errors.Is(err, flag.ErrHelp) {
		fmt.Printf(usage, name)
		flag.CommandLine.SetOutput(os.Stdout)
		flag.PrintDefaults()
		return
	}
	l := &loader{name: name, conf: flag.Lookup("conf").Value.String()}
	if err == nil {
		err = valid()
	}
	if err == nil {
		err = l.take(words, given(), *show)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v; see '%[1]s -h'\n", name, err)
		os.Exit(exitUsage)
	}
	if *show {
		fmt.Print(l.builtIn)
		return
	}
	if *check {
		if err := l.check(); err != nil {
			log.SetOutput(os.Stderr)
			log.Fatalf("%s: %v", name, err)
		}
		return
	}
	if err := becomeUser(); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(exitUsage)
	}
	// CoreDNS is left the flags, without the one by which it would load a Corefile
	// itself. A process that it starts in its own place gets them as well.
	os.Args = os.Args[:1]
	flag.Visit(func(f *flag.Flag) {
		if f.Name != "conf" {
			os.Args = append(os.Args, "-"+f.Name+"="+f.Value.String())
		}
	})
	flag.Set("conf", "")
	caddy.SetDefaultCaddyfileLoader("default", l)
	coremain.Run()
}

const usage = `Usage: %[1]s [OPTION]... [ADDRESS:]PORT [TO...]
       %[1]s [OPTION]... [-conf COREFILE]
       %[1]s explain NAME [TYPE]  what each upstream says of NAME, asked now
       %[1]s status [UPSTREAM]    who is up, since when, and of what use
       %[1]s why NAME [TYPE]      why NAME was denied or failed, from memory
       %[1]s zones [ZONE]         which upstream knows which zone
       %[1]s tail [FILTER]        a line for each query and change, as it happens
       %[1]s top [FILTER]         upstreams and queries on the whole terminal
       %[1]s forget NAME          drop what is kept and known of NAME
       %[1]s doctor               what is wrong with this machine's DNS

The first form listens on PORT of ADDRESS, or of 127.0.0.1, and sends each query
to all upstream resolvers at once. TO is the address of such a resolver, a file
like resolv.conf that lists some, or the word links for all resolvers that the
system knows. The default is the file /etc/resolv.conf.dnsmus, on Windows
%%ProgramFiles%%\dnsmus\resolv.conf. The second form runs a Corefile. The others
are for people; '%[1]s explain -h' and the like tell more.

`

// parse reads the command line by package flag, and returns the words that are not
// flags, which may stand anywhere. The error is [flag.ErrHelp] if it asks for help.
func parse(args []string) (words []string, err error) {
	flag.CommandLine.Init("", flag.ContinueOnError)
	flag.CommandLine.SetOutput(io.Discard)
	flag.Usage = func() {}
	err = show.Words(flag.CommandLine, args, func(word string) error {
		words = append(words, word)
		return nil
	})
	return words, err
}

// valid checks the values of CoreDNS's own flags, which it would take until it starts.
func valid() error {
	value := flag.Lookup("p").Value.String() // of -dns.port as well
	if port, err := strconv.ParseUint(value, 10, 16); err != nil || port == 0 {
		return fmt.Errorf("-p %q is no port; ports are 1 to 65535", value)
	}
	if format := flag.Lookup("log-format").Value.String(); format != "text" && format != "json" {
		return fmt.Errorf("-log-format %q is neither text nor json", format)
	}
	return nil
}

// given returns the names of the flags on the command line.
func given() (names []string) {
	flag.Visit(func(f *flag.Flag) { names = append(names, f.Name) })
	return names
}
