package top

import "strings"

// In the lines of a screen a byte below a blank stands for what is drawn otherwise where there is
// UTF-8. So each byte is one column, and text of others, which has no such bytes, draws nothing.
const (
	gDiffers = "\x01"
	gSilent  = "\x02"
	gDown    = "\x03"
	gRule    = "\x04"
	gBar     = "\x05" // the lowest of gBars
)

// gBars is how many heights bars have.
const gBars = 7

var (
	drawn = []rune{'?', '≠', '·', '↓', '─', '▁', '▂', '▃', '▄', '▅', '▆', '▇'}
	ascii = []rune{'?', '#', '.', 'v', '-', '_', '.', '-', '=', '+', '*', '#'}
)

// glyphs are the characters of a line as they are drawn.
func glyphs(line string, set []rune) string {
	return strings.Map(func(r rune) rune {
		switch {
		case int(r) < len(set):
			return set[r]
		case r > '~' || r < ' ':
			return '?'
		}
		return r
	}, line)
}

// bar is a bar of n parts of most.
func bar(n, most int) string {
	switch {
	case n == notUp:
		return gSilent
	case most <= 0:
		return gBar
	}
	return string(rune(gBar[0]) + rune(min(n*gBars/most, gBars-1)))
}
