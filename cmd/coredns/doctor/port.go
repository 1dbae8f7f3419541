package doctor

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/dnsmus/dnsmus/plugin/printable"
)

// holder is who has a socket at port 53.
type holder struct {
	addr   netip.Addr
	stream bool
	inode  string
	pid    int    // 0: that may not be seen
	name   string // of the process; empty likewise
}

func (h *holder) String() string {
	over := "UDP"
	if h.stream {
		over = "TCP"
	}
	who := "a process that only root can see"
	if h.pid > 0 {
		who = fmt.Sprintf("%s (process %d)", h.name, h.pid)
	}
	return fmt.Sprintf("%s, port 53 over %s: %s", h.addr, over, who)
}

// port53 looks who answers at the addresses of this machine that programs ask.
func port53(ctx context.Context, m *machine) (f found, err error) {
	if runtime.GOOS != "linux" {
		f.saw("not looked at on this system")
		return f, nil
	}
	holders, err := m.holders()
	if err != nil {
		return f, err
	}
	for i := range holders {
		f.saw(holders[i].String())
	}
	conf, err := m.resolvConf()
	if err != nil {
		return f, nil // of which another check tells
	}
	ways, _ := m.ways(ctx) // an error of which another check tells
	for _, server := range conf.servers {
		addr, err := netip.ParseAddr(server)
		if err != nil || !addr.IsLoopback() {
			continue
		}
		var lines []string
		held := [2]bool{} // over UDP, over TCP
		for i := range holders {
			if h := &holders[i]; h.takes(addr) {
				lines = append(lines, h.String())
				held[index(h.stream)] = true
			}
		}
		leads := slices.ContainsFunc(ways, func(w way) bool { return w.via == server && w.leads })
		passed := slices.ContainsFunc(ways, func(w way) bool { return w.via == server && !w.leads })
		switch {
		case !held[0] && !held[1]:
			f.add(fmt.Sprintf("Programs ask %s, and nobody listens there.", server), "sudo systemctl start dnsmus, or "+m.leadHere(), "nameserver "+server)
		case !held[0] || !held[1]:
			over := [2]string{"UDP", "TCP"}[index(held[0])]
			f.add(fmt.Sprintf("Programs ask %s, where nobody listens over %s.", server, over), "start what listens there anew, and look into its log", lines...)
		case passed && !leads && !m.isOurs(holders, addr):
			f.add(fmt.Sprintf("Programs ask %s, where dnsmus does not listen, but %s, which does not ask it.", server, printable.And(names(holders, addr))), m.leadHere(), lines...)
		}
	}
	return f, nil
}

func index(b bool) int {
	if b {
		return 1
	}
	return 0
}

// takes reports whether what is sent to an address comes to a socket.
func (h *holder) takes(addr netip.Addr) bool {
	return h.addr == addr || h.addr.IsUnspecified() && (h.addr.Is4() == addr.Is4() || h.addr.Is6())
}

// isOurs reports whether the server has a socket there.
func (m *machine) isOurs(holders []holder, addr netip.Addr) bool {
	return m.state != nil && slices.ContainsFunc(holders, func(h holder) bool { return h.takes(addr) && h.pid == m.state.PID })
}

// names are those of the processes that have a socket there.
func names(holders []holder, addr netip.Addr) (all []string) {
	for _, h := range holders {
		if h.takes(addr) && h.name != "" && !slices.Contains(all, h.name) {
			all = append(all, h.name)
		}
	}
	if len(all) == 0 {
		return []string{"another process"}
	}
	return all
}

// holders are those of all sockets at port 53 (proc_pid_net(5)).
func (m *machine) holders() (all []holder, err error) {
	missing := 0
	files := []string{"udp", "udp6", "tcp", "tcp6"}
	for _, name := range files {
		text, err := m.read("/proc/net/" + name)
		switch {
		case errors.Is(err, fs.ErrNotExist): // as udp6 without IPv6
			missing++
			continue
		case err != nil:
			return nil, err
		}
		all = append(all, parseSockets(text, strings.HasPrefix(name, "tcp"))...)
	}
	if missing == len(files) {
		return nil, errors.New("there is no /proc/net")
	}
	if len(all) > 0 {
		m.findProcesses(all)
	}
	return all, nil
}

// parseSockets reads a table of sockets, and returns those that listen at port 53.
func parseSockets(text string, stream bool) (all []holder) {
	const listens, unconnected = "0A", "07"
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 10 || stream && f[3] != listens || !stream && f[3] != unconnected {
			continue
		}
		words, port, _ := strings.Cut(f[1], ":")
		if n, err := strconv.ParseUint(port, 16, 16); err != nil || n != 53 {
			continue
		}
		if addr, ok := procAddr(words); ok {
			all = append(all, holder{addr: addr, stream: stream, inode: f[9]})
		}
	}
	return all
}

// procAddr reads an address as words of 32 bits in the byte order of the machine.
func procAddr(text string) (netip.Addr, bool) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b)%4 != 0 {
		return netip.Addr{}, false
	}
	for i := 0; i < len(b); i += 4 {
		binary.NativeEndian.PutUint32(b[i:], binary.BigEndian.Uint32(b[i:]))
	}
	addr, ok := netip.AddrFromSlice(b)
	return addr.Unmap(), ok
}

// findProcesses finds whose the sockets are, as far as the user may see that.
func (m *machine) findProcesses(all []holder) {
	for _, path := range m.glob("/proc/[0-9]*/fd/*") {
		to, err := os.Readlink(m.root + path)
		inode, is := strings.CutPrefix(to, "socket:[")
		if err != nil || !is {
			continue
		}
		inode = strings.TrimSuffix(inode, "]")
		for i := range all {
			if h := &all[i]; h.inode == inode && h.pid == 0 {
				dir := filepath.Dir(filepath.Dir(path))
				h.pid, _ = strconv.Atoi(filepath.Base(dir))
				name, _ := m.read(dir + "/comm")
				h.name = strings.TrimSpace(name)
			}
		}
	}
}
