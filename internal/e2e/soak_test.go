//go:build linux

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

// soakTime is how long TestSoak runs; the environment variable SOAK, such as
// 10m, overrides it.
const soakTime = 15 * time.Second

// TestSoak races five upstreams under all faults at once, while the address that
// queries come from changes every few seconds. One upstream alone knows the
// names asked for. It loses packets, but it is up and speaks TCP: so not one
// answer may be missing.
func TestSoak(t *testing.T) {
	duration := soakTime
	if s := os.Getenv("SOAK"); s != "" {
		d, err := time.ParseDuration(s)
		if err != nil {
			t.Fatal(err)
		}
		duration = d
	}
	testkit.Long(t)
	if end, ok := t.Deadline(); ok && time.Until(end) < duration+2*time.Minute {
		t.Fatalf("SOAK=%v needs go test -timeout %v, or more", duration, duration+5*time.Minute)
	}
	client := newLab(t, "gcc", "iptables")
	server := addLab(t)
	join(client, server, "10.9.0.100/24", "10.9.0.1/24")
	link := client.linkTo(server)
	serverLink := server.linkTo(client)
	client.run("sh", "-c", "echo 1 >/proc/sys/net/ipv4/conf/all/promote_secondaries")

	var servers []string
	for i, role := range []string{"denies", "knows", "flaps", "babbles", "silent"} {
		addr := fmt.Sprintf("10.9.0.%d", 11+i)
		server.run("ip", "addr", "add", addr+"/24", "dev", serverLink)
		server.start("env", "SOAK_ROLE="+role, "SOAK_ADDR="+addr+":53", os.Args[0])
		servers = append(servers, addr)
	}
	client.resolvConf(servers...)

	p := client.start(testkit.Binary(t, "-race"), "-conf", client.write("Corefile", `.:5553 {
		bind 127.0.0.1
		dnsmus resolv.conf.dnsmus {
			control `+filepath.Join(client.dir, "control")+`
		}
		prometheus 127.0.0.1:9153
		errors
	}`)).awaits("@127.0.0.1 -p 5553 ready.known.example")

	result := client.write("result.json", "")
	load := client.start("env", "SOAK_TIME="+duration.String(), "SOAK_RESULT="+result, os.Args[0])
	at := 0 // the client's address
	for i := 0; ; i++ {
		select {
		case <-load.Done():
			soakReport(t, client, p, result)
			return
		case <-time.After(2 * time.Second):
		}
		soakFault(client, i, servers[1])
		if soakFaults[i/2%len(soakFaults)] != "" {
			continue // one thing at a time befalls the only way that is left
		}
		// The new address comes before the old one goes, as in a roaming network.
		from, to := fmt.Sprintf("10.9.0.%d/24", 100+at%100), fmt.Sprintf("10.9.0.%d/24", 100+(at+1)%100)
		client.run("ip", "addr", "add", to, "dev", link)
		client.run("ip", "addr", "del", from, "dev", link)
		at++
	}
}

// soakFaults are what befalls the packets to the upstream that knows, one after
// another. TCP always gets through: UDP alone, of which it loses a fifth anyway, would
// lose some queries for good.
var soakFaults = []string{
	"",
	"-p udp --dport 53 -j DROP", // here, so that sending fails
	"",
	"-p udp --dport 53 -j REJECT",
	"-p udp --dport 53 -m statistic --mode random --probability 0.3 -j DROP",
}

// soakFault puts the i-th fault into the place of the one before, each for a few
// seconds.
func soakFault(l *lab, i int, to string) {
	l.Helper()
	l.run("iptables", "-F", "OUTPUT")
	if rule := soakFaults[i/2%len(soakFaults)]; rule != "" {
		l.run(append([]string{"iptables", "-A", "OUTPUT", "-d", to}, strings.Fields(rule)...)...)
	}
}

// soakResult is what the client saw: who did not get a good answer got a wrong one, or
// none.
type soakResult struct {
	Queries, Good, Wrong int
	Bad                  []string
}

