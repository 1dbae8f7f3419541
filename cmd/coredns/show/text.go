package show

import (
	"fmt"
	"strings"
	"time"

	"github.com/dnsmus/dnsmus/plugin/printable"
)

// Cut shortens text to width bytes, if there is room for the dots that say so.
func Cut(text string, width int) string {
	const dots = "..."
	switch {
	case len(text) <= width:
		return text
	case width < len(dots):
		return text[:max(width, 0)]
	}
	return text[:width-len(dots)] + dots
}

// Age is for how long something has been so: in its two largest units, or one below an hour.
func Age(d time.Duration) string {
	seconds := int64(max(d, 0) / time.Second)
	switch {
	case seconds < 60:
		return fmt.Sprintf("%d s", seconds)
	case seconds < 3600:
		return fmt.Sprintf("%d min", seconds/60)
	case seconds < 86400:
		return two(seconds/3600, "h", seconds%3600/60, "min")
	}
	return two(seconds/86400, "d", seconds%86400/3600, "h")
}

// Ago is how long ago something was.
func Ago(d time.Duration) string {
	if d < time.Second {
		return "just now"
	}
	return Age(d) + " ago"
}

func two(large int64, unit string, small int64, smallUnit string) string {
	if small == 0 {
		return fmt.Sprintf("%d %s", large, unit)
	}
	return fmt.Sprintf("%d %s %d %s", large, unit, small, smallUnit)
}

// Quoted is a word as a shell takes it for one: names may hold what else would be a command.
func Quoted(word string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_"
	if word != "" && strings.Trim(word, plain) == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// Count is a number of things, of which one is called one.
func Count(n int, one, several string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, several)
}

// Share is a part in percent, rounded, which is 0% or 100% only if it is that.
func Share(part, all int) string {
	switch percent := (200*part + all) / max(2*all, 1); {
	case all == 0:
		return "-"
	case part > 0 && percent == 0:
		return "<1%"
	case part < all && percent > 99:
		return ">99%"
	default:
		return fmt.Sprintf("%d%%", percent)
	}
}

// Took is a span of seconds that may not be known.
func Took(s *float64) string {
	if s == nil {
		return "-"
	}
	return printable.Span(Seconds(*s))
}
