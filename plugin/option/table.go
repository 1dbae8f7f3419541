package option

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/dnsmus/dnsmus/plugin/race"
)

// Shorter than a packet takes, or longer than any client waits, is a mistake, such as a
// wrong unit.
const (
	minWait        = 10 * time.Millisecond
	maxWait        = time.Minute
	maxNegativeTTL = 24 * time.Hour
	minLearn       = time.Second
	maxLearn       = 24 * time.Hour
	defaultLearn   = 10 * time.Minute
	minCache       = 1024 // what the store takes at least
	maxCache       = 1_000_000
	defaultCache   = 10_000
	defaultHistory = 1000
	maxHistory     = 1 << 16
)

// Table lists all options, in the order in which people are shown them.
var Table = []Option{
	{Name: "except", Args: "ZONE...", set: setZones},
	{Name: "bogus", Args: "CIDR...", Flag: "bogus",
		About: "an answer with an address in this range is not good", set: addBogus},
	{Name: "timeout", Args: "DURATION", Default: "4s", Flag: "timeout",
		About: "how long to wait for replies, late ones included",
		set:   duration(func(v *Values) *time.Duration { return &v.Rules.Timeout }, minWait, maxWait)},
	{Name: "patience", Args: "DURATION", Default: "2s", Flag: "patience",
		About: "how long an upstream may be silent before it counts as down",
		set:   duration(func(v *Values) *time.Duration { return &v.Patience }, minWait, maxWait)},
	{Name: "negative_ttl", Args: "DURATION", Default: "5s", Flag: "negative-ttl",
		About: "how long a denial may be cached",
		set:   ttl(func(v *Values) *time.Duration { return &v.NegativeTTL }, maxNegativeTTL)},
	{Name: "max_concurrent", Args: "N", Default: "10000", set: setMaxConcurrent},
	{Name: "force_tcp", Flag: "tcp",
		About: "ask over TCP only (force_tcp in a Corefile)",
		set:   flag(func(v *Values) *bool { return &v.ForceTCP })},
	{Name: "prefer_udp", set: flag(func(v *Values) *bool { return &v.PreferUDP })},
	{Name: "forward_special", Flag: "forward-special",
		About: "ask upstreams for special names too",
		set:   flag(func(v *Values) *bool { return &v.ForwardSpecial })},
	{Name: "tls", Args: "[CERT KEY] [CA]", set: setTLS},
	{Name: "tls_servername", Args: "NAME", set: setServerName},
	{Name: "cache", Args: "[ENTRIES]", set: setCache},
	{Name: "learn", Args: "[DURATION]",
		set: optional(defaultLearn, duration(func(v *Values) *time.Duration { return &v.Learn }, minLearn, maxLearn))},
	{Name: "prefer", Args: "order|private", Flag: "prefer",
		About: "where answers differ, choose that of the upstream listed first, or one with private addresses", set: setPrefer},
	{Name: "away", set: flag(func(v *Values) *bool { return &v.Away })},
	{Name: "filtered", Flag: "filtered",
		About: "the reply of a filter is given, even if another upstream would answer otherwise",
		set:   flag(func(v *Values) *bool { return &v.Rules.Filtered })},
	{Name: "private_from", Args: "private|vpn|ADDR...", Flag: "private-from",
		About: "which upstreams may give private addresses: private, vpn, an address or range, a host, or an upstream as written", set: addPrivateFrom},
	{Name: "private_links", Flag: "private-links",
		About: "ask for names in an interface's own domains over that interface only",
		set:   flag(func(v *Values) *bool { return &v.PrivateLinks })},
	{Name: "control", Args: "[PATH|own]", set: setControl},
	{Name: "history", Args: "[N] [names|zones]", set: setHistory},
	{Name: "trust_ad", set: flag(func(v *Values) *bool { return &v.TrustAD })},
}

func setZones(v *Values, args []string, r Reader) error {
	for _, arg := range args {
		if zone, wild := strings.CutPrefix(arg, "*."); wild {
			return &ArgError{Arg: arg, Is: "is not a zone; " + zone + " is, and has all names below it"}
		}
		zones := r.Zones(arg)
		if len(zones) == 0 {
			return &ArgError{Arg: arg, Is: "is not a zone"}
		}
		v.Except = append(v.Except, zones...)
	}
	return nil
}

