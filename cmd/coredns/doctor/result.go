package doctor

import (
	"fmt"

	"github.com/dnsmus/dnsmus/cmd/coredns/show"
)

// result is what all checks have found.
type result struct {
	Server   *string   `json:"server"`   // which one was asked, and its version; null: none
	Problems int       `json:"problems"` // so many there are
	Unlooked int       `json:"unlooked"` // so many checks could not look
	Checks   []checked `json:"checks"`
}

// checked is one of them.
type checked struct {
	Name         string    `json:"name"`
	About        string    `json:"about"`
	Problems     []problem `json:"problems"`
	Seen         []string  `json:"seen"`
	CouldNotLook *string   `json:"could_not_look"` // why; null: it did
}

// exit is the exit status.
func (r *result) exit() int {
	switch {
	case r.Problems > 0:
		return 1
	case r.Unlooked > 0:
		return 2
	}
	return 0
}

// problems are lines that say what is wrong.
func (r *result) problems(s show.Screen) (lines []string) {
	for i := range r.Checks {
		lines = append(lines, r.Checks[i].wrong(s, "")...)
	}
	for i := range r.Checks {
		lines = append(lines, r.Checks[i].unlooked(s)...)
	}
	return append(lines, r.sum())
}

// everything are lines that say what each check has seen.
func (r *result) everything(s show.Screen) (lines []string) {
	if r.Server != nil {
		lines = s.Lines(*r.Server)
	}
	for i := range r.Checks {
		c := &r.Checks[i]
		lines = append(lines, s.Lines(c.Name+": "+c.About)...)
		for _, seen := range c.Seen {
			lines = append(lines, s.Lines("  "+seen)...)
		}
		lines = append(lines, c.wrong(s, "  ")...)
		lines = append(lines, c.unlooked(s)...)
	}
	return append(lines, "", r.sum())
}

// sum counts all.
func (r *result) sum() string {
	text := fmt.Sprintf("%s, %s", show.Count(len(r.Checks), "check", "checks"), show.Count(r.Problems, "problem", "problems"))
	if r.Unlooked > 0 {
		text += fmt.Sprintf(", %d could not look", r.Unlooked)
	}
	return text
}

// wrong are the lines of the problems of a check.
func (c *checked) wrong(s show.Screen, indent string) (lines []string) {
	for _, p := range c.Problems {
		for i, line := range s.Lines(indent + "! " + p.What) {
			if i == 0 {
				line = s.Paint(show.Red, line)
			}
			lines = append(lines, line)
		}
		for _, e := range p.Evidence {
			lines = append(lines, s.Lines(indent+"    "+e)...)
		}
		if p.Mend != "" {
			lines = append(lines, indent+"  mend: "+p.Mend) // whole, to be copied
		}
		if indent == "" {
			lines = append(lines, "")
		}
	}
	return lines
}

// unlooked is the line of a check that could not look.
func (c *checked) unlooked(s show.Screen) []string {
	if c.CouldNotLook == nil {
		return nil
	}
	return s.Lines("? " + c.Name + ": could not look: " + *c.CouldNotLook)
}
