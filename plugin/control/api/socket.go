package api

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
)

// Packaged is the socket of the service that packages install, and of root.
func Packaged() string {
	switch runtime.GOOS {
	case "windows":
		return filepath.Join(os.Getenv("ProgramData"), "dnsmus", "control")
	case "darwin":
		return "/var/run/dnsmus/control"
	}
	return "/run/dnsmus/control"
}

// OwnWord is the argument of the option control that stands for the socket of [Own].
const OwnWord = "own"

// Default is the socket that the option control opens if it names none: in the directory that
// a service manager has made for the process (RUNTIME_DIRECTORY, systemd.exec(5)), that of the
// packages for root and on Windows, else that of [Own].
func Default() (string, error) {
	if dir := os.Getenv("RUNTIME_DIRECTORY"); filepath.IsAbs(dir) {
		return filepath.Join(filepath.SplitList(dir)[0], "control"), nil
	}
	if runtime.GOOS == "windows" || os.Geteuid() == 0 {
		return Packaged(), nil
	}
	return Own()
}

// Own is a socket named by the process's id in a directory of the user's own, so that each of
// several processes has one.
func Own() (string, error) {
	dir := own()
	if dir == "" {
		return "", errors.New("there is no directory for sockets of this user (XDG_RUNTIME_DIR is not set); name a socket, as in 'control /home/me/dnsmus/control'")
	}
	return filepath.Join(dir, strconv.Itoa(os.Getpid())), nil
}

// Places are where commands look for sockets, as patterns of [filepath.Match], in order.
func Places() []string {
	places := []string{Packaged()}
	if dir := own(); dir != "" {
		places = append(places, filepath.Join(dir, "*"))
	}
	return places
}

// own is the user's own directory for sockets; empty: there is none.
func own() string {
	dir := os.Getenv("XDG_RUNTIME_DIR")
	switch {
	case filepath.IsAbs(dir):
	case runtime.GOOS == "windows":
		dir = os.Getenv("LocalAppData")
	case os.Geteuid() == 0:
		return filepath.Dir(Packaged()) + "-root"
	case runtime.GOOS == "darwin": // where it is each user's own
		dir = os.Getenv("TMPDIR")
	}
	if !filepath.IsAbs(dir) {
		return ""
	}
	return filepath.Join(dir, "dnsmus")
}
