package api

import (
	"net"
	"strings"
)

// Means reports whether a word means the upstream of that name: it is the name, or that without
// its transport and port, or no more than its address or its host. So "10.0.0.53" means all of
// "10.0.0.53:53", "[10.0.0.53%tun0]:53" and "tls://10.0.0.53%dns.example:853".
func Means(name, word string) bool {
	if name == "" || word == "" {
		return false
	}
	if name == word {
		return true
	}
	rest := name
	if _, after, found := strings.Cut(rest, "://"); found {
		rest = after
	}
	rest, _, _ = strings.Cut(rest, "/")
	if host, _, err := net.SplitHostPort(rest); err == nil {
		rest = host
	}
	word = strings.Trim(word, "[]")
	if rest = strings.Trim(rest, "[]"); rest == word {
		return true
	}
	address, host, _ := strings.Cut(rest, "%")
	return address == word || strings.Trim(address, "[]") == word || host == word && strings.Contains(host, ".")
}
