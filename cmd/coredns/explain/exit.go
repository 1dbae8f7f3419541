package explain

import (
	"github.com/dnsmus/dnsmus/cmd/coredns/client"
	"github.com/dnsmus/dnsmus/plugin/control/api"
)

// Exit statuses, beside those by the verdict. They are of sysexits(3).
const (
	exitGood        = 0
	exitUsage       = client.ExitUsage
	exitNoUpstreams = 66
	exitOutput      = client.ExitOutput
	exitInterrupted = client.ExitInterrupted
)

// exit is the exit status by the verdict on a reply.
func exit(o *api.Outcome) int {
	if o.Interrupted {
		return exitInterrupted
	}
	return client.Verdict(o)
}
