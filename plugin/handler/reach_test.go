package handler

import (
	"testing"

	"github.com/miekg/dns"

	"github.com/dnsmus/dnsmus/plugin/control/api"
)

// R25: a name by which a command sees who asks this server is answered here, before and after a
// reload; no upstream is asked for it, and nothing of it is kept or remembered.
func TestR25Reach(t *testing.T) {
	t.Parallel()
	up := resolver(t, func(a asked) {
		t.Errorf("an upstream is asked for %s", a.name())
		a.reply(0, nxdomain)
	})
	h := controlledHandler(t, func(c *Config) { c.Cache = 1024 }, up)
	is := linesOf[api.Reached](t, overSocket(t, h, "POST", api.Reach, "{}"))[0]
	for range 2 {
		for qtype, want := range map[uint16]string{dns.TypeA: is.A, dns.TypeAAAA: is.AAAA} {
			r, err := askHandler(t, h, question("libc."+is.Name, qtype))
			if err != nil || len(r.Answer) != 1 || r.Answer[0].Header().Ttl != 0 || dns.Field(r.Answer[0], 1) != want {
				t.Errorf("%v %v, want %s", err, r, want)
			}
		}
		next := controlledHandler(t, func(c *Config) { c.Socket = h.cfg.Socket }, up)
		h.Stop()
		h = next
	}
	if all := historyOf(t, h, ""); len(all) > 0 {
		t.Errorf("%+v is remembered", all)
	}
}
