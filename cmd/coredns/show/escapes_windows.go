package show

import (
	"os"

	"golang.org/x/sys/windows"
)

// escapes makes a console understand escape sequences, and reports whether it does.
func escapes(f *os.File) bool {
	var mode uint32
	console := windows.Handle(f.Fd())
	return os.Getenv("TERM") != "dumb" && windows.GetConsoleMode(console, &mode) == nil &&
		windows.SetConsoleMode(console, mode|windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING) == nil
}
