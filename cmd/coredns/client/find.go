package client

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dnsmus/dnsmus/plugin/control/api"
	"github.com/dnsmus/dnsmus/plugin/printable"
)

// Variable is that of the environment which names the socket.
const Variable = "DNSMUS_CONTROL"

// resolvConf says whom programs of this system ask.
const resolvConf = "/etc/resolv.conf"

// Find returns a client of the server whose socket has that path, or that of the environment.
// Without either it is the server that runs. Of several it is the one with a server block that is
// named or listens there, or, if block is empty, the one that this system asks.
func Find(ctx context.Context, path, block string) (*Client, error) {
	if path == "" {
		path = os.Getenv(Variable)
	}
	if path != "" {
		c := at(path)
		return c, c.reach(ctx)
	}
	if block != "" {
		return find(ctx, api.Places(), []string{block}, "none of the servers that run listens on "+block)
	}
	var asked []string
	for _, ns := range Nameservers() {
		asked = append(asked, net.JoinHostPort(ns, "53"))
	}
	return find(ctx, api.Places(), asked, several)
}

// ErrNoneFound is an error of [Find]: no server with a socket runs.
var ErrNoneFound = &Error{Status: ExitUnavailable,
	Text: "no running dnsmus was found that has the option control; add 'control' to the stanza of dnsmus in the Corefile, or name the socket with -s PATH"}

// several is said of servers of which none is meant more than others.
const several = "several servers run"

// find looks at all sockets that match one of the patterns. Of several servers it takes the one that
// listens at one of some addresses; with none the error says so.
func find(ctx context.Context, places, addrs []string, none string) (*Client, error) {
	var live []*Client
	var denied error
	for _, pattern := range places {
		paths, _ := filepath.Glob(pattern) // the patterns are right
		for _, path := range paths {
			c := at(path)
			switch err := c.reach(ctx); {
			case err == nil:
				live = append(live, c)
			case Status(err) == ExitNoRights && denied == nil:
				denied = err
			}
		}
	}
	switch {
	case len(live) == 1:
		return live[0], nil
	case len(live) > 1:
		return choose(ctx, live, addrs, none)
	case denied != nil:
		return nil, denied
	}
	return nil, ErrNoneFound
}

// reach returns an error if nobody listens, as at a socket that a process has left.
func (c *Client) reach(ctx context.Context) error {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", c.Path)
	if err != nil {
		if errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) {
			return c.unreachable(err)
		}
		var op *net.OpError
		if errors.As(err, &op) {
			err = op.Err
		}
		return c.unreachable(err)
	}
	return conn.Close()
}

// choose returns the only server that listens at one of the addresses. If there is none, or
// several do, the error lists all.
func choose(ctx context.Context, live []*Client, addrs []string, none string) (*Client, error) {
	var chosen []*Client
	var list strings.Builder
	for _, c := range live {
		var s api.State
		if err := c.Get(ctx, api.Status, nil, &s); err != nil {
			return nil, err
		}
		var listens []string
		for _, server := range s.Servers {
			listens = append(listens, server.Listens...)
		}
		if slices.ContainsFunc(addrs, func(addr string) bool { return slices.Contains(listens, addr) }) {
			chosen = append(chosen, c)
		}
		fmt.Fprintf(&list, "\n  -s %s    process %d, on %s", c.Path, s.PID, printable.And(listens))
	}
	if len(chosen) == 1 {
		return chosen[0], nil
	}
	if len(chosen) > 1 {
		none = several
	}
	return nil, &Error{Status: ExitUnavailable, Text: none + "; say which one is meant:" + list.String()}
}

// Nameservers are whom programs of this system ask, as addresses.
func Nameservers() (addrs []string) {
	for _, line := range resolvConfLines() {
		if len(line) > 1 && line[0] == "nameserver" {
			addrs = append(addrs, line[1])
		}
	}
	return addrs
}

// SearchDomains are those in which programs of this system look for names.
func SearchDomains() (domains []string) {
	for _, line := range resolvConfLines() {
		if len(line) > 1 && (line[0] == "search" || line[0] == "domain") {
			domains = line[1:] // the last line counts
		}
	}
	return domains
}

// resolvConfLines are the words of each line; none if the file cannot be read.
func resolvConfLines() (lines [][]string) {
	f, err := os.Open(resolvConf)
	if err != nil {
		return nil
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		lines = append(lines, strings.Fields(s.Text()))
	}
	return lines
}

// Block is the server block among several whom programs of this system ask; empty: it is none of
// them, or there is only one.
func Block(servers []api.Server) string {
	if len(servers) < 2 {
		return ""
	}
	for _, ns := range Nameservers() {
		for _, s := range servers {
			if slices.Contains(s.Listens, net.JoinHostPort(ns, "53")) {
				return s.Server
			}
		}
	}
	return ""
}
