package race

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/wire"
)

// provenTTL is how long caches may keep NODATA, in seconds, of a name that is known to
// exist: hosts without an IPv6 address are asked for one all the time.
const provenTTL = 60

// differTTL is how long caches may keep an answer, in seconds, where upstreams are known to give
// different ones: which is right changes with the network.
const differTTL = 30

// MaxTTL is how long caches may keep the records of a reply, in seconds (R7).
type MaxTTL struct{ Answer, Authority uint32 }

// MaxTTL says how long caches may keep the reply. A denial is the opinion of the upstreams
// of this moment, and caches cannot be told when that changes; so they may keep it for
// negative only, or a minute if exists says that an upstream's answer for another type of
// the name is alive. Differ says that answers in the zone are known to differ.
func (r Result) MaxTTL(negative time.Duration, exists, differ bool) MaxTTL {
	short := uint32(negative / time.Second)
	noData, answer := short, uint32(math.MaxUint32)
	if exists && r.Conclusive() {
		noData = max(short, provenTTL)
	}
	if differ {
		answer = differTTL
	}
	switch {
	case r.Inconclusive(), r.Verdict.DeniesName(), r.Verdict == Truncated:
		return MaxTTL{short, short}
	case (r.Verdict == NoDataSOA || r.Verdict == Alias) && wire.AuthorityHasSOA(r.Msg) && wire.Header(r.Msg).Answers() > 0:
		return MaxTTL{answer, noData}
	case r.Verdict.Negative():
		return MaxTTL{noData, noData}
	}
	return MaxTTL{answer, math.MaxUint32}
}

// DeniesType reports whether the reply says that the name has no record of the type asked
// for, or that the name has none that it is an alias of.
func (r Result) DeniesType() bool {
	return r.Verdict == NoData || r.Verdict == NoDataSOA || r.Verdict == Alias && wire.AuthorityHasSOA(r.Msg)
}

// Cut lowers the TTLs of a reply that is longer.
func (m MaxTTL) Cut(reply *dns.Msg) {
	for _, rr := range reply.Answer {
		rr.Header().Ttl = min(rr.Header().Ttl, m.Answer)
	}
	for _, rr := range reply.Ns {
		rr.Header().Ttl = min(rr.Header().Ttl, m.Authority)
	}
}

// CutBytes is Cut for a packed reply, in place.
func (m MaxTTL) CutBytes(reply []byte) {
	if m.Answer != math.MaxUint32 || m.Authority != math.MaxUint32 {
		wire.CutTTL(reply, m.Answer, m.Authority)
	}
}

// LeastTTL is for how many seconds a cache keeps a reply of that verdict whose TTLs are cut; ok is
// false if it has no record by which it may be kept. A denial lives as long as its SOA says (RFC
// 2308, section 5).
func LeastTTL(reply []byte, v Verdict, most MaxTTL) (ttl uint32, ok bool) {
	ttl = math.MaxUint32
	wire.Records(reply, func(r wire.Record) bool {
		switch {
		case r.Section == wire.Answer:
			ttl, ok = min(ttl, r.TTL, most.Answer), true
		case r.Section == wire.Authority && r.Type == dns.TypeSOA && v.Negative() && len(r.Data) >= 4:
			ttl, ok = min(ttl, r.TTL, most.Authority, binary.BigEndian.Uint32(r.Data[len(r.Data)-4:])), true
		}
		return r.Section != wire.Additional
	})
	return ttl, ok
}
