package history

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/control/api"
	"github.com/dnsmus/dnsmus/plugin/race"
)

const (
	vpn    = "10.2.0.53%wg0"
	home   = "192.168.1.1"
	public = "tls://9.9.9.9"
)

// said is a leg that replied.
func said(upstream string, v race.Verdict, rcode int) Leg {
	l := Leg{Upstream: upstream, Verdict: v}
	l.Reply(rcode, 10*time.Millisecond)
	return l
}

// unheard is a leg that gave no opinion.
func unheard(upstream string, err error) Leg {
	l := Leg{Upstream: upstream}
	l.Pends()
	l.Because(err)
	return l
}

func nx(upstream string) Leg { return said(upstream, race.NXDomainSOA, dns.RcodeNameError) }

// states is what is known of upstreams.
func states(pairs ...string) func(string) (string, string) {
	return func(name string) (string, string) {
		for i := 0; i < len(pairs); i += 3 {
			if pairs[i] == name {
				return pairs[i+1], pairs[i+2]
			}
		}
		return "up", ""
	}
}

// Each sentence has a world that brings it, and no world brings another one.
func TestWhy(t *testing.T) {
	filters := said(public, race.NXDomainSOA, dns.RcodeNameError)
	filters.Filter, filters.Winner = true, true
	filters.Says([]byte("Blocked (malware)"))
	besides := said(public, race.NXDomainSOA, dns.RcodeNameError)
	besides.Filter = true
	besides.Says([]byte("Filtered"))
	page := said(public, race.Good, dns.RcodeSuccess)
	page.Filter, page.Winner = true, true
	page.Says([]byte("Forged Answer"))
	refused := errors.New("connection refused")
	late := unheard(vpn, race.ErrSilent)
	late.lateGood = 2_204_000
	for _, tc := range []struct {
		kind  api.WhyKind
		race  Race
		now   Present
		words []string // in the text, or in what to do
	}{
		{api.WhyDown, Race{Verdict: race.NXDomainSOA, By: home, Legs: []Leg{nx(home), unheard(vpn, race.ErrDown)}},
			Present{Sole: vpn, Answers: 88, Zone: "corp2.example.", State: states(vpn, "down", "silent since 12:03:49 over UDP and TCP; wg0 is up and leads there")},
			[]string{vpn + " alone has answered in corp2.example. (88 answers), and it is down: silent since 12:03:49 over UDP and TCP", "connect the VPN"}},
		{api.WhyDown, Race{Change: api.ChangedAway, Verdict: race.ServFail, Legs: []Leg{nx(home), unheard(vpn, race.ErrDown)}},
			Present{Sole: vpn, Answers: 1, Zone: "corp2.example.", State: states(vpn, "down", "silent")},
			[]string{"(1 answer), and it is down: silent. So clients got SERVFAIL in place of a denial"}},
		{api.WhyDown, Race{Change: api.ChangedAway, Verdict: race.ServFail, Legs: []Leg{nx(home), unheard(vpn, race.ErrDown)}}, Present{},
			[]string{"The only upstream that knows the zone was away: " + vpn}},
		{api.WhyGone, Race{Verdict: race.NXDomainSOA, By: home, Legs: []Leg{nx(home), unheard(vpn, errors.New("network interface is gone"))}},
			Present{Sole: vpn, Answers: 255, Zone: "corp2.example.", State: states(vpn, "gone", "wg0 is down or missing since 12:03:49")},
			[]string{"255 answers or more", "its link is gone: wg0 is down or missing since 12:03:49", "Bring the link up"}},
		{api.WhyUnknown, Race{Verdict: race.NXDomainSOA, By: home, Conclusive: true, Legs: []Leg{nx(home), nx(vpn)}}, Present{Nearest: "nas.corp.example."},
			[]string{"No upstream knows the name, and all were heard", "nas.corp.example. has an answer"}},
		{api.WhyUnknown, Race{Verdict: race.NXDomainSOA, By: home, Conclusive: true, Legs: []Leg{nx(home), nx(vpn)}},
			Present{Sole: vpn, Answers: 3, Zone: "corp.example.", State: states()}, []string{"alone has answered in corp.example. (3 answers), and denies it, too"}},
		{api.WhyInconclusive, Race{Verdict: race.NXDomainSOA, By: home, Legs: []Leg{nx(home), unheard(vpn, race.ErrDown)}}, Present{State: states(vpn, "down", "")},
			[]string{"no opinion came from " + vpn + " (no reply: the upstream is down)"}},
		{api.WhyInconclusive, Race{Verdict: race.NXDomainSOA, By: home, Legs: []Leg{nx(home), unheard(vpn, race.ErrRefused)}},
			Present{Sole: home, Answers: 5, Zone: "example.", State: states()}, []string{"no opinion came from " + vpn + " (REFUSED)"}},
		{api.WhyFiltered, Race{Verdict: race.NXDomainSOA, By: public, Filtered: true, Legs: []Leg{filters, nx(home)}}, Present{},
			[]string{public + " filters the name: Blocked (malware)."}},
		{api.WhyDown, Race{Verdict: race.NXDomainSOA, By: home, Legs: []Leg{nx(home), unheard(vpn, refused), unheard(public, race.ErrServFail)}},
			Present{Sole: vpn, Answers: 8, Zone: "corp2.example.", State: states(vpn, "failing", "")}, []string{vpn + " alone has answered in corp2.example. (8 answers), and it fails: connection refused."}},
		{api.WhyDown, Race{Verdict: race.Bogus, By: home, Legs: []Leg{said(home, race.Bogus, 0), unheard(vpn, race.ErrDown)}},
			Present{Sole: vpn, Answers: 8, Zone: "corp2.example.", State: states(vpn, "down", "silent")}, []string{"and it is down: silent."}},
		{api.WhyDown, Race{Change: api.ChangedAway, Verdict: race.ServFail, Legs: []Leg{nx(home), unheard(vpn, refused)}},
			Present{Sole: vpn, Answers: 8, Zone: "corp2.example.", State: states(vpn, "failing", "")}, []string{"in corp2.example. (8 answers), and it fails: connection refused. So clients got SERVFAIL"}},
		{api.WhyDown, Race{Change: api.ChangedAway, Verdict: race.ServFail, Legs: []Leg{nx(home), unheard(vpn, refused)}},
			Present{Sole: vpn, Answers: 8, Zone: "corp2.example.", State: states()}, []string{"in corp2.example. (8 answers), and gave no opinion: connection refused. So clients got SERVFAIL"}},
		{api.WhyInconclusive, Race{Verdict: race.NXDomainSOA, By: home, Legs: []Leg{nx(home), unheard(vpn, race.ErrRefused)}},
			Present{Sole: vpn, Answers: 8, Zone: "corp2.example.", State: states()}, []string{"in corp2.example. (8 answers), and gave no opinion: REFUSED. See 'dnsmus status' for that upstream."}},
		{api.WhyInconclusive, Race{Verdict: race.NXDomainSOA, By: home, Legs: []Leg{nx(home), unheard(vpn, refused), unheard(public, race.ErrServFail)}}, Present{},
			[]string{vpn + " (connection refused) and " + public + " (SERVFAIL). See 'dnsmus status' for these upstreams."}},
		{api.WhyDown, Race{Verdict: race.NXDomainSOA, By: public, Legs: []Leg{filters, unheard(vpn, refused)}},
			Present{Sole: vpn, Answers: 8, Zone: "corp2.example.", State: states(vpn, "failing", "")}, []string{"and it fails: connection refused."}},
		{api.WhyFiltered, Race{Verdict: race.NXDomainSOA, By: home, Conclusive: true, Legs: []Leg{nx(home), besides}}, Present{},
			[]string{public + " filters the name: Filtered. Others deny the name. Ask who runs it."}},
		{api.WhyFiltered, Race{Verdict: race.NXDomainSOA, By: home, Legs: []Leg{besides, unheard(home, refused)}}, Present{},
			[]string{public + " filters the name: Filtered. No opinion came from " + home + " (connection refused)."}},
		{api.WhyFiltered, Race{Verdict: race.Good, By: public, Legs: []Leg{nx(home), page}}, Present{Good: []string{public}}, []string{public + " filters the name: Forged Answer. Ask"}},
		{api.WhySlow, Race{Verdict: race.Good, By: home, Took: time.Second, Legs: []Leg{said(home, race.Good, 0), besides}}, Present{}, []string{"The answer came after 1.00 s, by " + home}},
		{api.WhySpecial, Race{Change: api.ChangedSpecial, Verdict: race.NXDomainSOA, Conclusive: true}, Present{}, []string{"answers this name itself", "forward_special"}},
		{api.WhyRefused, Race{Change: api.ChangedRefused, Verdict: race.Refused}, Present{}, []string{"max_concurrent"}},
		{api.WhyBogus, Race{Verdict: race.Bogus, By: home, Legs: []Leg{said(home, race.Bogus, 0)}}, Present{}, []string{"by " + home + ", has an address that the option bogus rules out"}},
		{api.WhyBogus, Race{Verdict: race.NXDomainSOA, By: home, Conclusive: true, Legs: []Leg{nx(home), said(vpn, race.Bogus, 0)}}, Present{},
			[]string{"by " + vpn + ", has an address that the option bogus rules out. Others deny the name. If such"}},
		{api.WhyBogus, Race{Verdict: race.NXDomainSOA, By: home, Legs: []Leg{nx(home), said(public, race.Untrusted, 0), unheard(vpn, race.ErrSilent)}}, Present{},
			[]string{"by " + public + ", has a private address, and private_from leaves that upstream out. Others deny the name. No opinion came from " + vpn + " (no reply in time)."}},
		{api.WhyBogus, Race{Verdict: race.NoDataSOA, By: home, Type: dns.TypeA, Conclusive: true, Legs: []Leg{said(home, race.NoDataSOA, 0), said(vpn, race.Bogus, 0), said(public, race.Bogus, 0)}}, Present{},
			[]string{"The answers of " + vpn + " and " + public + " have addresses that the option bogus rules out. Others deny the type."}},
		{api.WhyBogus, Race{Verdict: race.ServFail, By: home, Legs: []Leg{unheard(home, race.ErrServFail), said(vpn, race.Bogus, 0)}}, Present{},
			[]string{"by " + vpn + ", has an address that the option bogus rules out. No opinion came from " + home + " (SERVFAIL)."}},
		{api.WhyBogus, Race{Change: api.ChangedUntrusted, Verdict: race.Untrusted}, Present{}, []string{"private_from"}},
		{api.WhyProven, Race{Change: api.ChangedProven, Verdict: race.NoData, Type: dns.TypeAAAA}, Present{}, []string{"shown lately that it exists", "no AAAA record"}},
		{api.WhyNoData, Race{Verdict: race.NoDataSOA, By: home, Type: dns.TypeA, Conclusive: true, Legs: []Leg{said(home, race.NoDataSOA, 0)}}, Present{},
			[]string{"The name exists, and has no A record: " + home + " says so."}},
		{api.WhyNoData, Race{Verdict: race.NoDataSOA, By: home, Type: dns.TypeA, Conclusive: true, Final: true}, Present{}, []string{"another type of it, so not all others were waited for"}},
		{api.WhyDiffer, Race{Verdict: race.Good, By: home, Differ: true, Took: time.Second}, Present{Differ: []string{home, vpn}}, []string{home + " and " + vpn + " give different ones; this one is by " + home, "prefer"}},
		{api.WhyDiffer, Race{Verdict: race.Good, By: home, Differ: true, Took: time.Second}, Present{Differ: []string{home, vpn}, Prefer: "order"}, []string{"this one is by " + home + ". The option prefer (order) chooses."}},
		{api.WhyNoData, Race{Verdict: race.NoDataSOA, By: home, Type: dns.TypeTXT, ZoneOnly: true, Name: []byte("\x06secret\x07example\x00"), Legs: []Leg{said(home, race.NoDataSOA, 0)}}, Present{},
			[]string{"Only the zone secret.example. is remembered, so this may be about another name in it. The name exists, and has no TXT record"}},
		{api.WhySlow, Race{Verdict: race.Good, By: public, Took: 913 * time.Millisecond, Legs: []Leg{said(public, race.Good, 0), func() Leg { l := Leg{Upstream: vpn}; l.Pends(); return l }()}}, Present{},
			[]string{"after 913 ms, by " + public, vpn + " had not replied until then."}},
		{api.WhyFailed, Race{Change: api.ChangedNone, Legs: []Leg{unheard(home, errors.New("connection refused"))}}, Present{}, []string{"No upstream replied: " + home + " (connection refused)."}},
		{api.WhyFailed, Race{Verdict: race.ServFail, By: home, Legs: []Leg{unheard(home, race.ErrServFail)}}, Present{}, []string{"failed: " + home + " (SERVFAIL)"}},
		{api.WhyAlias, Race{Change: api.ChangedAlias, Verdict: race.Broken, Legs: []Leg{unheard(home, race.ErrEndUnknown)}}, Present{}, []string{"is an alias", race.ErrEndUnknown.Error()}},
		{api.WhyForged, Race{Change: api.ChangedForged, Verdict: race.ServFail, Legs: []Leg{unheard(home, errors.New("forged"))}}, Present{}, []string{"wrong ids", "tls://"}},
		{api.WhyTruncated, Race{Verdict: race.Truncated, By: home}, Present{}, []string{"too long for UDP", "TCP to port 53"}},
		{api.WhyStale, Race{Change: api.ChangedStale, Verdict: race.Good, By: vpn}, Present{}, []string{vpn + ", who gave it, is away"}},
		{api.WhyLate, Race{Verdict: race.NXDomainSOA, By: home, Legs: []Leg{nx(home), late}}, Present{}, []string{"wrong: " + vpn + " had a good answer, but it came after 2.20 s"}},
		{api.WhyGood, Race{Verdict: race.NXDomainSOA, By: home, Legs: []Leg{nx(home), unheard(vpn, race.ErrDown)}}, Present{Good: []string{vpn}, State: states()},
			[]string{"It has an answer now, by " + vpn + ". Then: All others deny the name"}},
	} {
		tc.race.TTL = -1
		got := tc.race.Why(tc.now)
		if got.Kind != tc.kind {
			t.Errorf("%s: %+v", tc.kind, got)
		}
		for _, word := range tc.words {
			if text := got.Text + " " + got.Do; !strings.Contains(text, word) {
				t.Errorf("%s: there is no %q in %s", tc.kind, word, text)
			}
		}
	}
}

