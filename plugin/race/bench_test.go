package race

import (
	"context"
	"fmt"
	"testing"

	"github.com/dnsmus/dnsmus/plugin/instant"
)

// silent is an exchange with nothing to do.
type silent struct{}

func (silent) Retry(instant.Time) instant.Time { return instant.Never }
func (silent) Release()                        {}

// BenchmarkRace is what a race costs beside its exchanges: n replies, of which
// the last one is good.
func BenchmarkRace(b *testing.B) {
	for _, n := range []int{1, 3, 5} {
		b.Run(fmt.Sprintf("legs=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r := begin(Setup{}, n, func(i int, leg *Leg) (Exchange, instant.Time) {
					if i == n-1 {
						leg.Reply(goodReply, instant.Now(), false)
					} else {
						leg.Reply(nxdomain, instant.Now(), false)
					}
					return silent{}, instant.Never
				})
				if res := r.Wait(context.Background()); res.Leg != n-1 {
					b.Fatal(res)
				}
				r.End()
			}
		})
	}
}

func BenchmarkJudge(b *testing.B) {
	for _, bc := range []struct {
		what   string
		reply  []byte
		policy Policy
	}{
		{"good", goodReply, Policy{}},
		{"good,alias", wholeAlias, Policy{}},
		{"nxdomain", nxdomain, Policy{}},
	} {
		b.Run(bc.what, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Judge(bc.reply, bc.policy)
			}
		})
	}
}
