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

// staleAge is the age of a reply that is given after its end.
const staleAge time.Duration = math.MaxInt64
