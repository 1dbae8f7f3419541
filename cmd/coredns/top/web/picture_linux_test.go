package web

import (
	"encoding/base64"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/dnsmus/dnsmus/plugin/control/api"
)

// pictures is where pictures of the page are to be written, for the documents:
//
//	go test ./cmd/coredns/top/web -run TestPictures -pictures $PWD/docs
var pictures = flag.String("pictures", "", "write pictures of the page into this directory")

// The page has all that is shown in light and in dark, and pictures of it are made if they are wanted.
func TestPictures(t *testing.T) {
	w := newWorld(all...)
	begin := time.Now()
	w.upstreams[1].State, w.upstreams[1].Since, w.upstreams[1].P50, w.upstreams[1].P95 = "down", begin.Add(-42*time.Second), nil, nil
	w.upstreams[1].Hour = api.Tally{Asked: 2100, Good: 88, Denied: 1971, Silent: 41, Only: 88}
	w.upstreams[0].Hour = api.Tally{Asked: 4000, Good: 480, Denied: 3520, Only: 214}
	s := w.serve(t)
	b := newTab(t)
	b.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": 1080, "height": 760, "deviceScaleFactor": 1, "mobile": false}, nil)
	b.open(s.url(""))
	b.until(`document.querySelector('#live').textContent === 'live'`)

	answer := func(id int, name, qtype, data, verdict string, said ...string) *api.RaceEvent {
		e := raced(id, name, verdict, said...)
		e.Type, e.At = qtype, begin.Add(time.Duration(id)*150*time.Millisecond)
		if data != "" {
			e.Data = &data
		}
		for i := range e.Upstreams {
			if l := &e.Upstreams[i]; l.Winner {
				e.Seconds = *l.Seconds
			}
		}
		return e
	}
	differ := answer(5, "intra.example.org.", "A", "10.1.7.7", "good", "good", "down", "good", "good")
	differ.Differ = []string{wlan, quad}
	away := answer(7, "git.corp2.example.", "A", "", "nxdomain", "nxdomain", "down", "nxdomain", "nxdomain")
	away.Changed, away.Rcode, away.Seconds, away.TTL, away.Upstream = to("away"), "SERVFAIL", 0.061, nil, nil
	away.Upstreams[0].Winner = false
	slow := answer(9, "slow.example.net.", "A", "192.0.2.9", "good", "none", "down", "none", "good")
	slow.Seconds, slow.Upstreams[3].Seconds = 0.913, to(0.913)
	w.tell(
		answer(1, "www.example.com.", "A", "192.0.2.80", "good", "good", "down", "good", "good"),
		answer(2, "db.prod.svc.cluster.local.", "A", "", "nxdomain", "nxdomain", "nxdomain", "nxdomain", "nxdomain"),
		answer(3, "db.prod.cluster.local.", "A", "", "nxdomain", "nxdomain", "nxdomain", "nxdomain", "nxdomain"),
		answer(4, "db.prod.", "A", "10.2.3.4", "good", "good", "down", "nxdomain", "nxdomain"),
		differ,
		answer(6, "nas.corp.exmaple.", "A", "", "nxdomain", "nxdomain", "none", "nxdomain", "nxdomain"),
		away,
		answer(8, "www.example.org.", "AAAA", "2001:db8::5", "good", "good", "down", "good", "good"),
		slow,
		answer(10, "wiki.corp.example.", "A", "10.1.0.10", "good", "good", "down", "nxdomain", "nxdomain"),
	)
	b.until(`document.querySelectorAll('#races tbody tr').length === 8`)
	// Graphs of some minutes, which pass quickly here.
	b.value(`(() => {
		const { state } = model;
		for (let i = 0; i < points; i++) {
			state.servers[0].upstreams.forEach((u, n) => {
				const gone = n === 1 && i > 60;
				u.state = gone ? 'down' : 'up';
				u.minute.asked = Math.round(2000 - 250 * n + 300 * Math.sin(i / 5 + n) + 150 * Math.sin(i * 1.7 + n));
				u.minute.silent = gone ? 500 : n === 3 && i > 30 && i < 36 ? 300 : 0;
			});
			model.takeState(state, Date.now() + i * pointEvery);
		}
	})()`)
	r := api.Remembered{Race: away.Race, Count: 1, Why: api.Why{
		Text: "10.2.0.53%wg0 alone has answered in corp2.example. (88 names in the last hour), and it is down: it replied to nothing over UDP and TCP.",
		Do:   "Connect that VPN again.",
	}}
	w.change(func() { w.remembered = []api.Remembered{r} })
	b.value(`show(model.rows.find((r) => r.race && r.race.name === 'git.corp2.example.'))`)
	b.until(`document.querySelectorAll('#panel tbody tr').length === 4`)
	b.until(`document.querySelector('#panel').innerText.includes('Why: 10.2.0.53')`)
	colours := map[string]bool{}
	for _, scheme := range []string{"light", "dark"} {
		b.call("Emulation.setEmulatedMedia", map[string]any{"features": []map[string]string{{"name": "prefers-color-scheme", "value": scheme}}}, nil)
		colour, err := b.value(`getComputedStyle(document.body).backgroundColor + ' ' + getComputedStyle(document.body).color`)
		if err != nil {
			t.Fatal(err)
		}
		colours[colour.(string)] = true
		if *pictures == "" {
			continue
		}
		var shot struct{ Data string }
		b.call("Page.captureScreenshot", map[string]any{"format": "png"}, &shot)
		png, err := base64.StdEncoding.DecodeString(shot.Data)
		if err == nil {
			err = os.WriteFile(filepath.Join(*pictures, "top-"+scheme+".png"), png, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(colours) != 2 {
		t.Errorf("light and dark have the colours %v", colours)
	}
}
