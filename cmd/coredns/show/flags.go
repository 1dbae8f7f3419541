package show

import "flag"

// Words reads a command line by f, and calls each with its words that are no flags, which may
// stand anywhere, in order. What comes after -- is no flag.
func Words(f *flag.FlagSet, args []string, each func(word string) error) error {
	for flags := true; len(args) > 0; {
		if flags {
			if err := f.Parse(args); err != nil {
				return err
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
