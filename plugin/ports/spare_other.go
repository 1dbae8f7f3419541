//go:build !unix

package ports

import (
	"context"
	"errors"
	"net"

	"github.com/dnsmus/dnsmus/plugin/udp"
)

// openStream opens nothing: sockets are no file descriptors here, of which there are few.
func openStream(bool) (int, error) { return 0, errors.ErrUnsupported }

func connect(context.Context, int, udp.Peer) (net.Conn, error) { return nil, errors.ErrUnsupported }
