package client

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/dnsmus/dnsmus/plugin/printable"
)

// Exit statuses of commands, of sysexits(3).
const (
	ExitUsage       = 64 // the command line is wrong
	ExitUnavailable = 69 // there is no server to ask, or several
	ExitOutput      = 74 // the output cannot be written
	ExitNoRights    = 77 // the socket may not be used
	ExitInterrupted = 130
)

// Error is why a server cannot be asked, and what to do about that.
type Error struct {
	Text   string
	Status int // that the command exits with
}

func (e *Error) Error() string { return e.Text }

// Status is the exit status for an error of this package.
func Status(err error) int {
	var e *Error
	if errors.As(err, &e) {
		return e.Status
	}
	return ExitUnavailable
}

// unreachable is why a connection could not be made.
func (c *Client) unreachable(err error) error {
	path := printable.ASCII(c.Path)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return &Error{Text: fmt.Sprintf("permission denied on %s: %s", path, remedy(c.Path)), Status: ExitNoRights}
	case errors.Is(err, fs.ErrNotExist):
		return c.failed("there is no socket at %s; does the server run, with the option control?", path)
	}
	return c.failed("no server answers at %s: %v", path, err)
}

// remedy says how a user gets at a socket.
func remedy(path string) string {
	if group := groupOf(path); group != "" && group != "root" {
		return fmt.Sprintf("run it with sudo, or join the group %s ('sudo usermod -aG %[1]s $USER', then log in again)", printable.ASCII(group))
	}
	return "run it with sudo"
}

func (c *Client) failed(format string, args ...any) error {
	return &Error{Text: printable.ASCII(fmt.Sprintf(format, args...)), Status: ExitUnavailable}
}
