package web

import (
	"errors"
	"html"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// openers open a file as the person's desktop does.
var openers = map[string][]string{
	"windows": {"rundll32", "url.dll,FileProtocolHandler"},
	"darwin":  {"open"},
}

// browse has the person's browser show a page. All users of a machine can see the arguments of its
// programs, and so the token; so the browser is given a file that leads there, which others cannot
// read. It is in the home directory, for some browsers can read no other. Forget removes it.
func browse(address string, user int) (forget func(), err error) {
	forget = func() {}
	command := openers[runtime.GOOS]
	switch {
	case user == 0:
		return forget, errors.New("it would run as root")
	case command == nil && os.Getenv("DISPLAY") == "" && os.Getenv("WAYLAND_DISPLAY") == "":
		return forget, errors.New("there is no desktop")
	case command == nil:
		command = []string{"xdg-open"}
	}
	program, err := exec.LookPath(command[0])
	if err != nil {
		return forget, err
	}
	file, forget, err := leading(address)
	if err != nil {
		return forget, err
	}
	c := exec.Command(program, append(command[1:], file)...)
	c.SysProcAttr = detached() // Ctrl-C is not for the browser
	if err := c.Start(); err != nil {
		return forget, err
	}
	go c.Wait()
	return forget, nil
}

// leading makes a file that leads to an address, and returns its URL.
func leading(address string) (file string, forget func(), err error) {
	forget = func() {}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", forget, err
	}
	dir, err := os.MkdirTemp(home, "dnsmus-top-")
	if err != nil {
		return "", forget, err
	}
	forget = func() { os.RemoveAll(dir) }
	path := filepath.Join(dir, "top.html")
	text := `<!doctype html><meta http-equiv="refresh" content="0;url=` + html.EscapeString(address) + `"><title>dnsmus top</title>`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return "", forget, err
	}
	path = filepath.ToSlash(path)
	if path[0] != '/' { // it begins with a drive
		path = "/" + path
	}
	return (&url.URL{Scheme: "file", Path: path}).String(), forget, nil
}
