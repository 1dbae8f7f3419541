package wire

// AppendKey appends to b what of a query changes its answer, so that queries with equal keys
// may share one reply: the question, whatever its case; recursion, checking and authentic data
// wanted; whether it has EDNS, DO, and EDNS options, byte by byte, for an unknown one may
// change anything. Of a query with any other record, such as a signature, all but the id
// counts.
func AppendKey(b, query []byte) []byte {
	question, begin := Question(query), len(b)
	if question == nil {
		return append(b, query[2:]...)
	}
	h := Header(query)
	b = AppendName(b, question)
	b = append(b, question[len(question)-4:]...)
	const recursionDesired, authenticData, checkingDisabled = 0x01, 0x20, 0x10
	b = append(b, h[2]&(0x78|recursionDesired), h[3]&(authenticData|checkingDisabled), 0)
	edns := len(b) - 1
	whole := false
	if Records(query, func(r Record) bool {
		whole = whole || r.Section != Additional || r.Type != typeOPT || b[edns] != 0
		b[edns] = 1
		if r.TTL&(1<<15) != 0 { // RFC 3225, section 3
			b[edns] = 2
		}
		b = append(b, r.Data...)
		return !whole
	}) != nil || whole {
		return append(b[:begin], query[2:]...)
	}
	return b
}
