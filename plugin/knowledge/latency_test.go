package knowledge

import (
	"testing"
	"time"
)

func TestLatency(t *testing.T) {
	var l Latency
	if l.Median() != 0 || l.P95() != 0 {
		t.Error("nothing was seen")
	}
	for i := range 1000 {
		d := 10 * time.Millisecond
		if i%10 == 0 {
			d = 100 * time.Millisecond
		}
		l.Sample(d)
	}
	if median, p95 := l.Median(), l.P95(); median < 10*time.Millisecond || median > 15*time.Millisecond || p95 < 100*time.Millisecond || p95 > 145*time.Millisecond {
		t.Errorf("median %v, p95 %v", median, p95)
	}
	for range 3 * forgetful { // it has become quicker
		l.Sample(time.Millisecond)
	}
	if median, p95 := l.Median(), l.P95(); median > 2*time.Millisecond || p95 > 2*time.Millisecond {
		t.Errorf("median %v, p95 %v", median, p95)
	}
	l.Sample(time.Hour)
}
