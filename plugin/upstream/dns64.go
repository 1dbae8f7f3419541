package upstream

import (
	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/instant"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// forget64Locked has the upstream asked anew, for it may be another one.
func (u *Upstream) forget64Locked(now instant.Time, out *outbox) {
	if u.known.DNS64.Forget() && u.known.DNS64.Ask(now) {
		out.add(job{kind: probe64Job})
	}
}

// ipv4only asks for what only DNS64 has (RFC 7050, section 3).
var ipv4only = packedQuery("ipv4only.arpa.", dns.TypeAAAA)

// prober64 is the Receiver of that.
type prober64 struct {
	prober
	u *Upstream
}

// Reply implements Receiver.
func (p prober64) Reply(msg []byte, _ instant.Time, _ bool) {
	rcode := wire.Header(msg).Rcode()
	if rcode != dns.RcodeSuccess && rcode != dns.RcodeNameError {
		return
	}
	makes := false
	wire.Records(msg, func(r wire.Record) bool {
		makes = makes || r.Section == wire.Answer && r.Type == dns.TypeAAAA
		return !makes
	})
	p.u.mu.Lock()
	defer p.u.mu.Unlock()
	p.u.known.DNS64.Replied(makes)
}

// TakesLate implements LateReceiver: no race waits for it.
func (prober64) TakesLate(bool) bool { return true }
