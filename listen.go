package dnsmus

import (
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"slices"
	"syscall"

	"github.com/coredns/caddy"
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/plugin"
	"github.com/coredns/coredns/plugin/pkg/reuseport"
	"github.com/coredns/coredns/plugin/pkg/transport"

	"github.com/dnsmus/dnsmus/plugin/handler"
)

// Why an address cannot be listened on. Windows has numbers of its own, and denies an address
// that another program has for itself.
var (
	taken   = []syscall.Errno{syscall.EADDRINUSE, 10048, 10013}
	denied  = []syscall.Errno{syscall.EACCES}
	missing = []syscall.Errno{syscall.EADDRNOTAVAIL, 10049}
)

// Share says whether an address may be shared with another process of the same user, as CoreDNS
// does in silence: here with a warning. In an update of pods the new one has to listen beside
// the old one. Otherwise somebody has started two servers by mistake, each of which gets some
// of the queries; so a command that has a flag for it should set it false.
var Share = true

// checkListen listens on the addresses of a server block as CoreDNS does in a moment, and
// ends that at once. CoreDNS would only repeat the system's word for what is wrong.
func checkListen(c *caddy.Controller) error {
	for _, key := range c.ServerBlockKeys {
		over, _, port, err := dnsserver.SplitProtocolHostPort(key)
		if err != nil {
			continue
		}
		for _, host := range dnsserver.GetConfig(c).ListenHosts {
			addr := net.JoinHostPort(host, port)
			err, more := alone.try(over, addr), ""
			if is(err, taken) && shared.try(over, addr) == nil {
				if Share {
					log.Warningf("Another program listens on %s as well, and gets some of the queries; %s tells which; stop one of the two, unless the other is about to end, as in an update of pods", addr, shows())
					continue
				}
				more = "; or share the address with it by -share, if it is about to end, as in an update of pods"
			}
			if err != nil {
				return plugin.Error(handler.Name, fmt.Errorf("%w%s%s", err, remedy(err), more))
			}
		}
	}
	return nil
}

// binding is a way to listen on an address.
type binding struct {
	stream func(network, addr string) (net.Listener, error)
	packet func(network, addr string) (net.PacketConn, error)
}

var (
	alone  = binding{net.Listen, net.ListenPacket}
	shared = binding{reuseport.Listen, reuseport.ListenPacket} // as CoreDNS listens
)

// try listens on an address for queries over a transport, and ends that.
func (b binding) try(over, addr string) error {
	var err error
	try := func(l io.Closer, failed error) {
		if failed == nil {
			l.Close()
		} else if err == nil {
			err = failed
		}
	}
	if over != transport.QUIC && over != transport.HTTPS3 {
		l, failed := b.stream("tcp", addr)
		try(l, failed)
	}
	if over == transport.DNS || over == transport.QUIC || over == transport.HTTPS3 {
		l, failed := b.packet("udp", addr)
		try(l, failed)
	}
	return err
}

// remedy says what to do about an error of listening; empty: nothing is known.
func remedy(err error) string {
	switch {
	case is(err, taken):
		return "; another program listens there, and " + shows() + " tells which; stop it, or listen elsewhere: on another port, or on another address, as with 'bind 127.0.0.123'"
	case is(err, denied):
		return "; run it as root, or with the capability CAP_NET_BIND_SERVICE, or listen on a port from 1024 on, such as 5553"
	case is(err, missing):
		later := ""
		if runtime.GOOS == "linux" {
			later = ", or run 'sysctl net.ipv4.ip_nonlocal_bind=1' (ipv6 likewise) to listen on one that comes later, as that of a bridge does"
		}
		return "; this machine does not have that address now; write one that it has, as in 'bind 127.0.0.1'" + later
	}
	return ""
}

// is reports whether an error is one of these of the system.
func is(err error, numbers []syscall.Errno) bool {
	return slices.ContainsFunc(numbers, func(number syscall.Errno) bool { return errors.Is(err, number) })
}

// shows is a command that shows who listens where.
func shows() string {
	switch runtime.GOOS {
	case "linux":
		return "'ss -lntup', as root,"
	case "windows":
		return "'netstat -abno', as administrator,"
	}
	return "'lsof -nPi', as root,"
}
