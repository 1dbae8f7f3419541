package doctor

import (
	"context"
	"strings"

	"github.com/dnsmus/dnsmus/plugin/control/api"
	"github.com/dnsmus/dnsmus/plugin/printable"
)

const (
	resolvedDir  = "/run/systemd/resolve"
	resolvedStub = "127.0.0.53"
)

// runsResolved reports whether systemd-resolved runs.
func (m *machine) runsResolved() bool { return m.exists(resolvedDir + "/io.systemd.Resolve") }

// asksResolved reports whether the C library asks systemd-resolved itself, before DNS.
func (m *machine) asksResolved() bool {
	for _, s := range m.hosts() {
		switch s.name {
		case "resolve":
			return true
		case "dns":
			return false
		}
	}
	return false
}

// byResolved asks systemd-resolved.
func (m *machine) byResolved(ctx context.Context, is *api.Reached) way {
	w := way{name: "systemd-resolved"}
	if text, err := m.read(resolvedDir + "/resolv.conf"); err == nil {
		if _, others := m.whose(parseResolvConf(text).servers); len(others) > 0 {
			w.via = printable.And(others)
		}
	}
	// The words of resolvectl stand beside others: "name: 198.18.1.1 -- link: eth0".
	text, err := m.output(ctx, "resolvectl", "--no-pager", "query", "resolved."+strings.TrimSuffix(is.Name, "."))
	return w.brought(text, err, is)
}
