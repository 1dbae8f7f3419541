package doctor

import (
	"context"
	"errors"
	"runtime"

	"github.com/dnsmus/dnsmus/cmd/coredns/show"
)

// Values of NetworkManager's property Connectivity (NMConnectivityState).
const (
	connectivityUnknown = iota
	connectivityNone
	connectivityPortal
	connectivityLimited
	connectivityFull
)

// errNoManager says that there is no NetworkManager.
var errNoManager = errors.New("NetworkManager does not run")

// portal looks whether a captive portal stands between this machine and the Internet.
func portal(ctx context.Context, m *machine) (f found, err error) {
	if runtime.GOOS != "linux" {
		f.saw("not looked at on this system")
		return f, nil
	}
	state, uri, err := m.connectivity(ctx)
	switch {
	case errors.Is(err, errNoManager):
		f.saw(err.Error() + ", so nobody looks for captive portals")
		return f, nil
	case err != nil:
		return f, err
	}
	words := map[uint32]string{connectivityNone: "none", connectivityPortal: "a portal", connectivityLimited: "limited", connectivityFull: "full"}
	word := words[state]
	if word == "" {
		word = "unknown"
	}
	line := "NetworkManager's Connectivity: " + word
	f.saw(line)
	mend := "open a page in a browser whose address begins with http://, and log in"
	if uri != "" {
		mend = "xdg-open " + show.Quoted(uri)
	}
	switch state {
	case connectivityPortal:
		f.add("A captive portal answers in place of the Internet: names may lead to it until you log in.", mend, line)
	case connectivityLimited:
		f.add("The network does not lead to the Internet.", "log in to the network, or leave it; then: nmcli networking connectivity check", line)
	}
	return f, nil
}
