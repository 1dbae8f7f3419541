// Package control serves the control socket: it tells who may connect what a running dnsmus knows
// and remembers, over HTTP and as JSON, in the types of package api. What it tells of is in
// [Block]s, one for each server block. Nobody is let in but by the rights of the file, and no port
// is opened (R25).
package control

import (
	"io/fs"
	"net/http"
	"sync"

	"golang.org/x/time/rate"
)

// Socket is a control socket that is open. Its methods may be called from any goroutine.
type Socket struct {
	Path string

	file     fs.FileInfo // of Path, as it was made
	server   *http.Server
	explains *rate.Limiter
	streams  chan struct{} // has room for as many as there may be
	ending   chan struct{} // closed when it ends
	watching watching
	reaches  reaches

	users int // guarded by sockets.mu

	mu       sync.Mutex
	blocks   []*Block // the last of those of one name is the one in use
	memories map[string]*Memory
}
