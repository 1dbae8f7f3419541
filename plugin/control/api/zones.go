package api

import "time"

// Zone is a line of the reply to [Zones]: what is known of a zone. A zone is the parent of names
// that were asked for.
type Zone struct {
	Server  string    `json:"server"`
	Zone    string    `json:"zone"`
	Leader  *string   `json:"leader"`    // who was first to answer in it, or took the place of that
	KnownBy []Knower  `json:"known_by"`  // who has answered
	Missed  []string  `json:"missed_by"` // who has denied, or had nothing to say of, names that exist
	Differ  []string  `json:"differ"`    // whose answers differ from others'
	System  []Domain  `json:"system"`    // whose zone it is, as the system says
	Last    time.Time `json:"last"`      // answer
	Note    string    `json:"note"`      // what there is to say; empty: nothing
}

// Knower is an upstream that has answered in a zone.
type Knower struct {
	Upstream string    `json:"upstream"`
	Answers  int       `json:"answers"` // good ones; 255 stands for that and more
	Last     time.Time `json:"last"`
	Lately   bool      `json:"lately"`  // within an hour
	Private  bool      `json:"private"` // its addresses are
	Knows    bool      `json:"knows"`   // it was the first, or agrees with that
	Down     bool      `json:"down"`
	Failing  bool      `json:"failing"` // it is up, and the last query to it failed
}

// String is the upstream's name, and in brackets what is wrong with it.
func (k *Knower) String() string {
	switch {
	case k.Down:
		return k.Upstream + " (down)"
	case k.Failing:
		return k.Upstream + " (failing)"
	}
	return k.Upstream
}

// Domain is a domain that the system says is an interface's.
type Domain struct {
	Domain   string `json:"domain"`
	Link     string `json:"link"`
	Upstream string `json:"upstream"`
}
