//go:build linux

package e2e

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

// coredns runs the command under test with a Corefile. Relative file names in
// it are those of the lab's directory.
func (l *lab) coredns(corefile string) *process {
	l.Helper()
	return l.start(testkit.Binary(l.T, l.flags...), "-conf", l.write("Corefile", corefile))
}

// resolvConf writes the nameserver lines that dnsmus reads.
func (l *lab) resolvConf(servers ...string) {
	l.Helper()
	l.write("resolv.conf.dnsmus", "nameserver "+strings.Join(servers, "\nnameserver ")+"\n")
}

// dnsmasq runs a dnsmasq that listens on addr, or on all addresses if addr is
// empty, and has no upstream but those of args.
func (l *lab) dnsmasq(addr, port string, args ...string) *process {
	l.Helper()
	base := []string{
		"dnsmasq", "--keep-in-foreground", "--user=root", "--log-facility=-",
		"--conf-file=/dev/null", "--pid-file=", "--no-resolv", "--no-hosts",
		"--port=" + port, "--bind-interfaces",
	}
	if addr != "" {
		base = append(base, "--listen-address="+addr)
	}
	return l.start(append(base, args...)...)
}

// unbound runs an unbound on addr with the given lines of configuration, which
// go on with the server clause.
func (l *lab) unbound(addr string, lines ...string) *process {
	l.Helper()
	conf := fmt.Sprintf(`server:
	directory: %q
	interface: %s
	port: 53
	username: ""
	chroot: ""
	pidfile: ""
	use-syslog: no
	do-daemonize: no
	num-threads: 1
	access-control: 0.0.0.0/0 allow
	do-not-query-localhost: no
	%s
`, l.dir, addr, strings.Join(lines, "\n\t"))
	return l.start("unbound", "-d", "-c", l.write("unbound-"+addr+".conf", conf))
}

// threeResolvers starts three resolvers, each of which knows names that the
// others deny with NXDOMAIN, and writes the resolv.conf of them:
//
//	127.0.0.11  unbound  wiki.corp.example
//	127.0.0.12  named    git.corp.example and what else is in testdata/named
//	127.0.0.13  dnsmasq  db.corp.example
func (l *lab) threeResolvers() []*process {
	l.Helper()
	l.resolvConf("127.0.0.11", "127.0.0.12", "127.0.0.13")
	return []*process{l.alpha(), l.beta(), l.gamma()}
}

func (l *lab) alpha() *process {
	l.Helper()
	return l.unbound("127.0.0.11",
		`local-zone: "." static`,
		`local-data: ". 3600 SOA ns.alpha.example. hostmaster.alpha.example. 1 3600 600 86400 3600"`,
		`local-data: "wiki.corp.example. 300 A 10.1.0.10"`,
		`local-zone: "10.in-addr.arpa" transparent`, // else static, with no data
		`local-data-ptr: "10.1.0.10 300 wiki.corp.example"`,
	).awaits("@127.0.0.11 wiki.corp.example")
}

// beta is named as testdata/named has it.
func (l *lab) beta() *process {
	l.Helper()
	// It listens only on addresses that an interface has.
	l.run("ip", "addr", "replace", "127.0.0.12/8", "dev", "lo")
	// It writes signed zones and keys beside the files that it reads.
	if err := os.CopyFS(l.dir, os.DirFS("testdata/named")); err != nil && !errors.Is(err, fs.ErrExist) {
		l.Fatal(err)
	}
	return l.start("named", "-g", "-c", "named.conf").awaits("@127.0.0.12 . SOA")
}

func (l *lab) gamma() *process {
	l.Helper()
	return l.dnsmasq("127.0.0.13", "53",
		"--host-record=db.corp.example,10.3.0.30,300",
		"--address=/#/", // NXDOMAIN for all other names
	).awaits("@127.0.0.13 db.corp.example")
}
