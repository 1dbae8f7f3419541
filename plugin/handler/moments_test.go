package handler

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/coredns/coredns/plugin/cache"
	"github.com/coredns/coredns/request"
	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/option"
)

// moment is one at which the network changes. What clients ask for was asked for before.
type moment struct {
	what   string
	before func(w *company) // it is so when the names are asked for first
	change func(w *company)
	wait   time.Duration // from then on until they are asked for again; 0: a second
	want   map[string]string
	untold bool // a cache that is not told is wrong then
}

// company is a network with a resolver of everybody and one of a company, which may be reached
// over a VPN. The company has wiki, git and files, of which everybody has git and www, at other
// addresses.
type company struct {
	keeping
	*virtual
	public, inside *knows
	lists          func(...*knows)
}

const (
	outside = "203.0.113.5" // of git
	within  = "10.1.2.3"
)

func (w *company) vpn(up bool) {
	if up {
		w.lists(w.public, w.inside)
	} else {
		w.lists(w.public)
	}
}

func vpnUp(w *company)   { w.vpn(true) }
func vpnDown(w *company) { w.vpn(false) }

// moments are those that a pool can notice, and those that it cannot.
var moments = []moment{
	{what: "a VPN connects", before: vpnDown, change: vpnUp,
		want: map[string]string{"wiki": "10.1.2.4", "git": within, "www": "203.0.113.9", "none": "NXDOMAIN"}, untold: true},
	{what: "a VPN disconnects", before: vpnUp, change: vpnDown,
		want: map[string]string{"wiki": "10.1.2.4", "git": outside, "www": "203.0.113.9", "none": "NXDOMAIN"}, untold: true}, // stale: it may come back
	{what: "a VPN has disconnected a while ago", before: vpnUp, change: vpnDown, wait: 2 * time.Minute,
		want: map[string]string{"wiki": "NXDOMAIN", "git": outside, "www": "203.0.113.9", "none": "NXDOMAIN"}, untold: true},
	{what: "a VPN reconnects", before: vpnUp, change: func(w *company) { w.vpn(false); time.Sleep(time.Second); w.vpn(true) },
		want: map[string]string{"wiki": "10.1.2.4", "git": within, "www": "203.0.113.9", "none": "NXDOMAIN"}},
	{what: "a VPN connects to another site", before: vpnUp, change: func(w *company) {
		w.vpn(false)
		w.inside.know("wiki.example 10.9.9.4", "other.example 10.9.9.5")
		w.vpn(true)
	}, want: map[string]string{"wiki": "10.9.9.4", "git": outside, "www": "203.0.113.9", "other": "10.9.9.5"}, untold: true},
	{what: "two VPNs, one after the other", before: vpnDown, change: func(w *company) {
		second := w.resolver("10.8.0.53", 5*time.Millisecond, "other.example 10.8.0.1")
		w.lists(w.public, second)
		time.Sleep(100 * time.Millisecond)
		w.lists(w.public, second, w.inside)
	}, want: map[string]string{"wiki": "10.1.2.4", "git": within, "other": "10.8.0.1", "none": "NXDOMAIN"}, untold: true},
	{what: "the same list again", before: vpnUp, change: func(w *company) { w.vpn(true) },
		want: map[string]string{"wiki": "10.1.2.4", "git": within, "none": "NXDOMAIN"}},
	{what: "two programs write the list in turn", before: vpnUp, change: func(w *company) {
		for range 20 {
			w.vpn(false)
			w.vpn(true)
			time.Sleep(10 * time.Millisecond)
		}
	}, want: map[string]string{"wiki": "10.1.2.4", "git": within, "none": "NXDOMAIN"}},
	{what: "the company's resolver falls silent", before: vpnUp, change: func(w *company) {
		w.inside.be(true)
		w.gets("somewhere.example") // which shows it
		time.Sleep(5 * time.Second)
	}, want: map[string]string{"wiki": "10.1.2.4", "git": outside, "www": "203.0.113.9", "none": "NXDOMAIN"}, untold: true},
	{what: "it replies again", before: func(w *company) {
		w.vpn(true)
		w.inside.be(true)
		w.gets("somewhere.example")
		time.Sleep(5 * time.Second)
	}, change: func(w *company) { w.inside.be(false); time.Sleep(time.Second) },
		want: map[string]string{"wiki": "10.1.2.4", "git": within, "www": "203.0.113.9", "none": "NXDOMAIN"}, untold: true},
	{what: "the list changes while nothing is asked for an hour", before: vpnDown, change: func(w *company) { time.Sleep(time.Hour); w.vpn(true) },
		want: map[string]string{"wiki": "10.1.2.4", "git": within, "www": "203.0.113.9", "none": "NXDOMAIN"}},
	{what: "a name is created after its denial", before: vpnDown, change: func(w *company) { w.public.know("git.example "+outside, "wiki.example 203.0.113.4") }, wait: time.Minute,
		want: map[string]string{"wiki": "203.0.113.4", "git": outside}},
	{what: "names are deleted", before: vpnUp, change: func(w *company) { w.inside.know(); w.public.know() }, wait: time.Hour,
		want: map[string]string{"wiki": "NXDOMAIN", "git": "NXDOMAIN", "www": "NXDOMAIN"}},
	{what: "a portal's inventions end with the login", before: func(w *company) {
		w.vpn(false)
		w.public.set(func() { w.public.ttl = 60 })
		w.public.know("wiki.example 192.168.0.1", "git.example 192.168.0.1", "www.example 192.168.0.1", "none.example 192.168.0.1")
	}, change: func(w *company) {
		w.public.set(func() { w.public.ttl = 3600 })
		w.public.know("git.example "+outside, "www.example 203.0.113.9")
	}, wait: time.Minute,
		want: map[string]string{"wiki": "NXDOMAIN", "git": outside, "www": "203.0.113.9", "none": "NXDOMAIN"}},
	{what: "all fall silent", before: vpnUp, change: func(w *company) {
		w.inside.be(true)
		w.public.be(true)
		w.gets("somewhere.example")
	}, wait: 30 * time.Minute,
		want: map[string]string{"wiki": "10.1.2.4", "git": within, "www": "203.0.113.9", "none": "SERVFAIL"}},
	{what: "a VPN disconnects while a name is asked for", before: vpnUp, change: func(w *company) {
		go w.gets("late.example")
		time.Sleep(time.Millisecond)
		w.vpn(false)
	}, untold: true,
		want: map[string]string{"late": "203.0.113.6", "git": outside, "www": "203.0.113.9"}},
	{what: "a VPN connects while a name is denied", before: vpnDown, change: func(w *company) {
		go w.gets("new.example")
		time.Sleep(time.Millisecond)
		w.vpn(true)
	}, untold: true,
		want: map[string]string{"new": "10.1.2.7", "git": within, "www": "203.0.113.9"}},
	{what: "all reply again", before: func(w *company) {
		w.vpn(true)
		w.inside.be(true)
		w.public.be(true)
		w.gets("somewhere.example")
	}, change: func(w *company) { w.inside.be(false); w.public.be(false); time.Sleep(time.Second) },
		want: map[string]string{"wiki": "10.1.2.4", "git": within, "www": "203.0.113.9", "none": "NXDOMAIN"}},
}

