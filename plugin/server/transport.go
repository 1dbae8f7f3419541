package server

import (
	"slices"
	"strings"
)

// Transport is how a resolver is asked. The zero value is none.
type Transport uint8

const (
	DNS   Transport = iota + 1 // over UDP and TCP
	TLS                        // RFC 7858
	HTTPS                      // RFC 8484
	QUIC                       // RFC 9250
)

// transports has a row for each [Transport] with all that follows from it. The zero values
// of a row are on the safe side: it is encrypted.
var transports = [...]struct {
	name     string
	port     uint16 // where none is written
	plain    bool   // anybody on the way can read it
	datagram bool   // it runs over UDP
}{
	DNS:   {name: "dns", port: 53, plain: true, datagram: true},
	TLS:   {name: "tls", port: 853},
	HTTPS: {name: "https", port: 443},
	QUIC:  {name: "quic", port: 853, datagram: true},
}

// Transports lists all transports.
func Transports() []Transport {
	all := make([]Transport, 0, len(transports)-1)
	for t := DNS; int(t) < len(transports); t++ {
		all = append(all, t)
	}
	return all
}

// ParseTransport returns the transport of that name, or false if there is none.
func ParseTransport(name string) (Transport, bool) {
	all := Transports()
	i := slices.IndexFunc(all, func(t Transport) bool { return t.String() == name })
	if i < 0 {
		return 0, false
	}
	return all[i], true
}

// String is the transport's name, as before "://".
func (t Transport) String() string {
	if t == 0 || int(t) >= len(transports) {
		return "unknown"
	}
	return transports[t].name
}

// Port is the port of such servers where none is written.
func (t Transport) Port() uint16 {
	if int(t) >= len(transports) {
		return 0
	}
	return transports[t].port
}

// Encrypted reports whether only the server can read what it is asked. An unknown transport
// is taken to be.
func (t Transport) Encrypted() bool { return int(t) >= len(transports) || !transports[t].plain }

// Datagram reports whether messages travel over UDP, at least at first.
func (t Transport) Datagram() bool { return int(t) < len(transports) && transports[t].datagram }

// transportNames lists all transports for people, as "a, b or c".
func transportNames() string {
	var names []string
	for _, t := range Transports() {
		names = append(names, t.String())
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}
