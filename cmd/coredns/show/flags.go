package show

import (
	"flag"
	"fmt"
	"strings"

	"github.com/dnsmus/dnsmus/plugin/option"
)

// Words reads a command line by f, and calls each with its words that are no flags, which may
// stand anywhere, in order. What comes after -- is no flag.
func Words(f *flag.FlagSet, args []string, each func(word string) error) error {
	for flags := true; len(args) > 0; {
		if flags {
			if err := f.Parse(args); err != nil {
				return meant(f, err)
			}
			rest := f.Args()
			if n := len(args) - len(rest); n > 0 && args[n-1] == "--" {
				flags = false
			}
			if args = rest; len(args) == 0 {
				break
			}
		}
		if err := each(args[0]); err != nil {
			return err
		}
		args = args[1:]
	}
	return nil
}

// meant adds to an error about a flag that there is not, which was likely meant.
func meant(f *flag.FlagSet, err error) error {
	name, unknown := strings.CutPrefix(err.Error(), "flag provided but not defined: -")
	if !unknown {
		return err
	}
	var all []string
	f.VisitAll(func(f *flag.Flag) { all = append(all, f.Name) })
	if nearest, found := option.Nearest(name, all); found {
		return fmt.Errorf("unknown option -%s, perhaps -%s", name, nearest)
	}
	return fmt.Errorf("unknown option -%s", name)
}