func addBogus(v *Values, args []string, _ Reader) error {
	for _, arg := range args {
		prefix, err := race.ParsePrefix(arg)
		if err != nil {
			const want = "an address range such as 192.0.2.0/24, 192.0.2.1 or 2001:db8::/32"
			return &ArgError{Arg: arg, Is: "is not " + want, Remedy: "write " + want}
		}
		v.Rules.Policy.Bogus = append(v.Rules.Policy.Bogus, prefix)
	}
	return nil
}

func setMaxConcurrent(v *Values, args []string, _ Reader) error {
	n, err := strconv.ParseInt(args[0], 10, 32)
	if err != nil || n < 0 {
		return &ArgError{Arg: args[0], Is: "is not a number of queries, or 0 for no limit"}
	}
	v.MaxConcurrent = n
	return nil
}

func setCache(v *Values, args []string, _ Reader) error {
	v.Cache = defaultCache
	if len(args) == 0 {
		return nil
	}
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return &ArgError{Arg: args[0], Is: "is not a number of replies"}
	}
	if n < minCache || n > maxCache {
		return &ArgError{Arg: args[0], Is: fmt.Sprintf("is not between %d and %d replies", minCache, maxCache)}
	}
	v.Cache = n
	return nil
}

func setControl(v *Values, args []string, _ Reader) error {
	v.Control = true
	if len(args) > 0 {
		v.Socket = args[0]
	}
	return nil
}

func setHistory(v *Values, args []string, _ Reader) error {
	const want = "a number of names, or names or zones"
	if len(args) > 0 && args[0] != "names" && args[0] != "zones" {
		n, err := strconv.Atoi(args[0])
		switch {
		case err != nil:
			return &ArgError{Arg: args[0], Is: "is not " + want}
		case n < 0 || n > maxHistory:
			return &ArgError{Arg: args[0], Is: fmt.Sprintf("is not between 0 and %d", maxHistory)}
		}
		v.History, args = n, args[1:]
		if n == 0 {
			v.History = -1
		}
	}
	if len(args) == 0 {
		return nil
	}
	if len(args) > 1 || args[0] != "names" && args[0] != "zones" {
		return &ArgError{Arg: args[len(args)-1], Is: "is not names or zones"}
	}
	v.ZonesOnly = args[0] == "zones"
	return nil
}

func setTLS(v *Values, args []string, r Reader) (err error) {
	v.TLS, err = r.TLS(args)
	return err
}

func setServerName(v *Values, args []string, _ Reader) error {
	v.ServerName = args[0]
	return nil
}

func setPrefer(v *Values, args []string, _ Reader) error {
	switch args[0] {
	case "order":
		v.Prefer = Order
	case "private":
		v.Prefer = Private
	default:
		return &ArgError{Arg: args[0], Is: "is unknown", Remedy: "write order or private"}
	}
	return nil
}

// optional reads an argument that may be left out; then it is the duration without.
func optional(without time.Duration, read func(*Values, []string, Reader) error) func(*Values, []string, Reader) error {
	return func(v *Values, args []string, r Reader) error {
		if len(args) == 0 {
			args = []string{without.String()}
		}
		return read(v, args, r)
	}
}

// flag sets a field to true.
func flag(field func(*Values) *bool) func(*Values, []string, Reader) error {
	return func(v *Values, _ []string, _ Reader) error {
		*field(v) = true
		return nil
	}
}

// ttl sets a field to a TTL: whole seconds (RFC 2181, section 8).
func ttl(field func(*Values) *time.Duration, most time.Duration) func(*Values, []string, Reader) error {
	read := duration(field, 0, most)
	return func(v *Values, args []string, r Reader) error {
		if d, err := time.ParseDuration(args[0]); err == nil && 0 < d && d < most && d%time.Second != 0 {
			down := d.Truncate(time.Second)
			return &ArgError{Arg: args[0], Is: fmt.Sprintf("is not in whole seconds, as a TTL is; take %v or %v", down, down+time.Second)}
		}
		return read(v, args, r)
	}
}

// duration sets a field to a duration within bounds.
func duration(field func(*Values) *time.Duration, least, most time.Duration) func(*Values, []string, Reader) error {
	return func(v *Values, args []string, _ Reader) error {
		d, err := time.ParseDuration(args[0])
		if err != nil {
			const want = "a duration such as 4s or 500ms"
			return &ArgError{Arg: args[0], Is: "is not " + want, Remedy: "write " + want}
		}
		if d < least || d > most {
			return &ArgError{Arg: args[0], Is: fmt.Sprintf("is not between %v and %v", least, most)}
		}
		*field(v) = d
		return nil
	}
}
