package testkit

import (
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestOtherPorts prints ports that it may have, as another run does, if TestPorts runs it.
func TestOtherPorts(t *testing.T) {
	if os.Getenv("PORTS") == "" {
		return
	}
	for range 2 * blockPorts {
		os.Stdout.WriteString("port " + nextAddr() + "\n")
	}
}

// No port is given to two runs that go on at a time, though nobody listens there yet.
func TestPorts(t *testing.T) {
	ours := make(map[string]bool)
	for range blockPorts {
		addr := nextAddr()
		if ours[addr] {
			t.Fatalf("%s twice", addr)
		}
		ours[addr] = true
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestOtherPorts$")
	cmd.Env = append(os.Environ(), "PORTS=1", "TMPDIR="+t.TempDir())
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	theirs := 0
	for line := range strings.Lines(string(out)) {
		if addr, ok := strings.CutPrefix(strings.TrimSpace(line), "port "); ok {
			theirs++
			if ours[addr] {
				t.Errorf("%s is given to two", addr)
			}
		}
	}
	if theirs != 2*blockPorts {
		t.Errorf("%d ports:\n%s", theirs, out)
	}
	udp, tcp := Listen(t)
	defer udp.Close()
	defer tcp.Close()
	if udp.LocalAddr().(*net.UDPAddr).Port != tcp.Addr().(*net.TCPAddr).Port {
		t.Errorf("%s and %s", udp.LocalAddr(), tcp.Addr())
	}
}
