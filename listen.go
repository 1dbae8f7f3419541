package dnsmus

import (
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
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

// checkListen listens on the addresses of a server block as CoreDNS does in a moment, and
// ends that at once. CoreDNS would only repeat the system's word for what is wrong.
func checkListen(c *caddy.Controller) error {
	for _, key := range c.ServerBlockKeys {
		over, _, port, err := dnsserver.SplitProtocolHostPort(key)
		if err != nil {
			continue
		}
		for _, host := range dnsserver.GetConfig(c).ListenHosts {
			if err := tryListen(over, net.JoinHostPort(host, port)); err != nil {
				return plugin.Error(handler.Name, fmt.Errorf("%w%s", err, remedy(err)))
			}
		}
	}
	return nil
}

// tryListen listens on an address for queries over a transport, and ends that.
func tryListen(over, addr string) error {
	var err error
	try := func(l io.Closer, failed error) {
		if failed == nil {
			l.Close()
		} else if err == nil {
			err = failed
		}
	}
	if over != transport.QUIC && over != transport.HTTPS3 {
		l, failed := reuseport.Listen("tcp", addr)
		try(l, failed)
	}
	if over == transport.DNS || over == transport.QUIC || over == transport.HTTPS3 {
		l, failed := reuseport.ListenPacket("udp", addr)
		try(l, failed)
	}
	return err
}

// remedy says what to do about an error of listening; empty: nothing is known.
func remedy(err error) string {
	is := func(numbers []syscall.Errno) bool {
		for _, number := range numbers {
			if errors.Is(err, number) {
				return true
			}
		}
		return false
	}
	switch {
	case is(taken):
		return "; another program listens there, and " + shows() + " tells which; stop it, or listen elsewhere: on another port, or on another address, as with 'bind 127.0.0.123'"
	case is(denied):
		return "; run it as root, or with the capability CAP_NET_BIND_SERVICE, or listen on a port from 1024 on, such as 5553"
	case is(missing):
		return "; this machine does not have that address now; write one that it has, as in 'bind 127.0.0.1'"
	}
	return ""
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
