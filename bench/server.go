//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

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
