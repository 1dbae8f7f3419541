package explain

import (
	"time"

	"github.com/dnsmus/dnsmus/plugin/control/api"
)

// view is a race as it is shown.
type view struct {
	api.Outcome
	over  bool // it is decided
	live  bool // replies may still come
	begun time.Time
	since time.Duration // it began
}

// take changes it by a line of a server's reply.
func (v *view) take(said *api.Explained) {
	switch {
	case said.Event == api.LineLegs:
		v.Upstreams = said.Legs
	case said.Event == api.LineLeg && said.Leg != nil && 0 <= said.Index && said.Index < len(v.Upstreams):
		v.Upstreams[said.Index] = *said.Leg
	case said.Outcome != nil:
		v.Outcome, v.over, v.live = *said.Outcome, true, said.Event != api.LineOutcome
	}
}

// interrupt makes an outcome of what is known.
func (v *view) interrupt() {
	v.live = false
	if v.over {
		return
	}
	v.Interrupted, v.Verdict, v.Rcode = true, "none", "SERVFAIL"
	v.Seconds = time.Since(v.begun).Seconds()
}
