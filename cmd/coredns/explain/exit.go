package explain

import (
	"github.com/dnsmus/dnsmus/plugin/race"
)

// Exit statuses. Those from 64 on are of sysexits(3).
const (
	exitGood        = 0
	exitNoData      = 1
	exitNXDomain    = 2
	exitFailure     = 3
	exitUsage       = 64
	exitNoUpstreams = 66
	exitOutput      = 74
	exitInterrupted = 130
)

// exit is the exit status by the verdict on the reply.
func (o *outcome) exit() int {
	switch {
	case o.interrupted:
		return exitInterrupted
	case o.verdict.Wins():
		return exitGood
	case race.NXDomain <= o.verdict && o.verdict <= race.NXDomainChain:
		return exitNXDomain
	case o.verdict.Negative():
		return exitNoData
	}
	return exitFailure
}
