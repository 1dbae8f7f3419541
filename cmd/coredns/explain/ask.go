package explain

import (
	"context"
	"sync"

	"github.com/dnsmus/dnsmus/plugin/control/api"
	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/outcome"
	"github.com/dnsmus/dnsmus/plugin/pool"
	"github.com/dnsmus/dnsmus/plugin/server"
)

// ownRaces are held by this process, all at the same time.
type ownRaces struct {
	pool *pool.Pool
	all  []*outcome.Race
}

func newRaces(cfg *config, v option.Values, servers []server.Server) (*ownRaces, error) {
	r := &ownRaces{pool: pool.New(pool.Config{Values: v})}
	r.pool.Replace(servers)
	for _, q := range cfg.questions {
		one, err := outcome.New(r.pool, &v, q)
		if err != nil {
			return nil, err
		}
		r.all = append(r.all, one)
	}
	return r, nil
}

func (r *ownRaces) close() { r.pool.Close() }

func (r *ownRaces) ask(ctx context.Context) ([]api.Outcome, error) {
	outcomes := make([]api.Outcome, len(r.all))
	var asking sync.WaitGroup
	for i, one := range r.all {
		asking.Go(func() { outcomes[i] = one.Ask(ctx) })
	}
	asking.Wait()
	return outcomes, nil
}

func (r *ownRaces) now() (views []view) {
	for _, one := range r.all {
		o, over, since := one.Now()
		views = append(views, view{Outcome: o, over: over, since: since, live: true})
	}
	return views
}
