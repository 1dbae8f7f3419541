package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"

	"github.com/dnsmus/dnsmus/plugin/printable"
)

const (
	daemonJSON   = "/etc/docker/daemon.json"
	dockerBridge = "172.17.0.1" // Docker's own, unless it is told otherwise
	dockerPublic = "8.8.8.8 and 8.8.4.4"
)

// docker looks whom containers ask.
func docker(_ context.Context, m *machine) (f found, err error) {
	if runtime.GOOS != "linux" {
		f.saw("not looked at on this system")
		return f, nil
	}
	if !m.exists("/usr/bin/dockerd") && !m.exists("/run/docker.sock") && !m.exists(daemonJSON) {
		f.saw("there is no Docker")
		return f, nil
	}
	var set struct {
		DNS    []string `json:"dns"`
		Bridge string   `json:"bip"`
	}
	text, err := m.read(daemonJSON)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return f, err
	case strings.TrimSpace(text) != "":
		if err := json.Unmarshal([]byte(text), &set); err != nil {
			return f, fmt.Errorf("%s: %w", daemonJSON, err)
		}
	}
	bridge := dockerBridge
	if p, err := netip.ParsePrefix(set.Bridge); err == nil {
		bridge = p.Addr().String()
	}
	mend := fmt.Sprintf(`have dnsmus listen on %[1]s too ('bind' of the Corefile), and write "dns": ["%[1]s"] in %s`, bridge, daemonJSON)
	if m.takesAt(bridge) {
		mend = fmt.Sprintf(`write "dns": ["%s"] in %s, then run: sudo systemctl restart docker`, bridge, daemonJSON)
	}
	if len(set.DNS) > 0 {
		f.saw("dns of " + daemonJSON + ": " + printable.And(set.DNS))
		if _, _, err := m.running(); err != nil {
			return f, err
		}
		if others := slices.DeleteFunc(slices.Clone(set.DNS), m.takesAt); len(others) > 0 {
			f.add(fmt.Sprintf("Docker has containers ask %s, which is not dnsmus.", printable.And(others)), mend, daemonJSON+": \"dns\": "+quoted(set.DNS))
		}
		return f, nil
	}
	conf, err := m.resolvConf()
	if err != nil {
		return f, nil // of which another check tells
	}
	f.saw("Docker takes the nameservers of " + resolvConfPath)
	if len(conf.servers) == 1 && conf.servers[0] == resolvedStub {
		if text, err := m.read(resolvedDir + "/resolv.conf"); err == nil {
			conf = parseResolvConf(text) // which Docker then reads in its place
		}
	}
	loops := func(addr string) bool { a, err := netip.ParseAddr(addr); return err == nil && a.IsLoopback() }
	if len(conf.servers) > 0 && !slices.ContainsFunc(conf.servers, func(s string) bool { return !loops(s) }) {
		f.add(fmt.Sprintf("Containers on Docker's default bridge ask %s: Docker puts these in place of nameservers that are loopback addresses.", dockerPublic), mend, nameserverLines(conf.servers)...)
	}
	return f, nil
}

// takesAt reports whether the server takes queries at an address, which is no loopback one, on port 53.
func (m *machine) takesAt(addr string) bool {
	listens := m.listens()
	return slices.Contains(listens, net.JoinHostPort(addr, "53")) || slices.Contains(listens, ":53")
}

func quoted(words []string) string {
	text, _ := json.Marshal(words) // words can be written
	return string(text)
}
