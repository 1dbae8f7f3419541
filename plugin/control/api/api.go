// Package api is what a dnsmus that runs tells over its control socket: HTTP/1.1 and JSON over
// a Unix socket, which the option control opens. [Default] says where that is, [Places] where
// the commands look for it. Both sides of the socket use these types, and scripts may:
//
//	curl --unix-socket /run/dnsmus/control http://dnsmus/v1/status
//
// The paths are those of the constants here. Fields may be added to version 1; none is removed
// or changes its meaning. What is unknown is null. Times are in UTC (RFC 3339), spans in
// seconds, names and records in presentation format, in which a byte outside of printable ASCII
// is written as \DDD. Texts of others are cut to printable ASCII. An upstream is named as it is
// written in a Corefile.
//
// A request whose Host is not [Host], or that has an Origin or a Sec-Fetch- header, is
// forbidden: no web page may ask. What is refused or fails has a status of at least 400, and an
// [Error].
package api

// Version is that of the paths.
const Version = "v1"

// Host is what requests have for a host.
const Host = "dnsmus"

// Paths of requests. All but Forget and Reach are for GET.
const (
	// Status replies with a [State].
	Status = "/" + Version + "/status"
	// History replies with a line of JSON for each remembered race, a [Remembered], newest first.
	// The parameter filter is a [Filter]; name and type ask for one name.
	History = "/" + Version + "/history"
	// Zones replies with a line for each zone, a [Zone]. The parameter zone asks for one, and
	// those below it.
	Zones = "/" + Version + "/zones"
	// Events replies with a line for each event, as it happens: see [Event]. With the header
	// Accept: text/event-stream, each is an event of Server-Sent Events instead. The parameter
	// filter is a [Filter] of races.
	Events = "/" + Version + "/events"
	// Explain asks all upstreams, and replies with lines: see [Explained]. The parameters are
	// name and type.
	Explain = "/" + Version + "/explain"
	// Forget takes a POST of a [ForgetRequest] as application/json, and replies with a
	// [Forgotten].
	Forget = "/" + Version + "/forget"
	// Reach takes a POST of {} as application/json, and replies with a [Reached]: a name that this
	// server answers for a while, by which is seen who asks it.
	Reach = "/" + Version + "/reach"
)

// Parameters of requests. All paths for GET take Server: the address of a server block, where several
// share the socket. Without it a request is of all of them; Explain needs it then. A server block
// that there is not, and a parameter that a path does not take, are errors.
const (
	ParamServer = "server"
	ParamFilter = "filter"
	ParamName   = "name"
	ParamType   = "type"
	ParamZone   = "zone"
)

// Filter is words that are all to be true of a race, with blanks in between: a name or a zone
// that the name is in ("corp.example"), a type ("AAAA"), the upstream that won ("@10.1.0.53"),
// one that alone replied well ("only:10.1.0.53"), "denied", "failed", "slow" or ">500ms",
// "differ", "asked:all" and the like, and any of these negated ("!denied").
type Filter = string

// Error says why a request failed, and what to do.
type Error struct {
	Error string `json:"error"`
}
