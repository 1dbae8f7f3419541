package server

import (
	"strconv"
	"strings"

	"github.com/dnsmus/dnsmus/plugin/printable"
)

// Quote quotes a user's word for an error or a log line: escaped, and cut if it is
// long. Of a URL the path is left out, for that may identify an account.
func Quote(word string) string {
	if transport, rest, found := strings.Cut(word, "://"); found && strings.EqualFold(transport, HTTPS.String()) {
		if host, path := cutPath(rest); path != "" && path != "/" && path != defaultPath {
			word = transport + "://" + host + "/..."
		}
	}
	begin := printable.Begin(word, maxQuoted)
	if begin == word {
		return strconv.Quote(word)
	}
	return strconv.Quote(begin) + "..."
}
