package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

// The process ends when nobody has looked for a minute, and not while somebody looks.
func TestEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left := make(chan time.Time, 9)
		begin := time.Now()
		p := newPresence(alone, func() { left <- time.Now() })
		time.Sleep(59 * time.Second)
		first, second := p.begins(), p.begins()
		time.Sleep(time.Hour)
		first()
		time.Sleep(time.Hour)
		second()
		time.Sleep(59 * time.Second)
		p.begins()()
		if len(left) > 0 || p.end() {
			t.Fatal("it has ended while somebody looked")
		}
		p.begins()()
		if at := <-left; at.Sub(begin) != 2*time.Hour+59*time.Second+59*time.Second+time.Minute || !p.end() {
			t.Errorf("it has ended after %v", at.Sub(begin))
		}
	})
}

// A site ends with its presence.
func TestServeEnds(t *testing.T) {
	w := newWorld(all...)
	c, _ := w.command(t)
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(l.Addr().String(), newToken(), c)
	s.alone = time.Millisecond
	if !s.serve(t.Context(), l) {
		t.Error("it does not say that nobody looked")
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the port is still open: %v", err)
	}
}

type writes func([]byte)

func (w writes) Write(b []byte) (int, error) {
	w(b)
	return len(b), nil
}

// The address that is written has the token and the filter; the person can end all with Ctrl-C.
func TestServe(t *testing.T) {
	w := newWorld(all...)
	c, out := w.command(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	done := make(chan int)
	address := make(chan string, 1)
	c.Out.Writer = writes(func(b []byte) { out.Write(b); address <- string(b) })
	go func() { done <- Serve(ctx, c, "corp.example !AAAA", false) }()
	form := regexp.MustCompile(`^http://(127\.0\.0\.1:[0-9]+)/#([A-Za-z0-9_-]{43})&corp\.example%20%21AAAA\n$`)
	parts := form.FindStringSubmatch(<-address)
	if parts == nil {
		t.Fatal(out)
	}
	s := &site{host: parts[1], token: parts[2]}
	reply := events(t, s)
	testkit.Eventually(t, func() error {
		if n := w.watched(); n != 1 {
			return fmt.Errorf("%d watch", n)
		}
		return nil
	})
	stop()
	if status := <-done; status != 0 {
		t.Error(status)
	}
	io.Copy(io.Discard, reply.Body) // ends
}
