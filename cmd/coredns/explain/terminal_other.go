//go:build !linux && !darwin && !freebsd

package explain

import "os"

// terminalSize knows no terminals: output is plain.
func terminalSize(*os.File) (width, height int, terminal bool) { return 0, 0, false }
