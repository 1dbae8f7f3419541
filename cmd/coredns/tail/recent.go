package tail

// recent remembers what the last races were about, by their ids. The zero value is empty.
type recent struct {
	places [1024]struct{ id, about string }
	next   int
}

func (r *recent) add(id, about string) {
	place := &r.places[r.next%len(r.places)]
	place.id, place.about = id, about
	r.next++
}

// find returns what a race was about; empty: that is not known any more.
func (r *recent) find(id string) string {
	for i := range r.places {
		if r.places[i].id == id && id != "" {
			return r.places[i].about
		}
	}
	return ""
}
