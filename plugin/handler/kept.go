package handler

import (
	"context"
	"encoding/binary"
	"math"
	"slices"
	"time"

	"github.com/coredns/coredns/plugin/metadata"
	"github.com/coredns/coredns/request"
	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/cache"
	"github.com/dnsmus/dnsmus/plugin/pool"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// answerKept answers r with what is kept, and reports whether there was something (R24).
func (h *Handler) answerKept(ctx context.Context, w dns.ResponseWriter, r *dns.Msg) bool {
	flags, ok := keyed(r, h.cfg.TrustAD)
	if !ok {
		return false
	}
	var buf [300]byte
	question, ok := packQuestion(buf[:], r.Question[0])
	if !ok {
		return false
	}
	kept, age, state := h.pool.Kept(question, flags, time.Now())
	m := h.metrics.of(ctx)
	switch state {
	case cache.Alive:
		m.hits[kept.Kind].Inc()
		if kept.Due(age) {
			h.renew(w, r)
		}
	case cache.Held:
		m.stale.Inc()
		age = staleAge
	default:
		m.misses.Inc()
		return false
	}
	if h.writeKept(ctx, w, r, question, kept, age) != nil {
		return false
	}
	if h.watched() {
		h.publishKept(question, kept, age)
	}
	return true
}

// staleAge is the age of a reply that is given after its end.
const staleAge time.Duration = math.MaxInt64

// keyed reports whether a reply to r may be given to others, and what of r's flags changes it:
// r wants recursion, and has nothing after its question but, perhaps, EDNS with options that
// stay on this hop. See [cache.Keyed] for what is asked of upstreams.
func keyed(r *dns.Msg, trustAD bool) (f cache.Flags, ok bool) {
	if !r.RecursionDesired || len(r.Answer)+len(r.Ns) > 0 || len(r.Extra) > 1 {
		return 0, false
	}
	if r.CheckingDisabled {
		f |= cache.CD
	}
	if trustAD && r.AuthenticatedData {
		f |= cache.AD
	}
	if len(r.Extra) == 0 {
		return f, true
	}
	opt, ok := r.Extra[0].(*dns.OPT)
	if !ok {
		return 0, false
	}
	for _, o := range opt.Option {
		if !ofOneHop(o) {
			return 0, false
		}
	}
	if opt.Do() {
		f |= cache.DO
	}
	return f, true
}

// packQuestion packs a question as in [wire.Question].
func packQuestion(buf []byte, q dns.Question) (question []byte, ok bool) {
	n, err := dns.PackDomainName(q.Name, buf, 0, nil, false)
	if err != nil || n+4 > len(buf) {
		return nil, false
	}
	binary.BigEndian.PutUint16(buf[n:], q.Qtype)
	binary.BigEndian.PutUint16(buf[n+2:], q.Qclass)
	return buf[:n+4], true
}

// renew asks for a reply to r again, in the background.
func (h *Handler) renew(w dns.ResponseWriter, r *dns.Msg) {
	c, err := newClient(w, r, &h.cfg.Values)
	if err == nil && h.pool.Renew(c.Detached()) {
		renewed.Inc()
	}
}

// writeKept writes what is kept to the client that asked r, whose question is packed.
func (h *Handler) writeKept(ctx context.Context, w dns.ResponseWriter, r *dns.Msg, question []byte, kept *pool.Kept, age time.Duration) error {
	if metadata.ValueFuncs(ctx) != nil {
		metadata.SetValueFunc(ctx, "dnsmus/verdict", kept.Verdict.String)
		if len(kept.Givers) > 0 {
			metadata.SetValueFunc(ctx, "dnsmus/upstream", func() string { return pool.Names(kept.Givers) })
		}
	}
	msg := keptFor(r, question, kept, age)
	if !h.cfg.TrustAD { // R13
		wire.Header(msg).ClearAD()
	}
	state := request.Request{W: w, Req: r}
	if _, own := w.(*request.ScrubWriter); own && state.Proto() != "tcp" && len(msg) <= maxReply(r) {
		w.Write(msg)
		return nil
	}
	m := new(dns.Msg)
	if err := m.Unpack(msg); err != nil {
		return err
	}
	w.WriteMsg(m)
	return nil
}

// keptFor is what is kept as the client that asked r gets it.
func keptFor(r *dns.Msg, question []byte, kept *pool.Kept, age time.Duration) []byte {
	edns, options := r.IsEdns0(), kept.Options()
	if age == staleAge {
		options = cache.AppendError(slices.Clip(options), dns.ExtendedErrorCodeStaleAnswer, "")
	}
	msg := appendKept(make([]byte, 0, kept.Len()+optSize+len(options)), kept, age)
	h := wire.Header(msg)
	h.SetID(r.Id)
	h.SetRecursionDesired(r.RecursionDesired)
	h.SetCheckingDisabled(r.CheckingDisabled)
	copy(msg[wire.HeaderSize:], question)
	if edns == nil {
		return msg
	}
	h.SetAdditionals(h.Additionals() + 1)
	msg = append(msg, 0, 0, byte(dns.TypeOPT))
	msg = binary.BigEndian.AppendUint16(msg, edns.UDPSize())
	msg = binary.BigEndian.AppendUint32(msg, edns.Hdr.Ttl&doBit)
	msg = binary.BigEndian.AppendUint16(msg, uint16(len(options)))
	return append(msg, options...)
}

// appendKept appends what is kept to b, as it is at that age.
func appendKept(b []byte, kept *pool.Kept, age time.Duration) []byte {
	if age == staleAge {
		return kept.AppendStale(b)
	}
	return kept.AppendTo(b, age)
}
