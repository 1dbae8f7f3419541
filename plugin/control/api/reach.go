package api

// Reached is the reply to [Reach]: a name below [ReachZone] that the server answers for a while, to
// whoever asks, with addresses that nobody else can know. No upstream is asked for it, and nothing
// keeps it.
type Reached struct {
	Name    string  `json:"name"`    // so it is with names below this one
	A       string  `json:"a"`       // of a network for tests (RFC 2544)
	AAAA    string  `json:"aaaa"`    // likewise (RFC 5180)
	Seconds float64 `json:"seconds"` // for which it is answered
}

// ReachZone has the names of [Reached]. It is below a domain that is nobody's, and that resolvers do
// not treat in their own way (RFC 6761, section 6.5).
const ReachZone = "reach.dnsmus.example."
