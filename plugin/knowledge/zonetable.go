package knowledge

import (
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/dnsmus/dnsmus/plugin/wire"
)

// The table of zones: 64 shards of 8 sets, of 8 places each, so 4,096 zones. It grows as it
// fills: a zone takes 80 bytes, what its name needs, and 24 an upstream, and a shard with zones
// half a KB. When it is full of the longest names it takes 1.4 MB and 0.1 MB an upstream.
const (
	zoneShards = 64
	zoneSets   = 8 // in a shard
	zoneWays   = 8 // in a set
	zonePlaces = zoneSets * zoneWays
)

// maxLabels is how many labels of a zone's name count, from the right: an IPv6 network of 64
// bits has so many, and else each address in it would be a zone.
const maxLabels = 18

// zoneTable is a table of zones, with a tally of each upstream in each.
type zoneTable struct {
	n      int          // upstreams that are told apart
	known  atomic.Int64 // zones
	shards [zoneShards]zoneShard
}

type zoneShard struct {
	mu     sync.Mutex
	places []*zone         // empty before the first zone; those that are nil are free
	hands  [zoneSets]uint8 // of a set: the next place to be considered for being replaced
	draws  [8]draw         // the latest of names in zones that are here, by name
}

// tally is that of upstream j in place i.
func (z *zoneTable) tally(sh *zoneShard, i, j int) *tally { return &sh.places[i].tallies[j] }

func (z *zoneTable) of(sh *zoneShard, i int) []tally { return sh.places[i].tallies }

// find calls f with the place of a question's zone, or else of the nearest known zone above
// it that is a single upstream's, except the root. It says whether that is the zone
// itself.
func (z *zoneTable) find(question []byte, f func(sh *zoneShard, i int, exact bool)) {
	var buf [255]byte
	name := zoneName(buf[:0], question)
	for exact := true; ; exact = false {
		sh, at := z.place(name)
		sh.mu.Lock()
		if i := sh.find(at, name); i >= 0 && (exact || z.inherited(sh, i)) {
			f(sh, i, exact)
			sh.mu.Unlock()
			return
		}
		sh.mu.Unlock()
		if len(name) < 2 {
			return
		}
		if name = name[1+int(name[0]):]; len(name) < 2 { // the root
			return
		}
	}
}

// inherited reports whether unknown zones below count as place i: a single upstream knows it,
// and it is its own. So it is if no other has ever answered there; if others have denied names
// in it; or if its addresses are private. For others might answer whatever they are asked.
func (z *zoneTable) inherited(sh *zoneShard, i int) bool {
	knowers, answered, own := 0, 0, false
	for _, t := range z.of(sh, i) {
		if t.good != (instant{}) {
			answered++
		}
		if t.knower {
			knowers++
			own = t.own()
		}
	}
	return knowers == 1 && (own || answered == 1)
}

// create finds or makes a place for a question's zone, a new one with these tallies, and
// calls f with it.
func (z *zoneTable) create(question []byte, at instant, lead int8, tallies []tally, f func(sh *zoneShard, i int)) {
	var buf [255]byte
	name := zoneName(buf[:0], question)
	sh, set := z.place(name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	i := sh.find(set, name)
	if i < 0 {
		if sh.places == nil {
			sh.places = make([]*zone, zonePlaces)
		}
		i = sh.free(set)
		if sh.places[i] == nil {
			z.known.Add(1)
		}
		sh.places[i] = &zone{surveyed: at, lead: lead, name: string(name), tallies: make([]tally, z.n)}
		copy(z.of(sh, i), tallies)
	}
	f(sh, i)
}

// zoneName appends the name of a question's zone.
func zoneName(b, question []byte) []byte {
	name := wire.AppendName(b, question)
	if len(name) > 1 {
		name = name[1+int(name[0]):]
	}
	for labels := countLabels(name); labels > maxLabels; labels-- {
		name = name[1+int(name[0]):]
	}
	return name
}

func countLabels(name []byte) (n int) {
	for ; len(name) > 0 && name[0] != 0; n++ {
		name = name[1+int(name[0]):]
	}
	return n
}

// place is the shard of a zone, and its set there.
func (z *zoneTable) place(name []byte) (sh *zoneShard, set int) {
	hash := maphash.Bytes(seed, name)
	return &z.shards[hash%zoneShards], int(hash / zoneShards % zoneSets)
}

// find returns the place of a zone in a set, or -1.
func (sh *zoneShard) find(set int, name []byte) int {
	if sh.places == nil {
		return -1
	}
	for i := set * zoneWays; i < (set+1)*zoneWays; i++ {
		if e := sh.places[i]; e != nil && e.name == string(name) {
			return i
		}
	}
	return -1
}

// free returns an empty place in a set, or the next that was not used since the last round
// (the clock algorithm).
func (sh *zoneShard) free(set int) int {
	first := set * zoneWays
	for i := first; i < first+zoneWays; i++ {
		if sh.places[i] == nil {
			return i
		}
	}
	for {
		i := first + int(sh.hands[set])
		sh.hands[set] = (sh.hands[set] + 1) % zoneWays
		if !sh.places[i].used {
			return i
		}
		sh.places[i].used = false
	}
}
