package top

import (
	"fmt"
	"html"
	"strings"
	"testing"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

// TestPicture has the screen as it stands in docs/command.md. Its colours follow the reader's.
func TestPicture(t *testing.T) {
	u := world()
	u.height, u.colour = 26, true
	testkit.Golden(t, "../../../docs/top-terminal.svg", picture(u))
}

// picture is a screen as SVG.
func picture(u *ui) string {
	const across, down = 8, 17 // of a cell
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-labelledby="title">
<title id="title">dnsmus top in a terminal: four upstreams, one of which is down, and below them queries as they come</title>
<style>
svg { background: #ffffff }
text { font: 13px ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: #1f2328; white-space: pre }
.c1 { font-weight: 700 } .c2 { fill: #59636e } .c31 { fill: #cf222e } .c32 { fill: #1a7f37 } .c33 { fill: #9a6700 }
@media (prefers-color-scheme: dark) {
svg { background: #0d1117 }
text { fill: #e6edf3 }
.c2 { fill: #9198a1 } .c31 { fill: #ff7b72 } .c32 { fill: #3fb950 } .c33 { fill: #d29922 }
}
</style>
`, across*(u.width+2), down*(u.height+1))
	for y, line := range u.lines() {
		x, class, rest := 1, "", line
		for rest != "" {
			text, next, after := rest, "", ""
			if at := painted.FindStringIndex(rest); at != nil {
				text, next, after = rest[:at[0]], "c"+rest[at[0]+2:at[1]-1], rest[at[1]:]
			}
			for word := range strings.SplitAfterSeq(glyphs(text, drawn), "  ") {
				columns, shown := len([]rune(word)), strings.TrimSpace(word)
				if shown != "" {
					indent := columns - len([]rune(strings.TrimLeft(word, " ")))
					fmt.Fprintf(&b, "<text class=%q x=\"%d\" y=\"%d\" textLength=\"%d\">%s</text>\n", class,
						across*(x+indent), down*(y+1), across*len([]rune(shown)), html.EscapeString(shown))
				}
				x += columns
			}
			class, rest = next, after
		}
	}
	return b.String() + "</svg>\n"
}
