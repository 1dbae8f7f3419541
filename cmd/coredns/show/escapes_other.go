//go:build !windows

package show

import "os"

// escapes reports whether a terminal understands escape sequences.
func escapes(*os.File) bool {
	term := os.Getenv("TERM")
	return term != "" && term != "dumb"
}