// R24: at every moment a second or more after a change, all clients get what an empty cache
// would give, or an answer of an upstream that is away; with and without a preference for the
// company's addresses, and with what is learned.
func TestR24Moments(t *testing.T) {
	for _, m := range moments {
		for _, clients := range []int{1, 6} {
			for what, change := range map[string]func(*option.Values){
				"plain": nil,
				"learn": func(v *option.Values) { v.Learn = 10 * time.Minute },
				"prefer private": func(v *option.Values) {
					v.Prefer = option.Private
				},
			} {
				t.Run(fmt.Sprintf("%s, %d clients, %s", m.what, clients, what), func(t *testing.T) {
					wrong := m.run(t, change, func(w *company) func(string) string {
						return func(name string) string { return w.allGet(clients, name) }
					})
					for _, text := range wrong {
						if what == "learn" && text == "git: "+outside+", want "+within { // R16: who was first is asked first
							continue
						}
						t.Error(text)
					}
				})
			}
		}
	}
}

// run runs a moment, and returns what is wrong after it.
func (m moment) run(t *testing.T, change func(*option.Values), asks func(*company) func(name string) string) (wrong []string) {
	t.Helper()
	inVirtualTime(t, func(t *testing.T, v *virtual) {
		w := &company{virtual: v}
		w.public = v.resolver("192.0.2.53", 10*time.Millisecond, "git.example "+outside, "www.example 203.0.113.9", "late.example 203.0.113.6")
		w.inside = v.resolver("10.1.0.53", 2*time.Millisecond, "wiki.example 10.1.2.4", "git.example "+within, "late.example 10.1.2.6", "new.example 10.1.2.7")
		w.keeping = v.keeps(t, change, w.public)
		w.lists = w.list
		defer w.Stop()
		ask := asks(w)
		m.before(w)
		for _, name := range []string{"wiki", "git", "www", "none", "other"} {
			ask(name + ".example")
		}
		time.Sleep(time.Second)
		m.change(w)
		time.Sleep(max(m.wait, time.Second))
		for name, want := range m.want {
			if got := ask(name + ".example"); got != want {
				wrong = append(wrong, fmt.Sprintf("%s: %s, want %s", name, got, want))
			}
		}
		slices.Sort(wrong)
	})
	return wrong
}

// The moments that are wrong with *cache* above, since it cannot be told: what the option is
// for.
func TestMomentsOfPluginCache(t *testing.T) {
	for _, m := range moments {
		wrong := m.run(t, func(v *option.Values) { v.Cache = 0 }, func(w *company) func(string) string {
			above := cache.New()
			above.Next = w.Handler
			return func(name string) string {
				q := question(name+".", dns.TypeA)
				got := new(wireWriter)
				if _, err := above.ServeDNS(t.Context(), request.NewScrubWriter(q, got), q); err != nil && got.got == nil {
					return err.Error()
				}
				r := new(dns.Msg)
				if err := r.Unpack(got.got); err != nil {
					return err.Error()
				}
				return short(r)
			}
		})
		if (len(wrong) > 0) != m.untold {
			t.Errorf("%s: wrong with *cache* is %q", m.what, wrong)
		}
	}
}
