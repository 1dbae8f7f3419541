package upstream

import (
	"context"
	"errors"
	"io"
	"net"
	"syscall"

	"github.com/dnsmus/dnsmus/plugin/printable"
)

// ErrForged is why an exchange failed that got too many replies with wrong ids.
var ErrForged = errors.New("too many replies with wrong ids; they may be forged")

// ErrLinkGone is why an upstream is not asked at all.
var ErrLinkGone = errors.New("its interface is down or missing")

// ErrUnbound is why an upstream cannot be asked over its own link alone.
var ErrUnbound = errors.New("its interface has no route to it")

var (
	errMalformed    = errors.New("malformed reply")
	errTruncated    = errors.New("truncated reply")
	errNearMiss     = errors.New("reply with a wrong id")
	errClosed       = errors.New("connection closed by the upstream")
	errGivenUp      = errors.New("connection without replies given up")
	errNotConnected = errors.New("no connection in time")
)

// plainly is why a connection came to nothing, in words for users. They stand after the
// upstream's name, so they need not repeat its address. Some of them are the upstream's own,
// as names in a certificate or the reason for which it closes a connection.
func plainly(err error) error {
	var number syscall.Errno
	switch _, network := err.(*net.OpError); {
	case network && errors.As(err, &number):
		return number
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return errClosed
	case errors.Is(err, context.DeadlineExceeded):
		return errNotConnected
	}
	return printable.Error(err)
}
