package doctor

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

// manager is NetworkManager's object on a bus.
type manager map[string]dbus.Variant

// Get is org.freedesktop.DBus.Properties's.
func (m manager) Get(_, property string) (dbus.Variant, *dbus.Error) {
	v, ok := m[property]
	if !ok {
		return v, dbus.NewError("org.freedesktop.DBus.Error.InvalidArgs", nil)
	}
	return v, nil
}

// What NetworkManager says is had over a real bus.
func TestConnectivity(t *testing.T) {
	testkit.Need(t, false, "dbus-daemon")
	dir, err := os.MkdirTemp("", "bus") // short: the path of a socket has 107 bytes at most
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	address := "unix:path=" + filepath.Join(dir, "socket")
	if _, _, err := connectivity(t.Context(), address); !errors.Is(err, errNoManager) {
		t.Errorf("there is no bus: %v", err)
	}
	conf := filepath.Join(dir, "conf")
	const config = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>%s</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/></policy></busconfig>`
	if err := os.WriteFile(conf, fmt.Appendf(nil, config, address), 0o644); err != nil {
		t.Fatal(err)
	}
	bus := exec.Command("dbus-daemon", "--nofork", "--nopidfile", "--config-file="+conf)
	bus.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := bus.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { bus.Process.Kill(); bus.Wait() })
	testkit.Eventually(t, func() error {
		conn, err := net.Dial("unix", filepath.Join(dir, "socket"))
		if err == nil {
			conn.Close()
		}
		return err
	})
	testkit.Eventually(t, func() error {
		if _, _, err := connectivity(t.Context(), address); !errors.Is(err, errNoManager) {
			return fmt.Errorf("nobody has the name: %v", err)
		}
		return nil
	})

	conn, err := dbus.Connect(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	portal := dbus.MakeVariant(uint32(connectivityPortal))
	says := func(m manager) {
		t.Helper()
		if err := conn.Export(m, "/org/freedesktop/NetworkManager", "org.freedesktop.DBus.Properties"); err != nil {
			t.Fatal(err)
		}
	}
	says(manager{"Connectivity": portal})
	if _, err := conn.RequestName("org.freedesktop.NetworkManager", 0); err != nil {
		t.Fatal(err)
	}
	is := func(want string) {
		t.Helper()
		testkit.Eventually(t, func() error {
			state, uri, err := connectivity(t.Context(), address)
			if got := fmt.Sprintf("%d %q %v", state, uri, err); got != want {
				return fmt.Errorf("%s, want %s", got, want)
			}
			return nil
		})
	}
	is(`2 "" <nil>`)
	says(manager{"Connectivity": portal, "ConnectivityCheckUri": dbus.MakeVariant("http://check.example/")})
	is(`2 "http://check.example/" <nil>`)
}
