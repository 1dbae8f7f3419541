package explain

import "github.com/dnsmus/dnsmus/plugin/control/api"

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

// exit is the exit status by the verdict on a reply.
func exit(o *api.Outcome) int {
	if o.Interrupted {
		return exitInterrupted
	}
	switch o.Verdict {
	case "good", "cname":
		return exitGood
	case "nodata":
		return exitNoData
	case "nxdomain":
		return exitNXDomain
	}
	return exitFailure
}
