// Package show is how commands for people write to a terminal: tables that fit its width
// without cutting a word, text of others made safe, times in few characters, and lines that
// are drawn again while something is waited for.
package show

import (
	"bytes"
	"encoding/json"
	"io"
	"os"

	"golang.org/x/term"
)

// Screen is where output goes.
type Screen struct {
	io.Writer
	Width, Height int  // of a terminal, in columns and lines; 0: there is none
	Live          bool // lines can be rewritten
	Colour        bool
}

// On returns f with what it can show.
func On(f *os.File) Screen {
	s := Screen{Writer: f}
	var err error
	s.Width, s.Height, err = term.GetSize(int(f.Fd()))
	s.Live = err == nil && s.Width > 0 && escapes(f)
	s.Colour = s.Live && os.Getenv("NO_COLOR") == ""
	return s
}

// SGR parameters of colours. They never carry meaning alone.
const (
	Bold    = "1"
	Dim     = "2"
	Red     = "31"
	Green   = "32"
	Yellow  = "33"
	Reverse = "7"
)

// Paint returns text in a colour, if there are colours and it is not "".
func (s Screen) Paint(colour, text string) string {
	if !s.Colour || colour == "" {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// JSON returns v for programs, in lines that people can read.
func JSON(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(v)
	return b.Bytes(), err
}
