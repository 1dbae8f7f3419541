package upstream

import (
	"context"
	"io"
	"time"
)

// maxAttempts is how many attempts to connect are under way at a time for one stream.
const maxAttempts = 4

// firstDialled returns the first connection that is opened of several attempts: another is
// begun each time that after has passed without one, since the system repeats a lost SYN
// only after a second, and then after two more. Those that are opened later are closed. If
// all fail, the error is that of the first.
func firstDialled[C io.Closer](ctx context.Context, after time.Duration, dial func(context.Context) (C, error)) (C, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the other attempts, not the connection
	type result struct {
		conn C
		err  error
	}
	results := make(chan result)
	attempt := func() {
		conn, err := dial(ctx)
		select {
		case results <- result{conn, err}:
		case <-ctx.Done():
			if err == nil {
				conn.Close()
			}
		}
	}
	go attempt()
	var none C
	var failed error
	underWay, begun := 1, 1
	again := time.NewTicker(after)
	defer again.Stop()
	for {
		select {
		case r := <-results:
			if r.err == nil {
				return r.conn, nil
			}
			if failed == nil {
				failed = r.err
			}
			if underWay--; underWay == 0 {
				return none, failed
			}
		case <-again.C:
			if begun < maxAttempts {
				underWay, begun = underWay+1, begun+1
				go attempt()
			}
		case <-ctx.Done(): // attempts that do not look at it are not waited for
			return none, ctx.Err()
		}
	}
}
