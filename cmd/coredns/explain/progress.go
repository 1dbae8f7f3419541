package explain

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

const (
	firstFrame = 200 * time.Millisecond // a race that is over before shows no progress
	nextFrame  = 100 * time.Millisecond
)

// screen is where output goes.
type screen struct {
	io.Writer
	width, height int  // of a terminal; 0: unknown
	live          bool // lines can be rewritten
	colour        bool
}

// screenOn returns f with what it can show.
func screenOn(f *os.File) screen {
	s := screen{Writer: f}
	var err error
	s.width, s.height, err = term.GetSize(int(f.Fd()))
	s.live = err == nil && s.width > 0 && escapes(f)
	s.colour = s.live && os.Getenv("NO_COLOR") == ""
	return s
}

// watch draws a frame again and again, in place of the previous one, until end is
// called, which erases it.
func watch(s screen, frame func() []string) (end func()) {
	done := make(chan struct{})
	var drawing sync.WaitGroup
	drawing.Go(func() {
		shown := 0 // lines on the screen
		timer := time.NewTimer(firstFrame)
		defer timer.Stop()
		for {
			select {
			case <-done:
				io.WriteString(s, erase(shown))
				return
			case <-timer.C:
				lines := fit(frame(), s.width, s.height)
				io.WriteString(s, erase(shown)+strings.Join(lines, "\n")+"\n")
				shown = len(lines)
				timer.Reset(nextFrame)
			}
		}
	})
	return func() {
		close(done)
		drawing.Wait()
	}
}

// erase removes so many lines above the cursor, and what was typed below them.
func erase(lines int) string {
	if lines == 0 {
		return ""
	}
	return fmt.Sprintf("\r\x1b[%dA\x1b[J", lines)
}

// fit cuts off what would make lines wrap or the screen scroll: such lines could not be
// erased.
func fit(lines []string, width, height int) []string {
	if height > 1 && len(lines) > height-1 {
		lines = lines[:height-1]
	}
	if width > 0 {
		for i, line := range lines {
			if r := []rune(line); len(r) >= width {
				lines[i] = string(r[:width-1])
			}
		}
	}
	return lines
}
