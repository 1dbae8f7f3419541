package race

import "strings"

// Verdict is how good a reply is; a greater one is better. Replies of equal verdict rank
// by the order of their upstreams.
type Verdict uint8

// The order is rule R3. NODATA is better than NXDOMAIN: it says that the name exists, and
// a host without an AAAA record must not be denied because another resolver does not know
// it. A referral says nothing about the name: stub resolvers, too, try another server
// after AA=0 and RA=0 without an answer. A chain that ends at a name which does not exist
// says that its own name does, so it is better than a plain NXDOMAIN.
const (
	None          Verdict = iota // no reply
	Untrusted                    // an answer that its upstream may not give, by the policy; it is never the reply (R22)
	Bogus                        // an answer with an address that is bogus by the policy
	Refused                      // REFUSED
	Error                        // NOTIMP, FORMERR or any other code
	ServFail                     // SERVFAIL
	Referral                     // NOERROR without answer and SOA, from a server that neither is authoritative nor offers recursion
	NXDomain                     // NXDOMAIN without SOA
	NXDomainSOA                  // NXDOMAIN with SOA
	NXDomainChain                // NXDOMAIN at the end of a CNAME or DNAME chain (RFC 6604, section 3)
	NoData                       // NOERROR without answer and SOA
	NoDataSOA                    // NOERROR without answer, with SOA (RFC 2308, section 2.2)
	Broken                       // an alias of a name that was asked for in vain
	Truncated                    // NOERROR with TC=1, without answer
	Alias                        // NOERROR with an alias of a name of which it says nothing
	Good                         // NOERROR with an answer
)

// verdicts are the name of each in metrics, logs and JSON, and the words of it in a table
// for people; there TYPE stands for the type asked for, and RCODE for that of the reply.
var verdicts = [...]struct{ name, words string }{
	None:          {"none", "no reply"},
	Untrusted:     {"bogus", "not good: private address, and private_from leaves this upstream out"},
	Bogus:         {"bogus", "not good: bogus address"},
	Refused:       {"refused", "replied RCODE"},
	Error:         {"error", "replied RCODE"},
	ServFail:      {"servfail", "replied RCODE"},
	Referral:      {"referral", "refers to other servers"},
	NXDomain:      {"nxdomain", "no such name, without SOA"},
	NXDomainSOA:   {"nxdomain", "no such name"},
	NXDomainChain: {"nxdomain", "no such name at the end of its CNAME chain"},
	NoData:        {"nodata", "no TYPE record, without SOA"},
	NoDataSOA:     {"nodata", "no TYPE record"},
	Broken:        {"servfail", "alias without an end"},
	Truncated:     {"truncated", "truncated, and TCP failed"},
	Alias:         {"cname", "alias of another name"},
	Good:          {"good", "good answer"},
}

// String is the name in metrics, logs and JSON.
func (v Verdict) String() string { return verdicts[v].name }

// Words describe the reply for people.
func (v Verdict) Words(qtype, rcode string) string {
	return strings.NewReplacer("TYPE", qtype, "RCODE", rcode).Replace(verdicts[v].words)
}

// IsBogus reports whether the reply is an answer that the policy rules out.
func (v Verdict) IsBogus() bool { return v == Bogus || v == Untrusted }

// Negative reports whether the reply denies the name or the type asked for.
func (v Verdict) Negative() bool { return v > Referral && v < Broken }

// DeniesName reports whether the reply says that the name asked for, or the one that it is an alias
// of, does not exist.
func (v Verdict) DeniesName() bool { return NXDomain <= v && v <= NXDomainChain }

// Wins reports whether a reply wins a race: a good one, or an alias that the client follows
// itself.
func (v Verdict) Wins() bool { return v >= Alias }

// mayBeAlias reports whether a reply that has answers, though not to the question, may hold
// an alias: its rcode is that of the end (RFC 6604, section 3).
func (v Verdict) mayBeAlias() bool {
	return v == NXDomainChain || v == ServFail || v == Refused || v == Error
}
