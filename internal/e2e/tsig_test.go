//go:build linux

package e2e

import (
	"slices"
	"strings"
	"testing"
)

// The keys of TestTSIG: the one that opens secret.example (testdata/named), one
// of the same name that is another, and one that nobody knows.
const (
	rightKey   = "-y hmac-sha256:reader:c2VjcmV0IG9mIHRoZSB0ZXN0cyBvZiBkbnNtdXMhISE="
	wrongKey   = "-y hmac-sha256:reader:bm90IHRoZSBzZWNyZXQ="
	unknownKey = "-y hmac-sha256:stranger:c2VjcmV0IG9mIHRoZSB0ZXN0cyBvZiBkbnNtdXMhISE="
)

// TestTSIG asks for names of a zone that only queries signed with a key may
// read. The signatures are over the messages' bytes, so they hold only if
// nothing but the id is changed on the way; dig checks that of the reply.
func TestTSIG(t *testing.T) {
	l := newLab(t, "unbound", "named")
	l.truthServers()
	for _, test := range []struct{ query, want string }{
		{rightKey + " www.secret.example A", "NOERROR 192.0.2.90"},
		{rightKey + " www.secret.example A +noedns", "NOERROR 192.0.2.90"},
		{rightKey + " www.secret.example A +dnssec +nsid +subnet=192.0.2.0/24", "NOERROR 192.0.2.90"},
		{rightKey + " www.secret.example A +bufsize=4096 +nocookie", "NOERROR 192.0.2.90"},
		{rightKey + " WWW.Secret.example A +cdflag +norecurse", "NOERROR 192.0.2.90"},
		{rightKey + " www.secret.example AAAA", "NOERROR"},
		{rightKey + " a.truth.example A", "NOERROR 192.0.2.1 192.0.2.2"}, // readable without it too
		{rightKey + " mx.truth.example MX", "NOERROR 10 a.truth.example. 20 ldap.corp.example."},
		{rightKey + " nowhere.secret.example", "NXDOMAIN"},
		{wrongKey + " a.truth.example", "NOTAUTH"},
		{unknownKey + " a.truth.example", "NOTAUTH"},
		{"www.secret.example A", "REFUSED"},
	} {
		for _, transport := range []string{"+notcp", "+tcp"} {
			query := transport + " " + test.query
			l.expect("@"+primary+" "+query, test.want)
			l.expect("@"+beforeRefusers+" "+query, test.want)
			if strings.HasPrefix(test.query, rightKey) {
				l.signed("@" + beforeRefusers + " " + query)
			}
			if t.Failed() {
				return // when replies do not come at all, waiting for each takes long
			}
		}
	}
}

// TestTSIGTruncated asks for more than a UDP packet of the client's size holds.
// Nobody but the upstream can sign the reply, so it is the upstream's truncated
// one that must come.
func TestTSIGTruncated(t *testing.T) {
	l := newLab(t, "unbound", "named")
	l.truthServers()
	for _, option := range []string{"+noedns", "+bufsize=512", "+bufsize=1232"} {
		query := " +notcp " + option + " " + rightKey + " middle.secret.example TXT"
		for _, server := range []string{primary, beforeRefusers} {
			if r := l.signed("@" + server + " +ignore " + query); !slices.Contains(r.flags, "tc") {
				t.Errorf("dig @%s %s: %d bytes, not truncated\n%.1000s", server, query, r.size(), r.text)
			}
			if r := l.signed("@" + server + query); len(r.sections["ANSWER"]) != 6 { // dig goes on over TCP
				t.Errorf("dig @%s %s: want 6 answers\n%.1000s", server, query, r.text)
			}
		}
	}
	// The whole one would fit into the client's size, but not into what goes out over UDP.
	query := "@" + beforeRefusers + " +notcp +bufsize=4096 " + rightKey + " middle.secret.example TXT"
	if r := l.dig(query); len(r.sections["ANSWER"]) != 6 {
		t.Errorf("dig %s: want 6 answers\n%.1000s", query, r.text)
	}
}

// signed asks, and fails if dig has not verified a signature on the reply.
func (l *lab) signed(query string) reply {
	l.Helper()
	r := l.dig(query)
	// dig prints a TSIG record that it could not verify as well, with a warning.
	if !strings.Contains(r.text, ";; TSIG PSEUDOSECTION:") || strings.Contains(r.text, "WARNING") || strings.Contains(r.text, "verify signature") {
		l.Errorf("dig %s: no signature that holds\n%s", query, r.text)
	}
	return r
}
