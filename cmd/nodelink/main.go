//go:build linux

// Command nodelink makes a network interface that is up and has addresses of the
// node's own, for a DNS server that pods find at the same address on every node:
//
//	nodelink [-type TYPE] NAME ADDRESS...
//
// It keeps what exists, so it may run again at any time, and removes nothing: while
// the server restarts, clients are refused at once and try again, whereas packets to
// an address that does not exist would leave the node.
package main

import (
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"syscall"

	"github.com/jsimonetti/rtnetlink/v2"
)

func main() {
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: nodelink [-type TYPE] NAME ADDRESS...")
		flag.PrintDefaults()
	}
	kind := flag.String("type", "dummy", "`TYPE` of a new interface, as in ip-link(8): one that needs no parameters")
	flag.Parse()
	if flag.NArg() < 2 {
		flag.Usage()
		os.Exit(2)
	}
	if err := ensure(flag.Arg(0), *kind, flag.Args()[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "nodelink:", err)
		os.Exit(1)
	}
}

// ensure makes an interface with the addresses, as far as they do not exist.
func ensure(name, kind string, addresses []string) error {
	if len(name) >= syscall.IFNAMSIZ {
		return fmt.Errorf("interface name %q is longer than the %d bytes that Linux takes", name, syscall.IFNAMSIZ-1)
	}
	var addrs []netip.Addr
	for _, text := range addresses {
		addr, err := netip.ParseAddr(text)
		if err != nil || addr.Zone() != "" {
			return fmt.Errorf("%q is not an IP address such as 169.254.20.10 or fd00::10", text)
		}
		addrs = append(addrs, addr.Unmap())
	}
	conn, err := rtnetlink.Dial(nil)
	if err != nil {
		return err
	}
	defer conn.Close()

	link, err := ensureLink(conn, name, kind)
	switch {
	case errors.Is(err, syscall.EPERM):
		return fmt.Errorf("interface %s: %w: the capability NET_ADMIN is missing", name, err)
	case errors.Is(err, syscall.EOPNOTSUPP):
		return fmt.Errorf("interface %s: %w: this kernel has no interfaces of type %s; load the module %[3]s, or choose another type",
			name, err, kind)
	case err != nil:
		return fmt.Errorf("interface %s: %w", name, err)
	}
	for _, addr := range addrs {
		switch err := ensureAddress(conn, link, addr); {
		case errors.Is(err, syscall.EACCES):
			return fmt.Errorf("address %s: %w: is IPv6 disabled? See sysctl net.ipv6.conf.%s.disable_ipv6", addr, err, name)
		case err != nil:
			return fmt.Errorf("address %s: %w", addr, err)
		}
	}
	return nil
}
