package upstream

import (
	"github.com/dnsmus/dnsmus/plugin/known"
	"github.com/dnsmus/dnsmus/plugin/wire"
)

// matches reports whether reply, which came from the right source and has the
// right id, answers query (RFC 5452, section 9.1). A reply without question
// does if it is an error by which resolvers refuse what they cannot read or do: it
// says nothing about the name. Any other message is to be ignored.
func matches(query, reply []byte) bool {
	if len(reply) < wire.HeaderSize {
		return false
	}
	q, r := wire.Header(query), wire.Header(reply)
	if !r.Response() || r.Opcode() != q.Opcode() {
		return false
	}
	if r.Questions() == 0 {
		return known.Failure(r.Rcode()) && r.Answers() == 0
	}
	return r.Questions() == 1 && wire.SameQuestion(wire.Question(query), wire.Question(reply))
}

// usable returns nil if a matching reply may be handed on, else why it says
// nothing (R8).
func usable(reply []byte, truncated Truncated) error {
	h := wire.Header(reply)
	if h.Truncated() && (truncated == TruncatedNever || truncated == TruncatedAnswers && h.Answers() == 0) {
		return errTruncated
	}
	if wire.Check(reply) != nil {
		return errMalformed
	}
	if h.Truncated() && truncated == TruncatedAnswers && !wire.Answers(reply) { // only an alias had room
		return errTruncated
	}
	return nil
}
