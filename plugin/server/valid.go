package server

import (
	"net/url"
	"slices"
	"strings"
	"unicode"
)

const (
	maxLink   = 255 // bytes of a link, far more than the 15 of a Linux interface name
	maxName   = 255 // bytes of a domain name (RFC 1035, section 2.3.4)
	maxPath   = 255 // bytes of a path on an HTTPS server, far more than any has
	maxQuoted = 64  // bytes of a word quoted in an error

	// notInLink holds what separates the parts of an address, without the "#"
	// that is cut off before, and what bytes that are not UTF-8 decode to.
	notInLink = " %/:;[]\uFFFD"
)

func validLink(link string) bool {
	return link != "" && len(link) <= maxLink && !strings.ContainsFunc(link, func(r rune) bool {
		return !unicode.IsPrint(r) || strings.ContainsRune(notInLink, r)
	})
}

func validName(s string) bool {
	return s != "" && len(s) <= maxName && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r == '.' || r == '-' || r == '_' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z')
	})
}

// validHost reports whether s is a name that may have addresses. One that ends in a
// number is a mistyped address.
func validHost(s string) bool {
	labels := strings.Split(s, ".")
	last := labels[len(labels)-1]
	return validName(s) && !slices.Contains(labels, "") && strings.Trim(last, "0123456789") != ""
}

func validPath(s string) bool {
	_, err := url.ParseRequestURI("/" + s)
	return err == nil && len(s) <= maxPath && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune("#\"<>\\^`{|}", r)
	})
}
