// Package option holds the options of a stanza: their [Values], and a [Table] of what
// they are called, how they are read and what they do. The stanza, the flags of the
// command explain and its help all use that table. A new option is a row there and a
// field here.
package option

import (
	"cmp"
	"crypto/tls"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/dnsmus/dnsmus/plugin/race"
)

// Values are what the options of a stanza are set to.
type Values struct {
	Except         []string // zones whose names are not raced, in canonical form
	Rules          race.Rules
	Patience       time.Duration // an upstream that is silent for so long is down
	NegativeTTL    time.Duration // a denial is cached so long at most (R7); whole seconds
	MaxConcurrent  int64         // clients' queries under way at a time; 0: no limit
	ForceTCP       bool          // ask over TCP only
	PreferUDP      bool          // ask over UDP even for a client on TCP
	ForwardSpecial bool          // ask upstreams for special names too (R14)
	PrivateFrom    PrivateFrom   // which upstreams may give private addresses
	TrustAD        bool          // clients get the AD bit of replies as upstreams set it (R13)
	PrivateLinks   bool          // ask for names in the domains of an interface over that interface only (R21)
	TLS            *tls.Config   // of encrypted upstreams; nil: trust what the system trusts
	ServerName     string        // in the certificates of upstreams written without a name; empty: their address

	Control   bool   // there is a control socket
	Socket    string // its path, or a word for it, as package api has them; empty: the default
	History   int    // how many races are remembered, if there is; 0: as many as usual, negative: none
	ZonesOnly bool   // and their first labels are not

	Cache  int           // how many replies are kept (R24); 0: none
	Learn  time.Duration // how long what was learned decides which upstream is asked first (R16); 0: it does not
	Prefer Preference    // which of several different answers is given (R17)
	Away   bool          // a denial becomes SERVFAIL while the only upstream that knows the zone is away (R18)
}

// Preference is what makes one of several good answers better.
type Preference uint8

const (
	None    Preference = iota // nothing
	Order                     // its upstream is listed before others
	Private                   // it holds private addresses
)

// Learns reports whether anything is learned about zones.
func (v *Values) Learns() bool { return v.Learn > 0 || v.Prefer != None || v.Away || v.Cache > 0 }

// Keeps reports whether anything is kept of zones: what is learned, or is to be shown.
func (v *Values) Keeps() bool { return v.Learns() || v.Control }

// Remembers is how many races are remembered.
func (v *Values) Remembers() int {
	if !v.Control || v.History < 0 {
		return 0
	}
	return cmp.Or(v.History, defaultHistory)
}

// Age is how long what was learned is used.
func (v *Values) Age() time.Duration { return cmp.Or(v.Learn, defaultLearn) }

// Default returns the values of a stanza without options.
func Default() Values {
	var v Values
	for _, o := range Table {
		if o.Default == "" {
			continue
		}
		if err := o.Set(&v, []string{o.Default}, Reader{}); err != nil {
			panic(err) // the table is wrong
		}
	}
	return v
}

// Check returns an error if options exclude each other.
func (v *Values) Check() error {
	if v.ForceTCP && v.PreferUDP {
		return errors.New("force_tcp and prefer_udp exclude each other; leave one of them out")
	}
	return nil
}

// Option is a row of [Table].
type Option struct {
	Name    string // in a stanza
	Args    string // its arguments, as usage shows them: "ZONE...", "[CERT KEY] [CA]"; empty: none
	Default string // the argument where the option is not given; empty: none
	Flag    string // the name of explain's flag, which takes one argument at a time; empty: there is none
	About   string // the flag's description in its help

	set func(v *Values, args []string, r Reader) error
}

// Reader reads the arguments that mean what they do in other plugins of the server.
type Reader struct {
	// Zones returns the zones that a word stands for; none if it is not one.
	Zones func(word string) []string
	// TLS reads the files of "[CERT KEY] [CA]".
	TLS func(files []string) (*tls.Config, error)
}

// Find returns the option of that name in a stanza.
func Find(name string) (o Option, ok bool) {
	i := slices.IndexFunc(Table, func(o Option) bool { return o.Name == name })
	if i < 0 {
		return Option{}, false
	}
	return Table[i], true
}

// Names returns the names of all options, sorted.
func Names() []string {
	var names []string
	for _, o := range Table {
		names = append(names, o.Name)
	}
	slices.Sort(names)
	return names
}

// Usage is how the option is written in a stanza.
func (o Option) Usage() string { return strings.TrimSpace(o.Name + " " + o.Args) }

// Set sets the option in v. If one of the arguments is wrong the error is an [*ArgError].
func (o Option) Set(v *Values, args []string, r Reader) error {
	if !o.takes(len(args)) {
		return errors.New("wrong number of arguments")
	}
	return o.set(v, args, r)
}

// takes reports whether there may be n arguments.
func (o Option) takes(n int) bool {
	needed, _, _ := strings.Cut(o.Args, "[")
	return n >= len(strings.Fields(needed)) && (n <= len(strings.Fields(o.Args)) || strings.HasSuffix(o.Args, "..."))
}

// ArgError is what is wrong with an argument.
type ArgError struct {
	Arg    string
	Is     string // what is wrong with it, as in "is not between 10ms and 1m0s"
	Remedy string // what to write, as in "write a duration such as 4s"; empty: Is tells that too
}

// Error quotes the argument and says what is wrong with it.
func (e *ArgError) Error() string { return "'" + e.Arg + "' " + e.Is }
