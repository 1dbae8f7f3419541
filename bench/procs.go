//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// child returns a command that dies with this process, and when ctx is done.
func child(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = 2 * time.Second
	return cmd
}

// self returns a command that runs one of this program's own processes.
func self(ctx context.Context, args ...string) (*exec.Cmd, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return child(ctx, exe, args...), nil
}

// runSelf does what a hidden subcommand says. It reports whether there is one.
func runSelf(args []string) (hidden bool, err error) {
	if len(args) > 1 {
		switch args[0] {
		case "fakes":
			return true, runFakes(args[1:])
		case "load":
			return true, runLoad(args[1:])
		}
	}
	return false, nil
}

// fakes is a process of fake upstreams.
type fakes struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	addrs []string
}

// startFakes starts one fake for each word; see parseFake.
func startFakes(ctx context.Context, specs ...string) (*fakes, error) {
	cmd, err := self(ctx, append([]string{"fakes"}, specs...)...)
	if err != nil {
		return nil, err
	}
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	f := &fakes{cmd: cmd, stdin: stdin}
	if err := json.NewDecoder(stdout).Decode(&f.addrs); err != nil {
		f.stop()
		return nil, fmt.Errorf("fakes: %w", err)
	}
	return f, nil
}

// wake makes those answer that sleep.
func (f *fakes) wake() error {
	_, err := f.stdin.Write([]byte{'\n'})
	return err
}

func (f *fakes) stop() {
	f.stdin.Close()
	f.cmd.Wait()
}

func (f *fakes) cpu() time.Duration { return cpuTime(f.cmd.Process.Pid) }

// server is a process under test.
type server struct {
	name  string
	addr  string
	cmd   *exec.Cmd
	log   bytes.Buffer
	pprof string // address of CoreDNS's pprof plugin; empty for others

	maxFDs     int    // as seen by watch
	goroutines series // likewise

	eventsRead, eventsLost atomic.Int64 // by readEvents: races, and how often some were lost
}

// engines are the ways to write CoreDNS's Corefile.
var engines = map[string]struct{ before, what, options string }{
	"forward":  {what: "forward ."},
	"dnsmus":   {what: "dnsmus"},
	"before":   {what: "dnsmus"},
	"bound":    {what: "dnsmus"},
	"over UDP": {what: "dnsmus", options: "\n\t\tprefer_udp"},
	"whoami":   {what: "whoami"},
	"packaged": {before: "\tlocal\n\terrors\n", what: "dnsmus", options: "\n\t\tcache\n\t\tlearn"},
	"told":     {before: "\tlocal\n\terrors\n", what: "dnsmus", options: "\n\t\tcache\n\t\tlearn\n\t\tcontrol SOCKET"},
	"watched":  {before: "\tlocal\n\terrors\n", what: "dnsmus", options: "\n\t\tcache\n\t\tlearn\n\t\tcontrol SOCKET"},
	"kept":     {what: "dnsmus", options: "\n\t\tcache"},
	"tells":    {what: "dnsmus", options: "\n\t\tlearn\n\t\tcontrol SOCKET"},
	"learn":    {what: "dnsmus", options: "\n\t\tlearn"},
	"prefer":   {what: "dnsmus", options: "\n\t\tlearn\n\t\tprefer order"},
	"away":     {before: "\tcache 1 {\n\t\tserve_stale 1h verify\n\t}\n", what: "dnsmus", options: "\n\t\tlearn\n\t\taway"},
}

