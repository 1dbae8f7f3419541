package control

import "time"

// Bounds of what a socket serves.
const (
	maxHeader   = 16 << 10 // bytes
	maxBody     = 4 << 10
	maxConns    = 8
	maxStreams  = 4
	maxExplains = 10 // a second
	requestTime = 5 * time.Second
	replyTime   = 10 * time.Second
)
