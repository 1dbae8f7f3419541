package show

import "strings"

// Wrap breaks text between words, so that no line is longer than width; 0 is without limit. A
// longer word has a line of its own. Lines after the first begin with indent.
func Wrap(text string, width int, indent string) (lines []string) {
	line := text
	for width > 0 && len(line) > width {
		begin := len(indent)
		if lines == nil {
			begin = 0
		}
		at := strings.LastIndexByte(line[:width+1], ' ')
		if at <= begin {
			next := strings.IndexByte(line[begin:], ' ')
			if next <= 0 {
				break
			}
			at = begin + next
		}
		lines = append(lines, strings.TrimRight(line[:at], " "))
		line = indent + strings.TrimLeft(line[at:], " ")
	}
	return append(lines, line)
}

// longest is the length of the longest word.
func longest(text string) (n int) {
	for word := range strings.FieldsSeq(text) {
		n = max(n, len(word))
	}
	return n
}

// Lines breaks text for a screen: at its line feeds, and between words. What is broken goes on
// below the blanks that its line begins with.
func (s Screen) Lines(text string) (lines []string) {
	for line := range strings.SplitSeq(text, "\n") {
		indent := line[:len(line)-len(strings.TrimLeft(line, " "))]
		lines = append(lines, Wrap(line, s.Width, indent)...)
	}
	return lines
}
