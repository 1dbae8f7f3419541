// Package question is how people write what to ask for: names in many forms, and types.
package question

import (
	"fmt"
	"net/netip"
	"strings"
	"unicode/utf8"

	"github.com/miekg/dns"
	"golang.org/x/net/idna"
)

// toASCII maps names as programs that look them up do (RFC 5891, section 5; UTS 46), and
// leaves underscores alone.
var toASCII = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.StrictDomainName(false), idna.Transitional(false))

// Name returns the domain name in a word: a URL, a mail address, a name with a port or
// a path, or one in Unicode. The note tells people what is asked for instead of the word;
// it is empty if that is the word itself.
func Name(word string) (name, note string, err error) {
	return nameIn(word, "-x ")
}

// nameIn is Name. How the name of an address is asked for begins with reverse.
func nameIn(word, reverse string) (name, note string, err error) {
	bare, note, err := bareName(word, reverse)
	if err != nil {
		return "", "", err
	}
	if _, ok := dns.IsDomainName(bare); !ok {
		return "", "", fmt.Errorf("%q is not a domain name", word)
	}
	return dns.Fqdn(bare), note, nil
}

// NameOf is Name, but an address stands for the name at which its own is asked for.
func NameOf(word string) (name, note string, err error) {
	addr, notAddr := netip.ParseAddr(strings.Trim(word, "[]"))
	if notAddr != nil {
		return nameIn(word, "")
	}
	name, err = Reverse(addr)
	return name, fmt.Sprintf("asking for %s, at which the name of %s is", name, addr), err
}

// Reverse is the name at which that of an address is asked for.
func Reverse(addr netip.Addr) (string, error) {
	return dns.ReverseAddr(addr.Unmap().WithZone("").String())
}

// bareName is Name, before it is known whether there can be such a name.
func bareName(word, reverse string) (name, note string, err error) {
	if strings.Contains(word, `\`) { // it is written as DNS has it (RFC 1035, section 5.1)
		return word, "", nil
	}
	name = hostIn(word)
	if name == "" && word != "" {
		return "", "", fmt.Errorf("%q has no name in it", word)
	}
	if addr, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil {
		if name == word {
			return word, fmt.Sprintf("%s is an address, asked for as if it were a name; for its name write %s%s", addr, reverse, addr), nil
		}
		return "", "", fmt.Errorf("%q has no name in it, but an address; for its name write %s%s", word, reverse, addr)
	}
	if name != word {
		note = fmt.Sprintf("asking for the name in %q", word)
	}
	if strings.IndexFunc(name, func(r rune) bool { return r >= 0x80 }) < 0 {
		return name, note, nil
	}
	if !utf8.ValidString(name) {
		return "", "", fmt.Errorf("%q cannot be written in ASCII: it is not in UTF-8", word)
	}
	ascii, err := toASCII.ToASCII(name)
	if err != nil {
		return "", "", fmt.Errorf("%q cannot be written in ASCII: %w", name, err)
	}
	return ascii, fmt.Sprintf("asking for %s, the ASCII form of %q", ascii, word), nil
}

// hostIn removes from a word what cannot belong to a name.
func hostIn(word string) string {
	s := strings.TrimRight(strings.TrimSpace(word), ",;")
	for _, pair := range []string{"<>", `""`, "''"} {
		if len(s) > 2 && s[0] == pair[0] && s[len(s)-1] == pair[1] {
			s = s[1 : len(s)-1]
		}
	}
	_, rest, url := strings.Cut(s, "://")
	if !url {
		rest, url = strings.CutPrefix(s, "//")
	}
	if url {
		s = rest
	}
	// Zones of less than 256 addresses have a slash in their names (RFC 2317, section 4).
	if i := strings.IndexAny(s, "/?#"); i >= 0 && (url || i > 0 && !dns.IsSubDomain("arpa.", dns.CanonicalName(s))) {
		s = s[:i]
	}
	user := strings.LastIndexByte(s, '@')
	s = s[user+1:]
	if _, err := netip.ParseAddr(s); err == nil {
		return s
	}
	if i := strings.LastIndexByte(s, ':'); i >= 0 && (url || user >= 0 || strings.Trim(s[i+1:], "0123456789") == "") {
		s = s[:i]
	}
	return s
}
