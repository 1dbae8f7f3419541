package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/dnsmus/dnsmus/cmd/coredns/client"
	"github.com/dnsmus/dnsmus/plugin/control/api"
	"github.com/dnsmus/dnsmus/plugin/printable"
)

// way is how programs ask for names. It leads to dnsmus if what it brings is what the server alone
// can know.
type way struct {
	name  string // of what asks
	via   string // whom it asks, if that is known
	leads bool
	got   string // what came instead
	err   error  // why it could not be tried
	// used says that programs ask so; else it is only told.
	used bool
}

// reach looks whether what programs ask for comes to dnsmus.
func reach(ctx context.Context, m *machine) (f found, err error) {
	ways, err := m.ways(ctx)
	if err != nil {
		return f, err
	}
	var failed []string
	for _, w := range ways {
		switch {
		case w.err != nil:
			failed = append(failed, fmt.Sprintf("%s: %v", w.name, w.err))
		case w.leads:
			f.saw(w.name + " reaches dnsmus")
		case !w.used:
			f.saw(fmt.Sprintf("%s does not reach dnsmus, and nothing here leads programs to it", w.name))
		}
	}
	for _, w := range ways {
		if w.err == nil && !w.leads && w.used {
			f.add(fmt.Sprintf("%s does not reach dnsmus%s.", w.name, instead(&w, ways)), m.leadHere(), m.shows(&w)...)
		}
	}
	if len(failed) > 0 {
		err = errors.New(strings.Join(failed, "; "))
	}
	return f, err
}

// instead says who is asked in place of dnsmus.
func instead(w *way, ways []way) string {
	switch {
	case strings.HasSuffix(w.name, " "+w.via): // it is a nameserver itself
		return ""
	case w.via != "":
		return ": it asks " + w.via
	}
	var others []string
	lead := false
	for _, o := range ways {
		if lead = lead || o.leads; o.via != "" && !o.leads && o.used {
			others = append(others, o.via)
		}
	}
	switch {
	case len(others) > 0:
		return ": it asks " + printable.And(others)
	case lead:
		return ", though the nameservers of " + resolvConfPath + " lead there"
	}
	return ""
}

// shows are lines that show what became of a question.
func (m *machine) shows(w *way) []string {
	return []string{"a name that only dnsmus knows: " + w.got, m.writer()}
}

// ways asks in each way for a name that only the server knows. It does so once.
func (m *machine) ways(ctx context.Context) ([]way, error) {
	if m.tried == nil {
		ways, err := m.try(ctx)
		m.tried = &tried{ways, err}
	}
	return m.tried.ways, m.tried.err
}

// tried is what came of it.
type tried struct {
	ways []way
	err  error
}

func (m *machine) try(ctx context.Context) ([]way, error) {
	s, _, err := m.running()
	if err != nil {
		return nil, err
	}
	var is api.Reached
	err = s.Post(ctx, api.Reach, struct{}{}, &is)
	var refused *client.Error
	if errors.As(err, &refused) && refused.Status == client.ExitUsage {
		return nil, errors.New("the server that runs is older than this command; restart it")
	}
	if err != nil {
		return nil, err
	}
	ways := []way{m.byLibc(ctx, &is)}
	conf, err := m.resolvConf()
	if err == nil {
		for i, addr := range conf.servers {
			if i == libcServers {
				break
			}
			ways = append(ways, m.byNameserver(ctx, &is, addr, i))
		}
	}
	if m.runsResolved() {
		w := m.byResolved(ctx, &is)
		w.used = err == nil && slices.Contains(conf.servers, resolvedStub) || m.asksResolved()
		ways = append(ways, w)
	}
	return ways, nil
}

// leads reports whether what a way brings is what the server has said.
func leads(text string, is *api.Reached) bool {
	return slices.ContainsFunc(strings.Fields(text), func(word string) bool { return word == is.A || word == is.AAAA })
}
