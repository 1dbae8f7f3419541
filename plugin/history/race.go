package history

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/maphash"
	"slices"
	"time"

	"github.com/dnsmus/dnsmus/plugin/race"
)

// Slow is how long a race takes that is remembered whatever came of it.
const Slow = 500 * time.Millisecond

// Race is what is remembered of a race.
type Race struct {
	ID       uint64
	At       time.Time // when it was over
	Name     []byte    // in wire format and lower case; empty with ZoneOnly
	Type     uint16
	Rcode    uint16 // of what the client got
	Verdict  race.Verdict
	Change   string // why the client got something else, in a word of package api; empty: it did not
	Asked    string // who was asked, likewise
	ZoneOnly bool   // Name is that of the zone

	Conclusive, Filtered, Final, Differ bool

	Took time.Duration
	TTL  int64     // seconds that clients may keep the reply; -1: they should not
	Kept time.Time // until when dnsmus itself keeps it; zero: it does not
	By   string    // the upstream whose reply was given; empty: none
	Legs []Leg
}

// Leg is what is remembered of an upstream's part in a race.
type Leg struct {
	Upstream string
	err      error  // one of package race, why it gave no opinion; nil: it did, or text says why
	text     []byte // what its reply or its failure says in addition
	after    int32  // its reply or failure, in µs since the race began; negative: neither has come
	lateGood int32  // likewise a good answer that came when the race was over; 0: there was none
	rcode    int16  // -1: there was no reply
	Verdict  race.Verdict

	Missing, Down, Unasked, Late, Stream, Alias, Winner, Filter bool
}

// After is when its reply or its failure came, since the race began; ok is false if neither has.
func (l *Leg) After() (d time.Duration, ok bool) {
	return time.Duration(l.after) * time.Microsecond, l.after >= 0
}

// LateGood is when a good answer came, though the race was over; 0: there was none.
func (l *Leg) LateGood() time.Duration { return time.Duration(l.lateGood) * time.Microsecond }

// Rcode is that of its reply; ok is false if there is none.
func (l *Leg) Rcode() (rcode int, ok bool) { return int(l.rcode), l.rcode >= 0 }

// Reply notes when a leg's reply came, and its rcode.
func (l *Leg) Reply(rcode int, after time.Duration) {
	l.rcode, l.after = int16(rcode), micros(after)
}

// Fails notes when a leg failed.
func (l *Leg) Fails(after time.Duration) { l.rcode, l.after = -1, micros(after) }

// Pends notes that neither has come.
func (l *Leg) Pends() { l.rcode, l.after = -1, -1 }

func micros(d time.Duration) int32 { return int32(min(d/time.Microsecond, 1<<31-1)) }

// maxText bounds what is kept of what others write, in bytes.
const maxText = 120

// Says notes what a reply says in addition, such as the text of an extended error.
func (l *Leg) Says(text []byte) { l.text = bytes.Clone(text[:min(len(text), maxText)]) }

// Because notes why the leg gave no opinion.
func (l *Leg) Because(err error) {
	l.Missing = true
	for _, known := range race.Errors {
		if err == known {
			l.err = known
			return
		}
	}
	for _, known := range race.Errors {
		if errors.Is(err, known) {
			l.err = known
		}
	}
	l.Says([]byte(err.Error()))
}

// Remembered is races that ended alike: the last one of them, when the first was over, and how many
// there were.
type Remembered struct {
	Race
	First time.Time
	Count int
	used  bool // since it was last considered for being replaced
}

// key is a hash of what is the same of races that are alike.
func (r *Race) key() uint64 {
	var buf [300]byte
	b := append(buf[:0], r.Name...)
	b = binary.BigEndian.AppendUint16(b, r.Type)
	b = append(append(b, byte(r.Verdict)), r.Change...)
	return maphash.Bytes(seed, b)
}

func (r *Race) alike(o *Race) bool {
	return r.Type == o.Type && r.Verdict == o.Verdict && r.Change == o.Change && bytes.Equal(r.Name, o.Name)
}

// strip leaves nothing of the first label.
func (r *Race) strip() {
	zone := bytes.Clone(zoneOf(r.Name))
	clear(r.Name)
	r.Name, r.ZoneOnly = zone, true
	for i := range r.Legs {
		clear(r.Legs[i].text) // which may have the name
		r.Legs[i].text = nil
	}
}

// wipe overwrites what may tell the name.
func (r *Race) wipe() {
	clear(r.Name)
	for i := range r.Legs {
		clear(r.Legs[i].text)
	}
}

func (m *Remembered) clone() *Remembered {
	c := *m
	c.Name, c.Legs = bytes.Clone(m.Name), slices.Clone(m.Legs)
	for i := range c.Legs {
		c.Legs[i].text = bytes.Clone(c.Legs[i].text)
	}
	return &c
}

// zoneOf is the parent of a name, or the name if that is the root.
func zoneOf(name []byte) []byte {
	if len(name) < 2 {
		return name
	}
	return name[1+int(name[0]):]
}
