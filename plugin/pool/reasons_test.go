package pool

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/server"
)

// The text of an extended error is UTF-8, also where it is cut.
func TestExtendedErrorIsText(t *testing.T) {
	s, err := server.Parse("192.0.2.1")
	if err != nil {
		t.Fatal(err)
	}
	for _, char := range []string{"x", "é", "€", "𝄞"} {
		for lead := range 4 {
			why := errors.New(strings.Repeat("x", lead) + strings.Repeat(char, 300))
			_, text := (&Result{Members: []*Member{{Server: s}}, Result: race.Result{Errs: []error{why}}}).ExtendedError()
			cut, dots := strings.CutSuffix(text, "...")
			if !utf8.ValidString(text) || !dots || len(cut) > maxExtraText || len(cut) < maxExtraText-utf8.UTFMax+1 {
				t.Errorf("%d bytes %q", len(text), text)
			}
		}
	}
}
