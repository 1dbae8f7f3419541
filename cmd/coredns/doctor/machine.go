package doctor

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"time"

	"github.com/dnsmus/dnsmus/cmd/coredns/client"
	"github.com/dnsmus/dnsmus/plugin/control/api"
	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/source"
)

// machine is what a run looks at.
type machine struct {
	root string        // below which the files of the system are; "" is the system's own
	home string        // of the user, below root; empty: there is none
	port string        // at which resolvers are asked
	wait time.Duration // that they have to reply to one packet

	// The server that runs, and its state; absent says why there is none.
	server *client.Client
	state  *api.State
	absent error

	inventory  func() []source.Inventory // what the system says of resolvers
	values     option.Values             // how upstreams are asked
	interviews map[string]*interview     // by server block

	// output runs a program of the system, and returns what it prints.
	output func(ctx context.Context, program string, args ...string) (string, error)

	// connectivity asks NetworkManager.
	connectivity func(ctx context.Context) (state uint32, uri string, err error)

	tried *tried // ways by which programs ask; nil: not yet
}

// system is the machine that the command runs on.
func system() *machine { return newMachine("", homeOf()) }

// newMachine returns the machine whose files are below root.
func newMachine(root, home string) *machine {
	return &machine{root: root, home: home, port: "53", wait: askTime, inventory: inventory, values: option.Default(), output: output, connectivity: func(ctx context.Context) (uint32, string, error) {
		return connectivity(ctx, "")
	}}
}

// homeOf is the home of the user who runs this, also by way of sudo.
func homeOf() string {
	if name := os.Getenv("SUDO_USER"); name != "" && os.Geteuid() == 0 {
		if u, err := user.Lookup(name); err == nil {
			return u.HomeDir
		}
	}
	home, _ := os.UserHomeDir()
	return home
}

// running returns the server that runs, or why there is none.
func (m *machine) running() (*client.Client, *api.State, error) {
	if m.absent == nil && m.server == nil {
		return nil, nil, client.ErrNoneFound
	}
	return m.server, m.state, m.absent
}

// listens are the addresses at which the server takes plain DNS, such as "127.0.0.123:53" or
// ":53"; none if there is no server.
func (m *machine) listens() (all []string) {
	if m.state == nil {
		return nil
	}
	for _, s := range m.state.Servers {
		for _, l := range s.Listens {
			if !strings.Contains(l, "://") {
				all = append(all, l)
			}
		}
	}
	return all
}

// maxFile is how much of a file is read, in bytes.
const maxFile = 4 << 20

// read returns the text of a file.
func (m *machine) read(path string) (string, error) {
	path, err := m.target(path)
	if err != nil {
		return "", err
	}
	f, err := os.Open(m.root + path)
	if err != nil {
		return "", m.plain(err)
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return "", errors.New(path + " is no file")
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile))
	return string(text), m.plain(err)
}

// maxLinks is how many symbolic links are followed.
const maxLinks = 40

// target follows symbolic links from a path to what it stands for.
func (m *machine) target(path string) (string, error) {
	for range maxLinks {
		to, err := os.Readlink(m.root + path)
		if err != nil {
			return path, nil
		}
		if !filepath.IsAbs(to) {
			to = filepath.Join(filepath.Dir(path), to)
		}
		path = to
	}
	return "", errors.New(path + " leads nowhere: too many symbolic links")
}

// exists reports whether there is something at a path.
func (m *machine) exists(path string) bool {
	path, err := m.target(path)
	if err != nil {
		return false
	}
	_, err = os.Stat(m.root + path)
	return err == nil
}

// glob returns the paths that match a pattern of [filepath.Match].
func (m *machine) glob(pattern string) (paths []string) {
	all, _ := filepath.Glob(m.root + pattern) // the patterns are right
	for _, path := range all {
		paths = append(paths, strings.TrimPrefix(path, m.root))
	}
	return paths
}

// plain is an error with paths as the system has them.
func (m *machine) plain(err error) error {
	var of *fs.PathError
	if m.root != "" && errors.As(err, &of) {
		return &fs.PathError{Op: of.Op, Path: strings.TrimPrefix(of.Path, m.root), Err: of.Err}
	}
	return err
}

// programTime is how long a program of the system may take.
const programTime = 10 * time.Second

func output(ctx context.Context, program string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, programTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.WaitDelay = time.Second
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	text, err := cmd.Output()
	return string(text), err
}