// How long what clients got stays is said of each race.
func TestUntil(t *testing.T) {
	at := time.Date(2026, 11, 30, 12, 4, 30, 0, time.Local)
	for _, tc := range []struct {
		race    Race
		inFront bool
		want    string
		later   time.Duration // so long
	}{
		{Race{TTL: 5}, true, "Clients may keep it for 5 s, until 12:04:35.", 0},
		{Race{TTL: 0}, true, "Caches may not keep it.", 0},
		{Race{TTL: -1}, false, "Caches were given nothing to keep.", 0},
		{Race{TTL: -1}, true, "Caches were given nothing to keep. A cache with serve_stale may give an older answer.", 0},
		{Race{TTL: 5, Kept: at.Add(time.Minute)}, false, "Clients may keep it for 5 s, until 12:04:35. dnsmus itself keeps it until 12:05:30.", 0},
		{Race{TTL: 5, Kept: at.Add(time.Minute)}, false, "Clients might keep it for 5 s, until 12:04:35, which is over. dnsmus itself keeps it until 12:05:30.", 6 * time.Second},
		{Race{TTL: 5, Kept: at.Add(time.Minute)}, false, "Clients might keep it for 5 s, until 12:04:35, which is over. dnsmus itself kept it until 12:05:30.", 2 * time.Minute},
	} {
		tc.race.At = at
		if got := tc.race.Why(Present{Now: at.Add(tc.later), InFront: tc.inFront}).Until; got != tc.want {
			t.Errorf("%s, want %s", got, tc.want)
		}
	}
}
