package api

import "time"

// State is the reply to [Status].
type State struct {
	Version string    `json:"version"` // of dnsmus
	PID     int       `json:"pid"`
	Since   time.Time `json:"since"` // the process began
	Socket  string    `json:"socket"`
	Servers []Server  `json:"servers"` // the server blocks that share the socket
}

// Server is a server block with dnsmus.
type Server struct {
	Server  string   `json:"server"`  // the first of Listens, as requests name it
	Listens []string `json:"listens"` // addresses such as "127.0.0.123:53", or ":53" for all of the host; with the transport before it if that is none of plain DNS, as in "tls://:853"
	Zones   []string `json:"zones"`   // that it serves

	Timeout  float64  `json:"timeout_seconds"`
	Patience float64  `json:"patience_seconds"`
	Learns   bool     `json:"learns"`   // whom to ask first (option learn)
	Prefer   string   `json:"prefer"`   // "", "order" or "private"
	Cache    *int     `json:"cache"`    // replies that are kept by dnsmus's own cache; null: it has none
	InFront  bool     `json:"in_front"` // the plugin cache stands before dnsmus, which answers what it has by itself
	Before   []string `json:"before"`   // other plugins that stand before dnsmus and may answer; explain does not ask them
	Watchers int      `json:"watchers"` // readers of events

	Minute    Races      `json:"minute"` // the races of the last 60 s
	Hour      Races      `json:"hour"`   // and of the last 60 min
	Upstreams []Upstream `json:"upstreams"`
	Notes     []string   `json:"notes"` // what cannot be answered now, and the like: sentences
}

// Races counts races by how they ended. What is kept or shared is no race of its own.
type Races struct {
	Seconds float64 `json:"seconds"` // of the time that is counted
	All     int     `json:"all"`
	Good    int     `json:"good"`
	Denied  int     `json:"denied"` // the name or the type
	Failed  int     `json:"failed"`
	// WrongDenials are those of Denied after which a good answer came late.
	WrongDenials int `json:"wrong_denials"`
}

// Upstream is one of the upstreams in use.
type Upstream struct {
	Upstream  string    `json:"upstream"`
	ToldBy    []string  `json:"told_by"`    // the sources that name it, such as a file; "Corefile" for the stanza itself
	Link      *string   `json:"link"`       // the network interface over which it is asked; null: any
	LinkState *string   `json:"link_state"` // "bound", "unbound" (it has no route there, so the routing table says) or "gone"
	Domains   []string  `json:"domains"`    // that the system says are its link's
	State     string    `json:"state"`      // "up", "failing" (the last query to it ended with an error, and it is asked all the same), "down" (silent) or "gone": its link is
	Since     time.Time `json:"since"`      // of State
	About     string    `json:"about"`      // what there is to say of its state: sentences; empty: nothing

	UnresponsiveTypes []string `json:"unresponsive_types"` // of questions that it never answers, so that it is not waited for
	UnresponsiveZones []string `json:"unresponsive_zones"` // likewise

	Path   *string `json:"path"` // by which it is asked: "udp", "tcp", "tls", "https" or "quic"
	UDP    *Path   `json:"udp"`
	Stream *Path   `json:"stream"`
	EDNS   *bool   `json:"edns"`
	// EDNSUntil is until when it is asked without EDNS.
	EDNSUntil *time.Time `json:"edns_until"`
	Signs     *bool      `json:"signs"`       // it does DNSSEC
	RTT       *float64   `json:"rtt_seconds"` // over UDP, smoothed (RFC 6298)
	P50       *float64   `json:"p50"`         // seconds that its good answers took in the last hour: half of them no longer than that
	P95       *float64   `json:"p95"`         // and 95 %

	Minute Tally `json:"minute"` // the last 60 s
	Hour   Tally `json:"hour"`   // the last 60 min

	Knows     []string   `json:"knows"`      // zones that it alone has answered in lately, the first few
	KnowsAll  int        `json:"knows_all"`  // so many such zones there are
	LastError *LastError `json:"last_error"` // the last failure of sending or connecting
}

// Path is one of the two ways to an upstream.
type Path struct {
	OK      bool       `json:"ok"`       // the last use was of use
	RetryAt *time.Time `json:"retry_at"` // when one that is not is tried again
}

// Tally counts what has become of an upstream's part in races. Asked is all others together but
// Filtered, Won and Only.
type Tally struct {
	Asked     int `json:"asked"`
	Good      int `json:"good"`
	Denied    int `json:"denied"`
	NoOpinion int `json:"no_opinion"` // refused, referred elsewhere, or answered with what is bogus
	Failed    int `json:"failed"`     // SERVFAIL and other errors, what cannot be had whole, and failures of the network
	Filtered  int `json:"filtered"`   // of these, those that say that they are a filter's
	Silent    int `json:"silent"`     // no reply until the race was over, and for a while after it
	Won       int `json:"won"`        // its reply was given
	Only      int `json:"only"`       // no other had a good answer when all had replied
}

// LastError is a failure.
type LastError struct {
	At   time.Time `json:"at"`
	Text string    `json:"text"`
}
