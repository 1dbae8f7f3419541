package option

import "strings"

// Nearest returns the one of words that a word was likely meant to be: that which takes the
// fewest edits, if they are few for its length, or else the first that begins with it, or that it
// goes on from after an underscore. Case does not matter.
func Nearest(word string, words []string) (nearest string, found bool) {
	word = strings.ToLower(word)
	least := 0
	for _, w := range words {
		if n := Edits(word, w); n <= (len(w)+1)/4 && (!found || n < least) {
			nearest, least, found = w, n, true
		}
	}
	for _, w := range words {
		if !found && min(len(word), len(w)) > 3 && (strings.HasPrefix(w, word) || strings.HasPrefix(word, w+"_")) {
			nearest, found = w, true
		}
	}
	return nearest, found
}

// Edits counts the bytes that are to be put in, left out or changed, and the neighbours that
// are to change places, until a is b: their distance by optimal string alignment.
func Edits(a, b string) int {
	var before []int // the row before last
	last := make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			row[j+1] = min(last[j+1], row[j]) + 1
			if a[i] == b[j] {
				row[j+1] = min(row[j+1], last[j])
			} else {
				row[j+1] = min(row[j+1], last[j]+1)
			}
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
