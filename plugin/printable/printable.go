// Package printable makes text that others write fit to be shown, in a log, a reply or on a
// terminal: what upstreams put into certificates, errors and replies, and what other programs of
// this machine call their interfaces. That is used where such text comes in.
// It also has the lists, times and response codes of sentences, for servers and commands alike.
package printable

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxShort is how many bytes of a text are enough to tell what is wrong.
const maxShort = 300

// Text returns text on one line, without what is not printable: control characters, those that
// change the direction of writing, and bytes that are no UTF-8. Question marks stand in their
// places.
func Text(text string) string { return strings.Map(shownAs, text) }

func shownAs(r rune) rune {
	switch {
	case ' ' <= r && r <= '~':
		return r
	case r == '\t':
		return ' '
	case r == utf8.RuneError || !unicode.IsPrint(r):
		return '?'
	}
	return r
}

// ASCII returns what Text does, in printable ASCII alone: for what others may show on a terminal,
// in a page or by a script.
func ASCII(text string) string {
	if isPlain(text) {
		return text
	}
	return strings.Map(func(r rune) rune {
		if r = shownAs(r); r > '~' {
			return '?'
		}
		return r
	}, text)
}

// isPlain reports whether text is printable ASCII.
func isPlain(text string) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' {
			return false
		}
	}
	return true
}

// Name returns a domain name in which each byte outside of printable ASCII is written as \DDD, as
// in zone files (RFC 1035, section 5.1). So are blanks, or one name might look like two.
func Name(name string) string {
	if isPlain(name) && !strings.Contains(name, " ") {
		return name
	}
	var b strings.Builder
	for i := range len(name) {
		if c := name[i]; ' ' < c && c <= '~' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, `\%03d`, c)
		}
	}
	return b.String()
}

// Short returns what Text does, if need be cut.
func Short(text string) string { return Cut(Text(text), maxShort) }

// Cut returns text, or its beginning and dots.
func Cut(text string, limit int) string {
	if begin := Begin(text, limit); begin != text {
		return begin + "..."
	}
	return text
}

// Begin returns the first characters of text, as many as are within limit bytes.
func Begin(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	return text[:limit]
}

// Error returns err with a text that can be shown, and is not long.
func Error(err error) error {
	if err == nil {
		return nil
	}
	before := err.Error()
	if text := Short(before); text != before {
		return shown{err, text}
	}
	return err
}

// shown is an error with another text.
type shown struct {
	error
	text string
}

func (s shown) Error() string { return s.text }
func (s shown) Unwrap() error { return s.error }
