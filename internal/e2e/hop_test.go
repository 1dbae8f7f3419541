//go:build linux

package e2e

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestTruncation looks at what comes in one UDP packet: it is never larger than
// the client said, and than 1,232 bytes, and it is marked as truncated if and only
// if the upstream's own of that size would be.
func TestTruncation(t *testing.T) {
	l := newLab(t, "unbound", "named")
	l.truthServers()
	for _, query := range []string{
		"a.truth.example A",
		"mx.truth.example MX",
		"middle.truth.example TXT",
		"many.truth.example AAAA",
		"huge.truth.example TXT",
		"signed.example DNSKEY +dnssec",
		"nowhere.signed.example A +dnssec",
	} {
		for option, size := range map[string]int{
			"+noedns":       512,
			"+bufsize=512":  512,
			"+bufsize=1232": 1232,
			"+bufsize=1400": 1232,
			"+bufsize=4096": 1232,
		} {
			if option == "+noedns" && strings.Contains(query, "+dnssec") {
				continue
			}
			query := "+notcp +ignore " + option + " " + query
			want := l.dig(fmt.Sprintf("@%s %s +bufsize=%d", primary, query, size))
			if option == "+noedns" {
				want = l.dig("@" + primary + " " + query)
			}
			got := l.dig("@" + beforePrimary + " " + query)
			if tc := slices.Contains(want.flags, "tc"); slices.Contains(got.flags, "tc") != tc {
				t.Errorf("dig %s: truncated: %t, want %t\n%.1000s", query, !tc, tc, got.text)
			} else if !tc && got.String() != want.String() {
				t.Errorf("dig %s: %s, want %s", query, got, want)
			}
			if n := got.size(); n == 0 || n > size {
				t.Errorf("dig %s: %d bytes, want no more than %d", query, n, size)
			}
		}
	}
}

var rcvd = regexp.MustCompile(`;; MSG SIZE  rcvd: (\d+)`)

// size is the reply's length in bytes.
func (r reply) size() int {
	if m := rcvd.FindStringSubmatch(r.text); m != nil {
		n, _ := strconv.Atoi(m[1])
		return n
	}
	return 0
}

// TestWhatUpstreamsSee reads in named's query log what comes of a query's flags
// and options. In the log's words + is RD, E is EDNS, D is DO, C is CD, T is TCP
// and K is a cookie.
func TestWhatUpstreamsSee(t *testing.T) {
	l := newLab(t, "named")
	primary := l.beta()
	l.coredns(`.:53 {
		bind 127.0.0.1
		dnsmus 127.0.0.12
		errors
	}
	.:5553 {
		bind 127.0.0.1
		dnsmus 127.0.0.12 {
			force_tcp
		}
		errors
	}
	.:5554 {
		bind 127.0.0.1
		dnsmus 127.0.0.12 {
			prefer_udp
		}
		errors
	}`).awaits("@127.0.0.1 . SOA")

	for i, test := range []struct{ query, want string }{
		{"@127.0.0.12 +cookie=0123456789abcdef", "+E(0)K (127.0.0.12)"}, // asked directly, named shows it
		{"@127.0.0.1 +cookie=0123456789abcdef", "+E(0) (127.0.0.12)"},
		{"@127.0.0.1 +cookie=0123456789abcdef +tcp", "+E(0)T (127.0.0.12)"},
		{"@127.0.0.1 +cookie=0123456789abcdef +subnet=192.0.2.0/24", "+E(0) (127.0.0.12) [ECS 192.0.2.0/24/0]"},
		{"@127.0.0.1 +subnet=2001:db8::/56 +tcp", "+E(0)T (127.0.0.12) [ECS 2001:db8::/56/0]"},
		{"@127.0.0.1 +subnet=0", "+E(0) (127.0.0.12) [ECS 0.0.0.0/0/0]"},
		{"@127.0.0.1 +nosubnet", "+E(0) (127.0.0.12)"},
		{"@127.0.0.1 +noedns", "+ (127.0.0.12)"},
		{"@127.0.0.1 +noedns +tcp", "+T (127.0.0.12)"},
		{"@127.0.0.1 +norecurse", "-E(0) (127.0.0.12)"},
		{"@127.0.0.1 +cdflag", "+E(0)C (127.0.0.12)"},
		{"@127.0.0.1 +dnssec +cdflag +tcp", "+E(0)TDC (127.0.0.12)"},
		{"@127.0.0.1 -p 5553", "+E(0)T (127.0.0.12)"},
		{"@127.0.0.1 -p 5553 +tcp", "+E(0)T (127.0.0.12)"},
		{"@127.0.0.1 -p 5554", "+E(0) (127.0.0.12)"},
		{"@127.0.0.1 -p 5554 +tcp", "+E(0) (127.0.0.12)"},
	} {
		name := fmt.Sprintf("Q%d.Truth.example", i) // to be found in the log
		query := test.query + " " + name
		l.expect(query, "NXDOMAIN")
		entries := regexp.MustCompile(`query: `+name+` IN A (.*)`).FindAllStringSubmatch(primary.Printed(), -1)
		if len(entries) == 0 || entries[0][1] != test.want {
			t.Errorf("dig %s: logged as %q, want %q", query, entries, test.want)
		}
		for _, again := range entries { // on a busy machine a query is sent again, and over TCP at last
			if strings.Replace(again[1], "T", "", 1) != strings.Replace(test.want, "T", "", 1) {
				t.Errorf("dig %s: logged as %q, want %q", query, entries, test.want)
			}
		}
	}
}
