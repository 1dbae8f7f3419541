package show

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

const (
	firstFrame = 200 * time.Millisecond // what is over before shows no progress
	nextFrame  = 100 * time.Millisecond
)

// Watch draws a frame again and again, in place of the previous one, until end is
// called, which erases it.
func (s Screen) Watch(frame func() []string) (end func()) {
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
				lines := fit(frame(), s.Width, s.Height)
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
			if len(line) >= width {
				lines[i] = line[:width-1]
			}
		}
	}
	return lines
}
