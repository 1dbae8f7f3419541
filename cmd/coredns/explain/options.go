package explain

import (
	"errors"
	"flag"
	"fmt"
	"strconv"
	"strings"

	"github.com/dnsmus/dnsmus/plugin/option"
)

// addOptions defines the flags that set what a stanza can set.
func addOptions(f *flag.FlagSet, v *option.Values) {
	for _, o := range option.Table {
		switch {
		case o.Flag == "":
		case o.Args == "":
			f.BoolFunc(o.Flag, "", func(s string) error {
				on, err := strconv.ParseBool(s)
				if err != nil || !on {
					return err
				}
				return o.Set(v, nil, option.Reader{})
			})
		default:
			f.Func(o.Flag, "", func(s string) error { return flagError(o.Set(v, []string{s}, option.Reader{})) })
		}
	}
}

// flagError says what is wrong with an argument to somebody who is shown it
// anyhow.
func flagError(err error) error {
	var bad *option.ArgError
	switch {
	case !errors.As(err, &bad):
		return err
	case bad.Remedy != "":
		return errors.New(bad.Remedy)
	}
	return errors.New("it " + bad.Is)
}

const (
	helpColumn = 24 // where descriptions stand
	helpWidth  = 79
)

// optionsHelp describes the flags of addOptions.
func optionsHelp() string {
	var b strings.Builder
	for _, o := range option.Table {
		if o.Flag == "" {
			continue
		}
		about := o.About
		arg, several := strings.CutSuffix(o.Args, "...")
		if several {
			about += "; may be given again"
		}
		if o.Default != "" {
			about += " (default " + o.Default + ")"
		}
		line := strings.TrimRight("  --"+o.Flag+" "+arg, " ")
		if len(line) >= helpColumn {
			b.WriteString(line + "\n")
			line = ""
		}
		line = fmt.Sprintf("%-*s", helpColumn-1, line)
		for _, word := range strings.Fields(about) {
			if len(line)+1+len(word) > helpWidth {
				b.WriteString(line + "\n")
				line = strings.Repeat(" ", helpColumn-1)
			}
			line += " " + word
		}
		b.WriteString(line + "\n")
	}
	return b.String()
}
