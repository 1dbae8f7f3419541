package command

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/dnsmus/dnsmus/plugin/control"
	"github.com/dnsmus/dnsmus/plugin/control/api"
)

// corefile returns the built-in Corefile for the words [ADDRESS:]PORT [TO...]: it
// listens there, on 127.0.0.1 without ADDRESS, and races the upstreams TO as a
// stanza with these arguments does, with the options cache and, where there can be a socket for
// it, control. A process that becomes another user could not remove its socket, nor make one at a
// reload, so there is none with becomes.
func corefile(words []string, becomes bool) (string, error) {
	listener, err := parseListener(words[0])
	if err != nil {
		return "", err
	}
	stanza := "dnsmus"
	for _, word := range words[1:] {
		if word, err = token(word); err != nil {
			return "", err
		}
		stanza += " " + word
	}
	socket := ""
	if path, err := api.Own(); err == nil && !becomes && control.Usable(path) {
		socket = "        control " + api.OwnWord + "\n"
	}
	return fmt.Sprintf(".:%d {\n    bind %s\n    %s {\n        cache\n%s    }\n    errors {\n        consolidate 1h .*\n    }\n}\n", listener.Port(), listener.Addr(), stanza, socket), nil
}

// parseListener reads [ADDRESS:]PORT.
func parseListener(word string) (netip.AddrPort, error) {
	host, port := "127.0.0.1", word
	if i := strings.LastIndexByte(word, ':'); i >= 0 {
		host, port = word[:i], word[i+1:]
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		if host, ok = strings.CutSuffix(inner, "]"); !ok {
			host = ""
		}
	} else if strings.Contains(host, ":") { // or the last part of an IPv6 address would be the port
		host = ""
	}
	addr, notAddr := netip.ParseAddr(host)
	n, notPort := strconv.ParseUint(port, 10, 16)
	switch {
	case host == "" && notPort == nil && word[0] == ':':
		return netip.AddrPort{}, fmt.Errorf("%q has no address; write 0.0.0.0%s to listen on all IPv4 addresses, [::]%[2]s on all, or %[3]s on 127.0.0.1", word, word, port)
	case notAddr == nil && (errors.Is(notPort, strconv.ErrRange) || notPort == nil && n == 0):
		return netip.AddrPort{}, fmt.Errorf("%q has no such port; ports are 1 to 65535", word)
	case word == port && strings.Trim(word, "0123456789") != "" && !strings.ContainsAny(word, "./"):
		return netip.AddrPort{}, fmt.Errorf("%q is neither a command nor [ADDRESS:]PORT; the commands are %s; or write first where to listen, as in 5553, 192.0.2.1:53 or [2001:db8::1]:53, and then the upstreams", word, strings.Join(commands(), ", "))
	case notAddr != nil || notPort != nil:
		return netip.AddrPort{}, fmt.Errorf("%q is not [ADDRESS:]PORT; write first where to listen, as in 5553, 192.0.2.1:53 or [2001:db8::1]:53, and then the upstreams", word)
	case addr.Zone() != "":
		return netip.AddrPort{}, fmt.Errorf("%q names an interface; write a Corefile with 'bind %s' instead", word, addr.Zone())
	}
	return netip.AddrPortFrom(addr.Unmap(), uint16(n)), nil
}

// token writes a word as a Corefile has it, which knows no escapes but that of a
// quote, and expands variables of the environment everywhere.
func token(word string) (string, error) {
	odd := func(r rune) bool { return strings.ContainsRune(`{}"`, r) || r == utf8.RuneError || !unicode.IsPrint(r) }
	switch {
	case word == "":
		return "", errors.New("the name of an upstream is empty")
	case strings.ContainsFunc(word, odd) || strings.HasSuffix(word, `\`):
		return "", fmt.Errorf("%q cannot be written in a Corefile; give the file another name", word)
	case strings.ContainsAny(word, " #"):
		return `"` + word + `"`, nil
	}
	return word, nil
}
