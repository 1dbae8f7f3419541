package control

import (
	"bufio"
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/dnsmus/dnsmus/plugin/control/api"
	"github.com/dnsmus/dnsmus/plugin/history"
	"github.com/dnsmus/dnsmus/plugin/pool"
)

// remembered is a race that a block remembers.
type remembered struct {
	of *Block
	*history.Remembered
}

func (s *Socket) history(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	wanted, err := parseFilter(q.Get(api.ParamFilter), nil) // upstreams may be gone
	if err != nil {
		fail(w, http.StatusBadRequest, "%v", err)
		return
	}
	name, qtype, err := parseQuestion(q.Get(api.ParamName), q.Get(api.ParamType))
	if err != nil {
		fail(w, http.StatusBadRequest, "%v", err)
		return
	}
	blocks := s.meant(w, q.Get(api.ParamServer))
	if blocks == nil {
		return
	}
	var all []*remembered
	for _, b := range blocks {
		for _, m := range b.Memory.History().Races(func(m *history.Remembered) bool { return asks(&m.Race, name, qtype) }) {
			all = append(all, &remembered{b, m})
		}
	}
	slices.SortFunc(all, func(a, b *remembered) int { return cmp.Compare(b.ID, a.ID) })
	lines(w)
	out := bufio.NewWriter(w)
	defer out.Flush()
	now := time.Now()
	for _, m := range all {
		if wanted(factsOf(&m.Race)) && write(out, m.of.line(m.Remembered, len(name) > 0, now)) != nil {
			return
		}
	}
}

// asks reports whether a race was for a name, and for a type unless that is 0. An empty name is
// any. Where only zones are remembered, the name is in one.
func asks(r *history.Race, name []byte, qtype uint16) bool {
	if qtype != 0 && r.Type != qtype {
		return false
	}
	if r.ZoneOnly && len(name) > 1 {
		name = name[1+int(name[0]):]
	}
	return len(name) == 0 || string(r.Name) == string(name)
}

// line is what the socket tells of a remembered race. With near, a name is looked for that is
// nearly the same.
func (b *Block) line(m *history.Remembered, near bool, now time.Time) api.Remembered {
	p := b.present(&m.Race, near, now)
	line := m.Line(b.Name, p)
	if m.Differ {
		line.Differ = list(p.Differ)
	}
	return line
}

// present is what is known now of the name of a remembered race.
func (b *Block) present(r *history.Race, near bool, now time.Time) history.Present {
	p := history.Present{Now: now, InFront: b.InFront, State: b.stateNow, Prefer: preferences[b.Values.Prefer]}
	if len(r.Name) == 0 {
		return p
	}
	name := r.Name
	if r.ZoneOnly { // as any name in it
		name = append([]byte("\x01*"), name...)
	}
	question := append(slices.Clip(name), byte(r.Type>>8), byte(r.Type), 0, 1)
	sole, answers, zone := b.Pool.Sole(question, now)
	if sole != nil {
		p.Sole, p.Answers, p.Zone = sole.String(), answers, strings.ToLower(zone)
	}
	p.Differ = namesOf(b.Pool.Differing(question, now))
	if r.ZoneOnly {
		return p
	}
	p.Good = namesOf(b.Pool.GoodBy(question, now))
	if near && r.Verdict.Negative() {
		p.Nearest = nearest(r.Name, func(f func([]byte) bool) { b.Pool.Living(now, f) })
	}
	return p
}

func namesOf(members []*pool.Member) (names []string) {
	for _, m := range members {
		names = append(names, m.String())
	}
	return names
}

// stateNow is the state of an upstream, and what there is to say of it; empty: it is in use no
// longer.
func (b *Block) stateNow(name string) (state, text string) {
	for _, m := range b.Pool.Members() {
		if m.String() == name {
			u := b.upstream(m, nil, time.Now())
			return u.State, u.About
		}
	}
	return "", ""
}