// startServer starts a server that asks the given upstreams. It sends no query.
func (b *bench) startServer(e entry, upstreams []string) (*server, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	s := &server{name: e.String(), addr: addr}
	switch e.engine {
	case "dnsmasq":
		args := []string{
			"--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=",
			"--port=" + port, "--listen-address=" + host, "--bind-interfaces",
			"--no-resolv", "--no-hosts", "--cache-size=0", "--all-servers", "--dns-forward-max=20000",
		}
		for _, u := range upstreams {
			args = append(args, "--server="+strings.Replace(u, ":", "#", 1))
		}
		s.cmd = child(b.ctx, b.dnsmasq, args...)
	default:
		if s.pprof, err = freeAddr(); err != nil {
			return nil, err
		}
		way, ok := engines[e.engine]
		if !ok {
			return nil, fmt.Errorf("there is no engine %s", e.engine)
		}
		command := b.coredns
		if e.engine == "before" {
			command = b.before
		}
		if e.engine == "bound" {
			upstreams = slices.Clone(upstreams)
			for i, u := range upstreams {
				upstreams[i] = "[" + strings.Replace(u, ":", "%lo]:", 1)
			}
		}
		to, options := strings.Join(upstreams, " "), way.options
		if strings.Contains(to, "://") {
			options += fmt.Sprintf("\n\t\ttls %s\n\t\ttls_servername %s", filepath.Join(b.dir, certFile), certName)
		}
		options = strings.Replace(options, "SOCKET", s.socket(b.dir), 1)
		if options != "" {
			to += " {" + options + "\n\t}"
		}
		corefile := fmt.Sprintf("%s.:%s {\n\tbind %s\n\tpprof %s\n\t%s\n%s\t%s %s\n}\n", e.scheme, port, host, s.pprof, e.above, way.before, way.what, to)
		file := filepath.Join(b.dir, "Corefile."+port)
		if err := os.WriteFile(file, []byte(corefile), 0o644); err != nil {
			return nil, err
		}
		if b.wrap == nil {
			s.cmd = child(b.ctx, command, "-quiet", "-conf", file)
		} else {
			s.cmd = child(b.ctx, b.wrap[0], append(b.wrap[1:len(b.wrap):len(b.wrap)], command, "-quiet", "-conf", file)...)
			s.cmd.Env = append(os.Environ(), counting...)
		}
	}
	s.cmd.Stdout, s.cmd.Stderr = &s.log, &s.log
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	if err := s.awaits(); err != nil {
		s.stop()
		return nil, fmt.Errorf("%s: %w\n%s", s.name, err, s.log.String())
	}
	if e.engine == "watched" {
		return s, s.readEvents(s.socket(b.dir))
	}
	return s, nil
}

// socket is the control socket of s, if it has one.
func (s *server) socket(dir string) string {
	return filepath.Join(dir, "control."+strings.ReplaceAll(s.addr, ":", "."))
}

// awaits returns when s listens. All servers listen over TCP too, and asking
// that costs no query, which could teach a server something about its upstreams.
func (s *server) awaits() error {
	var err error
	for range 1000 { // under valgrind it takes seconds
		var conn net.Conn
		if conn, err = net.DialTimeout("tcp4", s.addr, time.Second); err == nil {
			conn.Close()
			time.Sleep(100 * time.Millisecond)
			return nil
		}
		time.Sleep(25 * time.Millisecond)
	}
	return err
}

// stop ends s, the hard way if it must.
func (s *server) stop() {
	s.cmd.Process.Signal(syscall.SIGTERM)
	kill := time.AfterFunc(10*time.Second, func() { s.cmd.Process.Kill() })
	defer kill.Stop()
	s.cmd.Wait()
}

// freeAddr finds a port that is free for UDP and TCP.
func freeAddr() (string, error) {
	for range 20 {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			return "", err
		}
		addr := l.Addr().String()
		conn, err := net.ListenPacket("udp4", addr)
		l.Close()
		if err == nil {
			conn.Close()
			return addr, nil
		}
	}
	return "", errors.New("no free port")
}

// result is a load and what it cost the server.
type result struct {
	tally
	load
	cpu, clientCPU, fakesCPU time.Duration
	switches                 int // of the server's threads
}

// micros is a processor time in microseconds an answered query.
func (r result) micros(cpu time.Duration) float64 {
	return float64(cpu.Nanoseconds()) / 1000 / float64(max(r.Answered, 1))
}

// maxLoad is how many queries of a socket a load leaves room for, so that the next asks
// for other names: caches must not know them.
const maxLoad = 1 << 17

