package upstream

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// attempted is a connection of firstDialled's tests.
type attempted struct {
	n      int
	closed *atomic.Int32
}

func (c attempted) Close() error { c.closed.Add(1); return nil }

// Another attempt is begun each time that the last has brought nothing for a while; the
// first to connect is used, and the others are closed or given up.
func TestFirstDialled(t *testing.T) {
	errRefused, errLate := errors.New("refused"), errors.New("late")
	never := time.Hour
	for _, tc := range []struct {
		what     string
		takes    []time.Duration // each attempt
		errs     []error
		want     int // which one is used; -1: none
		err      error
		after    time.Duration
		attempts int32
	}{
		{"at once", []time.Duration{10 * ms}, []error{nil}, 0, nil, 10 * ms, 1},
		{"slow", []time.Duration{700 * ms, 700 * ms}, []error{nil, nil}, 0, nil, 700 * ms, 2},
		{"the first is lost", []time.Duration{never, 10 * ms}, []error{nil, nil}, 1, nil, 510 * ms, 2},
		{"two are lost", []time.Duration{never, never, 10 * ms}, []error{nil, nil, nil}, 2, nil, 1010 * ms, 3},
		{"refused", []time.Duration{10 * ms}, []error{errRefused}, -1, errRefused, 10 * ms, 1},
		{"refused late, the second connects", []time.Duration{600 * ms, 300 * ms}, []error{errLate, nil}, 1, nil, 800 * ms, 2},
		{"all fail", []time.Duration{600 * ms, 300 * ms}, []error{errLate, errRefused}, -1, errLate, 800 * ms, 2},
		{"nothing until the end", []time.Duration{never, never, never, never}, []error{nil, nil, nil, nil}, -1, context.DeadlineExceeded, 3 * time.Second, maxAttempts},
	} {
		t.Run(tc.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
				defer cancel()
				var attempts, closed atomic.Int32
				start := time.Now()
				conn, err := firstDialled(ctx, 500*ms, func(ctx context.Context) (attempted, error) {
					n := int(attempts.Add(1)) - 1
					if n >= len(tc.takes) {
						return attempted{}, fmt.Errorf("attempt %d", n)
					}
					if tc.takes[n] == never {
						<-ctx.Done()
						return attempted{}, ctx.Err()
					}
					time.Sleep(tc.takes[n]) // also when ctx is done: some do not look
					return attempted{n, &closed}, tc.errs[n]
				})
				if took := time.Since(start); took != tc.after || !errors.Is(err, tc.err) || attempts.Load() != tc.attempts {
					t.Errorf("%v after %v with %d attempts", err, took, attempts.Load())
				}
				if err == nil && conn.n != tc.want {
					t.Errorf("attempt %d is used", conn.n)
				}
				time.Sleep(time.Second)
				opened := 0
				for i := range int(attempts.Load()) {
					if tc.takes[i] != never && tc.errs[i] == nil && i != tc.want {
						opened++
					}
				}
				if int(closed.Load()) != opened {
					t.Errorf("%d connections are closed, want %d", closed.Load(), opened)
				}
			})
		})
	}
}