func soakReport(t *testing.T, l *lab, p *process, result string) {
	text, err := os.ReadFile(result)
	if err != nil {
		t.Fatal(err)
	}
	var r soakResult
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	t.Logf("%d queries, %d good", r.Queries, r.Good)
	if r.Queries == 0 || r.Good != r.Queries {
		t.Errorf("of %d queries %d were answered wrongly and %d not at all: %q", r.Queries, r.Wrong, r.Queries-r.Good-r.Wrong, r.Bad)
	}
	if strings.Contains(p.Printed(), "DATA RACE") {
		t.Error("the race detector has found something")
	}
	// While queries are asked, ports and streams are as many as faults make them. When all
	// has been answered or given up, few are left, whatever had been.
	l.eventually(func() error {
		fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.Pid()))
		if err != nil {
			return err
		}
		goroutines := l.metric("127.0.0.1:9153", "go_goroutines")
		heap := l.metric("127.0.0.1:9153", "go_memstats_next_gc_bytes")
		if len(fds) > 60 || goroutines > 60 || heap > 100e6 {
			return fmt.Errorf("%d file descriptors, %.0f goroutines, a heap of %.0f bytes are left", len(fds), goroutines, heap)
		}
		t.Logf("left are %d file descriptors, %.0f goroutines, a heap of %.0f MB", len(fds), goroutines, heap/1e6)
		return nil
	})
	if denials := l.metric("127.0.0.1:9153", "coredns_dnsmus_wrong_denials_total"); denials > 0 {
		t.Errorf("%.0f names were denied that an upstream knew", denials)
	}
}

// soakPart runs the test binary as a part of TestSoak, a program in one of its
// namespaces, if the environment says so.
func soakPart() (isPart bool, err error) {
	switch {
	case os.Getenv("SOAK_ROLE") != "":
		return true, soakResolver(os.Getenv("SOAK_ROLE"), os.Getenv("SOAK_ADDR"))
	case os.Getenv("SOAK_RESULT") != "":
		return true, soakClient(os.Getenv("SOAK_TIME"), os.Getenv("SOAK_RESULT"))
	}
	return false, nil
}

// soakClient asks for names that one resolver knows, and writes what it saw.
func soakClient(howLong, result string) error {
	duration, err := time.ParseDuration(howLong)
	if err != nil {
		return err
	}
	start := time.Now()
	var (
		mu  sync.Mutex
		sum soakResult
		all sync.WaitGroup
	)
	for worker := range 20 {
		all.Go(func() {
			for i := 0; time.Since(start) < duration; i++ {
				m := new(dns.Msg)
				m.SetQuestion(fmt.Sprintf("w%dq%d.known.example.", worker, i), dns.TypeA)
				m.SetEdns0(1232, false)
				c := dns.Client{Timeout: 10 * time.Second}
				if i%10 == 9 {
					c.Net = "tcp"
				}
				r, took, err := c.Exchange(m, "127.0.0.1:5553")
				mu.Lock()
				sum.Queries++
				good := err == nil && len(r.Answer) == 1 && strings.HasSuffix(r.Answer[0].String(), "\t192.0.2.1")
				if good {
					sum.Good++
				} else if err == nil {
					sum.Wrong++
				}
				if !good && len(sum.Bad) < 20 {
					sum.Bad = append(sum.Bad, fmt.Sprintf("after %v of %v: %v %v", took, time.Since(start), err, r))
				}
				mu.Unlock()
				time.Sleep(time.Duration(rand.IntN(100)) * time.Millisecond)
			}
		})
	}
	all.Wait()
	text, err := json.Marshal(sum)
	if err != nil {
		return err
	}
	return os.WriteFile(result, text, 0o644)
}

// soakResolver is a resolver with a role, until its parent ends it.
func soakResolver(role, addr string) error {
	start := time.Now()
	handler := dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg)
		m.SetRcode(q, dns.RcodeNameError)
		_, udp := w.RemoteAddr().(*net.UDPAddr)
		lost := func(percent int) bool { return udp && rand.IntN(100) < percent }
		switch role {
		case "knows":
			m.SetReply(q)
			m.Answer = []dns.RR{&dns.A{
				Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 60},
				A:   net.IPv4(192, 0, 2, 1),
			}}
			time.Sleep(time.Duration(rand.IntN(40)) * time.Millisecond)
			switch n := rand.IntN(100); {
			case lost(20):
				return
			case n == 0 && udp: // somebody guesses
				m.Id++
			case n == 1 && udp:
				m.Answer, m.Truncated = nil, true
			case n == 2 && !udp: // it hangs up, and is asked again
				w.WriteMsg(m)
				w.Close()
				return
			}
		case "flaps":
			if time.Since(start)/(3*time.Second)%2 == 1 {
				return
			}
			m.Rcode = dns.RcodeServerFailure
		case "babbles":
			b := make([]byte, 1+rand.IntN(100))
			for i := range b {
				b[i] = byte(rand.Uint32())
			}
			w.Write(b)
			if packed, err := m.Pack(); err == nil {
				packed[rand.IntN(len(packed))]++
				w.Write(packed)
				w.Write(bytes.Repeat(packed[:12], 3))
			}
		case "silent":
			return
		}
		w.WriteMsg(m)
	})
	failed := make(chan error)
	for _, network := range []string{"udp", "tcp"} {
		go func() { failed <- (&dns.Server{Addr: addr, Net: network, Handler: handler}).ListenAndServe() }()
	}
	return <-failed
}
