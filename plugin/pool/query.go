package pool

import (
	"bytes"
	"encoding/binary"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/upstream"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// Query is what a client asks.
type Query interface {
	// Plain is asked of upstreams in plain DNS.
	Plain() *upstream.Query
	// Encrypted is asked of upstreams over encrypted connections. It is called if there
	// are any.
	Encrypted() *upstream.Query
	// Read unpacks the reply that would be given. If it returns an error, the race goes on
	// without that reply.
	Read(reply []byte) error
	// Detached is the same query for a race that goes on when the client has its reply.
	Detached() Query
	// Named asks the same of another name, or for another type.
	Named(name string, qtype uint16) (Query, error)
}

// keyOf returns a key that is the same for queries that may share a race (R11). It is not
// inlined, for stacks of those that ask are small.
//
//go:noinline
func keyOf(query *upstream.Query) string {
	var buf [300]byte
	key := wire.AppendKey(buf[:0], query.Msg)
	if query.Truncated == upstream.TruncatedNever {
		key = append(key, "whole"...)
	}
	return string(key)
}

// ofType is the same query for another type.
func ofType(q *upstream.Query, qtype uint16) *upstream.Query {
	other := *q
	other.Msg = bytes.Clone(q.Msg)
	question := wire.Question(other.Msg)
	binary.BigEndian.PutUint16(question[len(question)-4:], qtype)
	return &other
}

// keepsDenial reports whether a denial goes to the client as it is, though the name may exist: it
// is signed, and the client checks that. Nothing could be given in its place that is signed, too.
// A denial without signatures is worth no more to a validator than NODATA without. DS is about the
// parent of the name (RFC 4035, section 3.1.4.1).
func keepsDenial(query, reply []byte) bool {
	isDS := wire.QuestionType(wire.Question(query)) == dns.TypeDS
	return hasTSIG(query) || wire.DO(query) && (isDS || wire.Signed(reply))
}

// checksSignatures reports whether the client checks signatures: of records (DO; RFC 3225,
// section 3) or of the message (TSIG; RFC 8945, section 5.3).
func checksSignatures(query []byte) bool { return hasTSIG(query) || wire.DO(query) }

func hasTSIG(query []byte) (has bool) {
	wire.Records(query, func(r wire.Record) bool {
		has = r.Type == dns.TypeTSIG
		return !has
	})
	return has
}

// nameOf is a name that a question begins with, as people write it.
func nameOf(question []byte) string {
	name, _, _ := dns.UnpackDomainName(question, 0)
	return name
}
