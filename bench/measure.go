//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

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
