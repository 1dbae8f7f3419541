// Package web shows what top shows on a page: upstreams, and races as they come. The person's own
// process serves it on a loopback port of its own, to who has its token, until nobody looks.
//
// The process forwards a few GETs to the control socket (site.go, feed.go). All else is done by the
// page, whose parts are in the folder page: words.js chooses races, model.js is what is known of a
// server, page.js draws that.
package web

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/dnsmus/dnsmus/cmd/coredns/client"
)

// alone is for how long the process waits for a page.
const alone = time.Minute

// Serve serves the page until nobody has looked for a minute, or ctx ends, and returns the exit
// status. It begins with the filter that words make, which are right. With open it has the person's
// browser show the page, if there is one.
func Serve(ctx context.Context, c *client.Command, words string, open bool) int {
	_, state, err := c.Find(ctx)
	if err != nil {
		return c.Failed(err)
	}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		c.Complain("no port can be listened on: %v", err)
		return client.ExitUnavailable
	}
	s := newSite(l.Addr().String(), newToken(), c)
	address := s.url(words)
	if status := c.WriteLines([]string{address}, 0); status != 0 {
		l.Close()
		return status
	}
	c.Complain("%s Ctrl-C ends this, and so does a minute without a page.", client.Asked(state))
	if open {
		forget, err := browse(address, os.Geteuid())
		if err != nil {
			c.Complain("no browser was opened: %v", err)
		}
		defer forget()
	}
	if s.serve(ctx, l) {
		c.Complain("nobody has looked at the page for a minute")
	}
	return 0
}

// newToken is 256 bits that nobody guesses.
func newToken() string {
	var b [32]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// url is where the page is. What stands after # is not sent by browsers; the page reads it.
func (s *site) url(words string) string {
	address := "http://" + s.host + "/#" + s.token
	if words != "" {
		address += "&" + url.PathEscape(words)
	}
	return address
}

// serve serves the page. It reports whether that ended because nobody looked.
func (s *site) serve(ctx context.Context, l net.Listener) (forgotten bool) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	s.looking = newPresence(s.alone, stop)
	server := &http.Server{
		Handler: s, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: s.alone, MaxHeaderBytes: maxHeader,
		BaseContext: func(net.Listener) context.Context { return ctx }, ErrorLog: nobody,
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		server.Serve(l)
	}()
	<-ctx.Done()
	server.Close()
	<-ended
	return s.looking.end()
}
