//go:build linux

package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

// authority signs the certificates of a test's servers. It is in a file that
// dnsmus may be told to trust.
type authority struct {
	*testkit.Authority
	lab *lab
}

func (l *lab) authority(name string) authority {
	l.Helper()
	a := authority{testkit.NewAuthority(l), l}
	l.write(name+".pem", encode("CERTIFICATE", a.Cert.Raw))
	return a
}

// issue writes the files of a server: a certificate like template, for
// dns.example and for all addresses of the tests, and its key.
func (a authority) issue(name string, template x509.Certificate) (certFile, keyFile string, cfg *tls.Config) {
	a.lab.Helper()
	template.DNSNames = []string{"dns.example"}
	for host := range 30 {
		template.IPAddresses = append(template.IPAddresses, net.IPv4(127, 0, 0, byte(host)))
	}
	cert := a.Issue(template)
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		a.lab.Fatal(err)
	}
	certFile = a.lab.write(name+".crt", encode("CERTIFICATE", cert.Leaf.Raw))
	keyFile = a.lab.write(name+".key", encode("PRIVATE KEY", key))
	return certFile, keyFile, &tls.Config{Certificates: []tls.Certificate{cert}}
}

func encode(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// bigRecords is a reply of about 60 KB.
const bigRecords = 230

func bigText(n int) string { return fmt.Sprintf("%03d", n) + strings.Repeat("x", 240) }

// secretUnbound listens on host at these ports, and knows all names below
// secret.example.
func (l *lab) secretUnbound(host, plain, dot, doh, cert, key string) *process {
	l.Helper()
	lines := []string{
		"interface: " + host + "@" + dot, "tls-port: " + dot,
		"interface: " + host + "@" + doh, "https-port: " + doh,
		"tls-service-pem: " + cert, "tls-service-key: " + key,
		`local-zone: "." always_nxdomain`,
		`local-zone: "secret.example" redirect`,
		`local-data: "secret.example. 300 A 10.9.9.9"`,
		`local-zone: "big.example" static`,
	}
	for n := range bigRecords {
		lines = append(lines, fmt.Sprintf(`local-data: 'big.example. 300 TXT "%s"'`, bigText(n)))
	}
	return l.unbound(host+"@"+plain, lines...)
}

// secretCoreDNS is the same with CoreDNS. The keys are those of server blocks such
// as tls://.:853.
func (l *lab) secretCoreDNS(name, host, cert, key string, keys ...string) *process {
	l.Helper()
	var zone strings.Builder
	zone.WriteString("@ 300 SOA ns.example. hostmaster.example. 1 3600 600 86400 30\n*.secret.example. 300 A 10.9.9.9\n")
	for n := range bigRecords {
		fmt.Fprintf(&zone, "big.example. 300 TXT %q\n", bigText(n))
	}
	file := l.write("secret.zone", zone.String())
	var corefile strings.Builder
	for _, k := range keys {
		fmt.Fprintf(&corefile, `%s {
			bind %s
			tls %s %s
			file %s .
			errors
		}
		`, k, host, cert, key, file)
	}
	return l.start(testkit.Binary(l.T), "-conf", l.write("Corefile."+name, corefile.String()))
}

// counter is a way to a server that counts connections.
type counter struct {
	addr string
	mu   sync.Mutex
	n    int
}

func (c *counter) add() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
}

func (c *counter) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}

// counterTo opens a way to the port on 127.0.0.1, over TCP or UDP.
func (l loopback) counterTo(network, port string) *counter {
	l.Helper()
	udp, tcp := testkit.Listen(l.T)
	c := &counter{addr: tcp.Addr().String()}
	server := "127.0.0.1:" + port
	if network == "tcp" {
		udp.Close()
		l.Cleanup(func() { tcp.Close() })
		go l.accept(tcp, func(near net.Conn) {
			c.add()
			far, err := net.Dial("tcp", server)
			if err != nil {
				return
			}
			go func() { io.Copy(near, far); near.Close() }()
			io.Copy(far, near)
			far.Close()
		})
		return c
	}
	tcp.Close()
	l.Cleanup(func() { udp.Close() })
	go func() {
		ways := make(map[string]net.Conn) // by client
		buf := make([]byte, 1<<16)
		for {
			n, client, err := udp.ReadFrom(buf)
			if err != nil {
				return
			}
			far := ways[client.String()]
			if far == nil {
				if far, err = net.Dial("udp", server); err != nil {
					return
				}
				l.Cleanup(func() { far.Close() })
				ways[client.String()] = far
				c.add()
				go func() {
					buf := make([]byte, 1<<16)
					for {
						n, err := far.Read(buf)
						if errors.Is(err, net.ErrClosed) {
							return
						}
						if err == nil {
							udp.WriteTo(buf[:n], client)
						}
					}
				}()
			}
			far.Write(buf[:n])
		}
	}()
	return c
}

// accept lets f speak with each client, and closes the connection after it.
func (l loopback) accept(listener net.Listener, f func(net.Conn)) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			f(conn)
		}()
	}
}

// tcp listens until the end of the test, and returns the port. A nil f accepts
// nobody.
func (l loopback) tcp(f func(net.Conn)) (port string) {
	l.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		l.Fatal(err)
	}
	l.Cleanup(func() { listener.Close() })
	if f != nil {
		go l.accept(listener, f)
	}
	_, port, _ = net.SplitHostPort(listener.Addr().String())
	return port
}

// exchange takes one query from conn and answers it. A nil answer is silence.
func exchange(conn net.Conn, answer func(*dns.Msg) *dns.Msg) error {
	query, err := readMsg(conn)
	if err != nil {
		return err
	}
	r := answer(query)
	if r == nil {
		return nil
	}
	msg, err := r.Pack()
	if err != nil {
		return err
	}
	_, err = conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(msg))), msg...))
	return err
}

// askAll asks for all names at the same moment, and all must be answered as
// wanted.
func (l loopback) askAll(port string, names []string, want string) {
	l.Helper()
	conn, err := net.Dial("udp", "127.0.0.1:"+port)
	if err != nil {
		l.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	for i, name := range names {
		m := new(dns.Msg).SetQuestion(name, dns.TypeA)
		m.Id = uint16(i)
		msg, err := m.Pack()
		if err != nil {
			l.Fatal(err)
		}
		conn.Write(msg)
	}
	buf := make([]byte, dns.MaxMsgSize)
	for seen := 0; seen < len(names); seen++ {
		n, err := conn.Read(buf)
		if err != nil {
			l.Fatalf("%d of %d replies: %v", seen, len(names), err)
		}
		m := new(dns.Msg)
		if err := m.Unpack(buf[:n]); err != nil {
			l.Fatal(err)
		}
		if len(m.Answer) != 1 || m.Answer[0].(*dns.A).A.String() != want {
			l.Errorf("want %s, got\n%s", want, m)
		}
	}
}
