package ports

import (
	"errors"
	"syscall"
)

// What errors of sockets mean is decided here, for all systems: their own numbers are in
// the file of each.

// BreaksSocket reports whether an error may stick to its socket: a source address may be
// gone. A refusal is about the server alone (R10).
func BreaksSocket(err error) bool { return !oneOf(err, refusals) }

// IsTransient reports whether an error of sending is about this moment alone, as where a
// firewall or a full table drops the packet, or a link just now takes none. The packet is
// lost then, no more (R6).
func IsTransient(err error) bool { return oneOf(err, transients) }

// Unreachable reports whether an error of sending or connecting says that nothing leads to the
// peer just then, as while its link or this side's address is missing.
func Unreachable(err error) bool { return oneOf(err, detachments) }

// exhausted reports whether there is no file descriptor for another socket.
func exhausted(err error) bool { return oneOf(err, exhaustions) }

func oneOf(err error, numbers []syscall.Errno) bool {
	for _, number := range numbers {
		if errors.Is(err, number) {
			return true
		}
	}
	return false
}
