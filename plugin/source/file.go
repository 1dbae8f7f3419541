package source

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// maxFile is the size in bytes of the largest file that is read.
const maxFile = 1 << 20

// File is the name of a file like resolv.conf(5), as a [Source] of its nameservers.
// One without nameservers is unusable.
type File string

// String implements [Source].
func (f File) String() string { return string(f) }

// files implements inFiles.
func (f File) files() []string { return []string{string(f)} }

// Read implements [Source].
func (f File) Read() (Reading, error) {
	text, modified, err := readFile(string(f))
	r := Reading{Modified: modified}
	if err != nil {
		return r, fmt.Errorf("cannot read upstreams: %w", err)
	}
	text = decode(text)
	servers, warnings, err := Parse(bytes.NewReader(text))
	if err == nil && len(servers) == 0 {
		err = f.noServers(warnings)
	}
	if err != nil {
		return r, err
	}
	r.Servers, r.Text, r.Open = servers, text, !bytes.HasSuffix(text, []byte("\n"))
	r.Warnings = WarnOfWriters(string(f))
	for _, w := range warnings {
		r.Warnings = append(r.Warnings, fmt.Sprintf("%s:%d: %s", f, w.Line, w.Text))
	}
	return r, nil
}

func (f File) noServers(warnings []Warning) error {
	detail := ""
	if len(warnings) > 0 {
		detail = " (" + warnings[0].String() + ")"
	}
	return fmt.Errorf("%s has no usable nameserver line%s; add one such as 'nameserver 192.0.2.1'", f, detail)
}

// readFile returns the content of a regular file, and when that was modified. Anything
// else, such as a pipe, could block for ever.
func readFile(name string) (text []byte, modified time.Time, err error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, modified, fmt.Errorf("%w; create it with lines such as 'nameserver 192.0.2.1'", err)
	case errors.Is(err, fs.ErrPermission):
		return nil, modified, fmt.Errorf("%w; make it readable for the user that CoreDNS runs as", err)
	case err != nil:
		return nil, modified, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, modified, err
	}
	modified = info.ModTime()
	if !info.Mode().IsRegular() {
		return nil, modified, fmt.Errorf("%s is not a regular file", name)
	}
	text, err = io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("%s is larger than %d MiB, too large for a resolv.conf", name, maxFile>>20)
	}
	return text, modified, err
}