// measure puts a load on s.
func (b *bench) measure(s *server, l load) (r result, err error) {
	l.Server, l.First = s.addr, b.first
	b.first = (b.first + maxLoad) % (1 << socketBits)
	spec, err := json.Marshal(l)
	if err != nil {
		return r, err
	}
	ctx, cancel := context.WithTimeout(b.ctx, l.For+l.Timeout+20*time.Second)
	defer cancel()
	cmd, err := self(ctx, "load", string(spec))
	if err != nil {
		return r, err
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	before, fakesBefore, switches := s.cpu(), b.fakes.cpu(), s.switches()
	if l.Clients == 0 {
		err = cmd.Run()
	} else {
		err = runCrowd(cmd, func() { before, fakesBefore = s.cpu(), b.fakes.cpu() })
	}
	if err != nil {
		return r, fmt.Errorf("load on %s: %w", s.name, err)
	}
	after, fakesAfter := s.cpu(), b.fakes.cpu()
	if before == 0 || after == 0 {
		return r, fmt.Errorf("%s died:\n%s", s.name, s.log.String())
	}
	if err := json.Unmarshal(out.Bytes(), &r.tally); err != nil {
		return r, err
	}
	r.load, r.switches = l, s.switches()-switches
	r.cpu, r.fakesCPU = after-before, fakesAfter-fakesBefore
	r.clientCPU = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return r, nil
}

// runCrowd runs the process of a crowd, and calls begin when all have their connections.
func runCrowd(cmd *exec.Cmd, begin func()) error {
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	cmd.Stderr = nil
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		if lines.Text() == connected {
			begin()
			stdin.Write([]byte{'\n'})
		} else {
			fmt.Fprintln(os.Stderr, lines.Text())
		}
	}
	return cmd.Wait()
}

// watch counts the file descriptors and goroutines of s until stop is called. It costs the server a little: not to be used while its
// processor time is measured.
func (s *server) watch() (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			case <-tick.C:
			}
			s.maxFDs = max(s.maxFDs, s.countFDs())
			if i%5 == 1 && s.pprof != "" {
				s.goroutines = append(s.goroutines, s.countGoroutines())
			}
		}
	}()
	return func() {
		close(done)
		<-ended
	}
}

func (s *server) countFDs() int {
	entries, err := os.ReadDir(s.proc("fd"))
	if err != nil {
		return 0
	}
	return len(entries)
}

// countGoroutines asks the pprof plugin, which unlike the prometheus plugin costs
// queries nothing.
func (s *server) countGoroutines() (n float64) {
	client := http.Client{Timeout: 5 * time.Second}
	resp, err := client.Get("http://" + s.pprof + "/debug/pprof/goroutine?debug=1")
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	fmt.Fscanf(resp.Body, "goroutine profile: total %g", &n)
	return n
}

func (s *server) cpu() time.Duration { return cpuTime(s.cmd.Process.Pid) }

// switches is how often threads of s gave up a processor, or lost one.
func (s *server) switches() (n int) {
	threads, _ := filepath.Glob(s.proc("task/*/status"))
	for _, file := range threads {
		text, _ := os.ReadFile(file)
		for line := range strings.Lines(string(text)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.HasSuffix(name, "voluntary_ctxt_switches") {
				count, _ := strconv.Atoi(strings.TrimSpace(value))
				n += count
			}
		}
	}
	return n
}

// peakRSS is the most memory that s had, in bytes.
func (s *server) peakRSS() int {
	f, err := os.Open(s.proc("status"))
	if err != nil {
		return 0
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), "VmHWM:"); ok {
			kb, _ := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(rest, "kB")))
			return kb << 10
		}
	}
	return 0
}

// overflows is how many packets the kernel threw away because s did not read
// its port in time. Such a query is lost before s has seen it.
func (s *server) overflows() int {
	host, port, _ := strings.Cut(s.addr, ":")
	ip := net.ParseIP(host).To4()
	n, _ := strconv.Atoi(port)
	local := fmt.Sprintf("%08X:%04X", binary.NativeEndian.Uint32(ip), n)
	f, err := os.Open("/proc/net/udp")
	if err != nil {
		return 0
	}
	defer f.Close()
	drops := 0
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if words := strings.Fields(lines.Text()); len(words) == 13 && words[1] == local {
			n, _ := strconv.Atoi(words[12])
			drops += n
		}
	}
	return drops
}

func (s *server) proc(file string) string {
	return fmt.Sprintf("/proc/%d/%s", s.cmd.Process.Pid, file)
}
