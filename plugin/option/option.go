// Package option holds what can be set about races: [Values], and the [Table] by
// which a stanza, the flags of the command explain and their descriptions are read
// and written. A new option is a row there, and its field here.
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

// Values are what a stanza says, apart from its upstreams.
type Values struct {
	Except         []string // zones whose names are not raced, in canonical form
	Rules          race.Rules
	Patience       time.Duration // an upstream silent for so long is down
	NegativeTTL    time.Duration // a denial on which not all upstreams gave an opinion lives so long at most; whole seconds
	MaxConcurrent  int64         // queries under way at a time; 0 is no limit
	ForceTCP       bool          // ask over TCP only
	PreferUDP      bool          // ask over UDP even for a client on TCP
	ForwardSpecial bool          // race special names as all others
	PrivateLinks   bool          // for names in the domains of a link ask over that link only (R21)
	TLS            *tls.Config   // of encrypted transports; nil: as the system has it
	ServerName     string        // in the certificates of upstreams that do not name theirs; empty: their address

	Learn  time.Duration // what was learned counts so long, and decides whom to ask first (R16); 0: nothing does
	Prefer Preference    // of answers that differ (R17)
	Away   bool          // a denial is a failure while the only upstream that knows the zone is away (R18)
}

// Preference is what makes one of several good answers better.
type Preference uint8

const (
	None    Preference = iota // nothing
	Order                     // its upstream is listed before others
	Private                   // it holds private addresses
)

// Learns reports whether anything is learned about zones.
func (v *Values) Learns() bool { return v.Learn > 0 || v.Prefer != None || v.Away }

// Age is how long what was learned counts.
func (v *Values) Age() time.Duration { return cmp.Or(v.Learn, defaultLearn) }

// Default returns the values where nothing is said.
func Default() Values {
	var v Values
	for _, o := range Table {
		if o.Default == "" {
			continue
		}
		if err := o.Set(&v, []string{o.Default}, Reader{}); err != nil {
			panic(err) // of a constant
		}
	}
	return v
}

// Check tells of options that exclude each other.
func (v *Values) Check() error {
	if v.ForceTCP && v.PreferUDP {
		return errors.New("force_tcp and prefer_udp exclude each other; leave one of them out")
	}
	return nil
}

// Option is a row of [Table].
type Option struct {
	Name    string // in a stanza
	Args    string // that follow it, as in usage: "ZONE...", "[CERT KEY] [CA]"; empty: none
	Default string // the argument that it has where it is not given; empty: none
	Flag    string // its name among explain's flags, which take one argument at a time; empty: it is none
	About   string // what it is, for the help of that flag

	set func(v *Values, args []string, r Reader) error
}

// Reader reads those arguments whose meaning is that of the server around.
type Reader struct {
	// Zones returns the zones that a word means, none if it means none.
	Zones func(word string) []string
	// TLS reads files, as in "[CERT KEY] [CA]".
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

// Set puts what the arguments say into v. An error about one of them is an
// [*ArgError].
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
	Is     string // what is wrong, as in "is not between 10ms and 1m0s"
	Remedy string // what to write, as in "write a duration such as 4s"; empty: Is says it
}

// Error quotes the argument and says what is wrong with it.
func (e *ArgError) Error() string { return "'" + e.Arg + "' " + e.Is }
