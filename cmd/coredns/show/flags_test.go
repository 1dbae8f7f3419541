package show

import (
	"flag"
	"io"
	"slices"
	"strings"
	"testing"
)

func TestUnknownFlags(t *testing.T) {
	for line, want := range map[string]string{
		"a -json b":        "a b",
		"--timeout 3s a":   "a",
		"a -- -json":       "a -json",
		"":                 "",
		"a --timout 3s":    "unknown option -timout, perhaps -timeout",
		"-jsn a":           "unknown option -jsn, perhaps -json",
		"a -nothing-like=": "unknown option -nothing-like",
		"a -timeout":       "flag needs an argument: -timeout",
		"-h":               flag.ErrHelp.Error(),
	} {
		f := flag.NewFlagSet("", flag.ContinueOnError)
		f.SetOutput(io.Discard)
		f.Usage = func() {}
		f.Bool("json", false, "")
		f.String("timeout", "", "")
		var words []string
		err := Words(f, strings.Fields(line), func(word string) error {
			words = append(words, word)
			return nil
		})
		if err != nil && err.Error() != want || err == nil && !slices.Equal(words, strings.Fields(want)) {
			t.Errorf("%q: %q, %v; want %q", line, words, err, want)
		}
	}
}
