//go:build linux

package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/quic-go/quic-go"
)

const (
	certName = "dns.example"
	certFile = "server.crt"
	keyFile  = "server.key"
)

// transports of encrypted fakes, as fakes and servers call them.
var transports = []string{"tls", "https", "quic"}

// writeCert makes the certificate that encrypted fakes have and servers trust.
func writeCert(dir string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(24 * time.Hour),
		DNSNames:              []string{certName},
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	for name, block := range map[string]*pem.Block{
		certFile: {Type: "CERTIFICATE", Bytes: cert},
		keyFile:  {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// listenEncrypted opens f's socket, serves it, and returns the address with the
// transport before it.
func (f fake) listenEncrypted() (addr string, err error) {
	cert, err := tls.LoadX509KeyPair(filepath.Join(f.certs, certFile), filepath.Join(f.certs, keyFile))
	if err != nil {
		return "", err
	}
	cfg := &tls.Config{Certificates: []tls.Certificate{cert}}
	if f.over == "quic" {
		cfg.NextProtos = []string{"doq"}
		l, err := quic.ListenAddr("127.0.0.1:0", cfg, &quic.Config{MaxIncomingStreams: 1 << 20})
		if err != nil {
			return "", err
		}
		go f.serveQUIC(l)
		return "quic://" + l.Addr().String(), nil
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	if f.over == "tls" {
		go f.serveTCP(tls.NewListener(l, cfg))
	} else {
		s := &http.Server{TLSConfig: cfg, Handler: http.HandlerFunc(f.serveHTTP), ErrorLog: log.New(io.Discard, "", 0)}
		go s.ServeTLS(l, "", "")
	}
	return f.over + "://" + l.Addr().String(), nil
}

func (f fake) serveHTTP(w http.ResponseWriter, r *http.Request) {
	buf := make([]byte, 4096)
	n, err := io.ReadFull(r.Body, buf)
	if err != io.ErrUnexpectedEOF {
		http.Error(w, "no query", http.StatusBadRequest)
		return
	}
	msg := reply(buf, n, f.kind, 0)
	if msg == nil {
		http.Error(w, "no query", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/dns-message")
	w.Write(msg)
}

func (f fake) serveQUIC(l *quic.Listener) {
	ctx := context.Background()
	for {
		conn, err := l.Accept(ctx)
		if err != nil {
			return
		}
		go func() {
			for {
				s, err := conn.AcceptStream(ctx)
				if err != nil {
					return
				}
				go func() {
					defer s.Close()
					buf := make([]byte, 2+4096)
					n, err := io.ReadFull(s, buf)
					if err != io.ErrUnexpectedEOF || n < 2 {
						return
					}
					s.Write(framed(buf, n-2, f.kind, 0))
				}()
			}
		}()
	}
}

// encrypted is one upstream behind each of the encrypted transports.
func (b *bench) encrypted() error {
	const rate = 2000
	t := table{
		title: "Encrypted upstreams that know the name",
		note: fmt.Sprintf("Full load, then latency at %d queries/s. Ratios are to forward over the same transport. Fakes: what the\n"+
			"upstream took, beside which each server has to find its time.", rate),
		head: []string{"transport", "server", "queries/s", "CPU us/query", "CPU / " + baseline, "lost", "fakes us/query", "fds", "goroutines (most)",
			"peak RSS MB", "p50 ms", "p99 ms", "p99 / " + baseline, "lost", "CPU us/query"},
	}
	if err := writeCert(b.dir); err != nil {
		return err
	}
	for _, transport := range transports {
		spec := fmt.Sprintf("good,over=%s,certs=%s", transport, b.dir)
		err := b.with([]string{spec}, []entry{{engine: "forward", n: 1}, {engine: "dnsmus", n: 1}}, func(servers []*server) error {
			if err := b.warm(servers); err != nil {
				return err
			}
			results, err := b.turns(servers, flatOut(b.plan.turn), onSchedule(rate, b.plan.turn))
			if err != nil {
				return err
			}
			if err := b.count(servers); err != nil {
				return err
			}
			base := results[baseline]
			for _, s := range servers {
				r := results[s.name]
				cpu, wait := figure(r[0], perAnswer), figure(r[1], p99)
				costs, waits := cpu.over(figure(base[0], perAnswer)), wait.over(figure(base[1], p99))
				t.add(transport, s.name, figure(r[0], perSecond).text(0), cpu.text(1), costs.text(2), figure(r[0], lost).sum(),
					fmt.Sprintf("%.1f", figure(r[0], fakesPerAnswer).median()), s.maxFDs, s.goroutinesText(), megabytes(s.peakRSS()),
					figure(r[1], p50).text(2), wait.text(2), waits.text(2), figure(r[1], lost).sum(), figure(r[1], perAnswer).text(1))
				if s.name != baseline {
					b.report.goal("CPU a query at full load over "+transport+", 1 upstream / "+baseline, "<= 1.00", costs.text(2), costs.median() <= 1)
					b.report.goal(fmt.Sprintf("p99 at %d queries/s over %s, 1 upstream / %s", rate, transport, baseline), "<= 1.50",
						waits.text(2), waits.median() <= 1.5)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	b.report.table(t)
	return nil
}
