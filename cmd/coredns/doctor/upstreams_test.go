package doctor

import (
	"testing"
	"time"

	"github.com/dnsmus/dnsmus/plugin/control/api"
)

// replies are those of one upstream to one question, with the seconds that they took; a negative one
// has not come.
func replies(upstream string, seconds float64, stream bool) api.Outcome {
	leg := api.Leg{Upstream: upstream, Why: "no reply in time"}
	if seconds >= 0 {
		rcode := "NOERROR"
		leg.Seconds, leg.Rcode, leg.Stream, leg.Why = &seconds, &rcode, stream, ""
	}
	return api.Outcome{Upstreams: []api.Leg{leg}}
}

// healthy is an interview with an upstream that is as it should be.
func healthy(upstream string) *interview {
	quick := replies(upstream, 0.01, false)
	return &interview{addr: quick, addr6: quick, https: quick, keys: replies(upstream, 0.02, true), tcp: replies(upstream, 0.01, true)}
}

func TestUpstreams(t *testing.T) {
	const name = "192.0.2.53:53"
	link, since := "tun0", time.Now().Add(-time.Minute)
	var all []scenario
	for _, w := range []struct {
		name string
		u    api.Upstream
		edit func(*interview)
		want []string
	}{
		{"all is well", api.Upstream{State: "up"}, nil, nil},
		{"a VPN that is down", api.Upstream{State: "gone", Link: &link}, nil, nil},
		{"a VPN that is up with a silent resolver", api.Upstream{State: "down", Link: &link, About: "silent since 12:00"}, nil,
			[]string{"silent, though its interface tun0 is up | connect the VPN or network of tun0 anew | silent since 12:00"}},
		{"silent without a link", api.Upstream{State: "down"}, nil, []string{name + " is silent. | /etc/x"}},
		{"an error", api.Upstream{State: "failing", LastError: &api.LastError{Text: "connection refused"}}, nil, []string{"fail | connection refused"}},
		{"a certificate", api.Upstream{State: "failing", LastError: &api.LastError{Text: "x509: certificate is valid for portal.example"}}, nil, []string{"certificate that does not hold | portal"}},
		{"a clock", api.Upstream{State: "failing", LastError: &api.LastError{Text: "x509: certificate has expired or is not yet valid: current time 1970"}}, nil, []string{"clock is wrong | timedatectl | the clock says"}},
		{"an error that is over", api.Upstream{State: "up", LastError: &api.LastError{Text: "x509: certificate is not valid"}}, nil, nil},
		{"no EDNS", api.Upstream{State: "up", EDNSUntil: &since}, nil, []string{"rejects EDNS"}},
		{"zones without reply", api.Upstream{State: "up", UnresponsiveZones: []string{"corp.example."}}, nil, []string{"corp.example."}},
		{"types without reply", api.Upstream{State: "up", UnresponsiveTypes: []string{"HTTPS"}}, nil, []string{"questions for HTTPS"}},
		{"AAAA and HTTPS", api.Upstream{State: "up", UnresponsiveTypes: []string{"AAAA"}},
			func(in *interview) {
				in.addr6, in.https = replies(name, -1, false), replies(name, -1, false)
			}, []string{"questions for AAAA and HTTPS | no reply in time"}},
		{"DO", api.Upstream{State: "up"}, func(in *interview) { in.keys = replies(name, -1, false) }, []string{"DNSKEY with DO"}},
		{"large replies are lost", api.Upstream{State: "up"}, func(in *interview) { in.keys = replies(name, 1.6, true) }, []string{"1,232 bytes | mtu"}},
		{"large replies are slow", api.Upstream{State: "up"}, func(in *interview) { in.keys = replies(name, 1.6, false) }, nil},
		{"no UDP", api.Upstream{State: "up"}, func(in *interview) { in.addr, in.keys = replies(name, 1.6, true), replies(name, 1.6, true) }, []string{"over UDP | over TCP, after 1.6"}},
		{"no UDP, and nobody wants it", api.Upstream{State: "up", Stream: &api.Path{OK: true}}, func(in *interview) { in.addr, in.keys = replies(name, 1.6, true), replies(name, 1.6, true) }, nil},
		{"no TCP", api.Upstream{State: "up"}, func(in *interview) { in.tcp = replies(name, -1, true) }, []string{"cannot be asked over TCP"}},
		{"a firewall", api.Upstream{State: "up"}, func(in *interview) {
			no := replies(name, -1, false)
			*in = interview{addr: no, addr6: no, https: no, keys: no, tcp: no}
		}, []string{"all questions"}},
	} {
		w.u.Upstream, w.u.ToldBy, w.u.Since = name, []string{"/etc/x"}, since
		in := healthy(name)
		if w.edit != nil {
			w.edit(in)
		}
		state := listening("127.0.0.123:53")
		state.Servers[0].Upstreams = []api.Upstream{w.u}
		m := tree(t, nil).served(t, state, nil)
		m.interviews = map[string]*interview{"127.0.0.123:53": in}
		all = append(all, scenario{w.name, m, w.want})
	}
	none := tree(t, nil).served(t, listening(":53"), nil)
	all = append(all, scenario{"no upstream", none, []string{"has no upstream | links"}})
	diagnose(t, upstreams, all)
	for _, c := range []check{{look: upstreams}, {look: liars}, {look: systemsOwn}, {look: zones}, {look: denied}} {
		if f, err := c.look(t.Context(), tree(t, nil)); err == nil {
			t.Errorf("without a server there is no error, but %+v", f)
		}
	}
}

// An encrypted upstream may need options that only the server has.
func TestUpstreamsEncrypted(t *testing.T) {
	const name = "tls://192.0.2.53:853"
	no := replies(name, -1, false)
	in := &interview{addr: no, addr6: no, https: no, keys: no, tcp: no}
	var f found
	in.judge(&f, &api.Upstream{Upstream: name})
	in.judge(&f, &api.Upstream{Upstream: "https://192.0.2.53/#b3ec"})
	if len(f.problems) > 0 || len(f.seen) != 2 {
		t.Errorf("%+v", f)
	}
	for upstream, want := range map[string]bool{"[10.0.0.53%tun0]:53": true, name: true, "https://192.0.2.53:443": true, "https://192.0.2.53:443/#b3ec": false, "resolver": false} {
		if askable(upstream) != want {
			t.Errorf("%s can be asked: %v", upstream, !want)
		}
	}
}
