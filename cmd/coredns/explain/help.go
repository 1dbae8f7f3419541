package explain

import (
	"fmt"
	"strings"

	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/source"
)

// usage describes the command called name.
func usage(name string) string {
	return `Usage: ` + name + ` NAME [TYPE]... [@ADDR[:PORT] | OPTION]...
       ` + name + ` -x ADDR [TYPE]... [@ADDR[:PORT] | OPTION]...
       ` + name + ` --links [@ADDR[:PORT] | -f FILE | --json]...

Asks all upstream resolvers for NAME at once, as dnsmus does, and shows what
dnsmus replies, how each of them does, and why that reply wins. TYPE is A unless
given, or PTR with -x; browsers ask for A AAAA HTTPS. NAME is absolute: search
domains do not apply. It may be part of a URL or a mail address, and in Unicode.
Options may stand anywhere.

If a server runs that has the option control, it does the asking, with what it
knows. Else, and with --alone or any option but --json, this command does it by
itself, and waits for upstreams that a server may know to be down. The last line
says who was asked by whom.

  @ADDR[:PORT]          ask this upstream, written as in a Corefile, such as
                        @tls://192.0.2.1%dns.example; may be repeated.
                        @links stands for all resolvers that the system knows
  -f FILE               ask the upstreams of this file like resolv.conf; may be
                        repeated
  -conf COREFILE        ask the upstreams of this Corefile, with its options
                        (default ` + installed() + `; where there is none,
                        @links and ` + source.DefaultFile() + `)
  --alone               ask without the server that runs
  -s PATH               the control socket of that server
  --server ADDR         its server block that listens at this address
  --links               send no query; show which resolvers the system knows, by
                        interface, and which are left out and why
  -x ADDR               ask for the name of this address
  --ca FILE             for encrypted upstreams trust only the authorities in
                        this PEM file
` + optionsHelp() + `  --json                print JSON, an object, or of several TYPEs an array,
                        with times in seconds
  -h, --help            print this

The options mean what they do in a Corefile. Ctrl-C shows what is known by then.
NO_COLOR or TERM=dumb in the environment turns colours off.

Exit status, by the reply, or the best of several:
  0    a good answer
  1    the name has no such record: NODATA, or nothing but a CNAME
  2    the name does not exist: NXDOMAIN
  3    a failure: SERVFAIL, REFUSED, another error, a bogus address, no reply
  64   the command line is wrong
  66   there is no upstream to ask
  69   the server that is named by -s or --server cannot be asked
  74   the output cannot be written
  77   the socket that is named by -s may not be used
  130  interrupted before the reply was known
`
}

const (
	helpColumn = 24 // where descriptions stand
	helpWidth  = 79
)

// optionsHelp describes the flags of addOptions.
func optionsHelp() string {
	var b strings.Builder
	for _, o := range option.Table {
		if o.Flag == "" {
			continue
		}
		about := o.About
		arg, several := strings.CutSuffix(o.Args, "...")
		if several {
			about += "; may be repeated"
		}
		if o.Default != "" {
			about += " (default " + o.Default + ")"
		}
		line := strings.TrimRight("  --"+o.Flag+" "+arg, " ")
		if len(line) >= helpColumn {
			b.WriteString(line + "\n")
			line = ""
		}
		line = fmt.Sprintf("%-*s", helpColumn-1, line)
		for _, word := range strings.Fields(about) {
			if len(line)+1+len(word) > helpWidth {
				b.WriteString(line + "\n")
				line = strings.Repeat(" ", helpColumn-1)
			}
			line += " " + word
		}
		b.WriteString(line + "\n")
	}
	return b.String()
}
