package web

import (
	"fmt"
	"strings"
	"testing"

	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/control/api"
)

// The page shows upstreams, races as they come, and of one that is chosen what each upstream said.
// Each of its keys does what it says.
func TestPage(t *testing.T) {
	w := newWorld(all...)
	w.upstreams[1].State = "down"
	w.zones = []api.Zone{{Zone: "corp.example.", Leader: to(tun), KnownBy: []api.Knower{{Upstream: tun, Answers: 255}}, Missed: []string{quad}}}
	s := w.serve(t)
	b := newTab(t)
	b.open(s.url(""))
	b.until(`document.querySelector('#live').textContent === 'live' && document.querySelectorAll('#upstreams tbody tr').length === 4`)
	w.tell(
		raced(1, "wiki.corp.example.", "good", "good", "down", "nxdomain", "nxdomain"),
		raced(2, "nas.corp.exmaple.", "nxdomain", "nxdomain", "none", "nxdomain", "nxdomain"),
		raced(3, "bad.example.", "servfail", "servfail", "down", "servfail", "servfail"),
	)
	b.until(`document.querySelectorAll('#races tbody tr').length === 3`)
	if got := b.text("#races"); !strings.Contains(got, "nas.corp.exmaple\tA\tNXDOMAIN 5s\t12\ta\t*\t·\tnx\tnx") {
		t.Error(got)
	}
	if got := b.text("#upstreams"); !strings.Contains(got, "b\t10.2.0.53%wg0\tdown 2 h") {
		t.Error(got)
	}
	for _, tc := range [][2]string{{"d", "nas.corp.exmaple"}, {"f", "bad.example"}} { // of which the last is then where the arrow keys begin
		key, want := tc[0], tc[1]
		b.press(key)
		b.until(fmt.Sprintf(`document.querySelectorAll('#races tbody tr').length === 1 && document.querySelector('#races .name').textContent === %q`, want))
		b.press(key)
		b.until(`document.querySelectorAll('#races tbody tr').length === 3`)
	}

	b.press("ArrowDown")
	b.press("ArrowDown")
	b.press("Enter")
	b.until(`document.querySelectorAll('#panel tbody tr').length === 4 && document.querySelector('#panel-title').textContent === 'nas.corp.exmaple A'`)
	w.tell(api.LateEvent{Event: api.Event{Event: api.EventLate}, ID: "000002", Upstream: wg, Seconds: 2.2, Verdict: "good", WouldHaveWon: true})
	b.until(`document.querySelector('#panel').innerText.includes('The denial was wrong') && document.querySelector('#races').innerText.includes('~=')`)
	b.press("Escape")
	b.until(`document.querySelector('#panel').hidden`)

	b.press("p")
	w.tell(raced(4, "later.example.", "good", "good", "down", "good", "good"))
	b.until(`model.rows.length === 4`)
	b.until(`document.querySelector('#live').textContent === 'paused' && !document.querySelector('#races').innerText.includes('later.example')`)
	b.press("p")
	b.until(`document.querySelector('#races').innerText.includes('later.example')`)

	b.press("z")
	b.until(`document.querySelector('#panel').innerText.includes('corp.example.\t10.1.0.53%tun0\t255+')`)
	b.press("?")
	b.until(`document.querySelector('#panel').innerText.includes('A filter is words')`)

	// A filter is the server's, and what it is not is said.
	b.press("/")
	for _, c := range "wiki.corp.example" {
		b.press(string(c))
	}
	b.press("Enter")
	b.until(`document.querySelectorAll('#races tbody tr').length === 1 && location.hash.endsWith('&wiki.corp.example')`)
	b.value(`(of('filter').value = 'nonsense', of('filter').dispatchEvent(new Event('change')), true)`)
	b.until(`document.querySelector('#shown').textContent.includes('is no word of a filter')`)
	b.until(`document.querySelectorAll('#races tbody tr').length === 4`)

	if said := b.complaints(); len(said) > 0 {
		t.Errorf("the browser says %q", said)
	}

	// The server restarts. Meanwhile what the page asks for may fail, which browsers note.
	w.change(func() { w.down, w.pid = true, 913 })
	w.send(nil)
	b.until(`document.querySelector('#live').textContent.includes('no connection')`)
	w.change(func() { w.down = false })
	b.until(`document.querySelector('#live').textContent === 'live' && document.querySelector('#races').innerText.includes('connected again, to process 913')`)
	w.tell(raced(1, "first.again.example.", "good", "good", "down", "good", "good"))
	b.until(`document.querySelector('#races').innerText.includes('first.again.example')`)
}

// Ten thousand races in a moment leave the page readable: it draws a few times a second, and has a bounded number of lines.
func TestFlood(t *testing.T) {
	w := newWorld(all...)
	w.upstreams[0].Domains = []string{"corp.example"}
	s := w.serve(t)
	b := newTab(t)
	b.open(s.url(""))
	b.until(`document.querySelector('#live').textContent === 'live'`)
	b.value(`(() => {
		const draw = drawRaces;
		window.draws = 0;
		window.began = performance.now();
		window.most = 0;
		drawRaces = () => {
			draw();
			draws++;
			most = Math.max(most, document.querySelectorAll('#races tbody tr').length);
		};
	})()`)
	for i := range 5000 {
		w.tell(raced(2*i, fmt.Sprintf("n%d.corp.example.", i), "nxdomain", "nxdomain", "nxdomain", "nxdomain", "nxdomain"),
			raced(2*i+1, fmt.Sprintf("n%d.", i), "good", "good", "good", "good", "good"))
	}
	b.until(`document.querySelector('#races').innerText.includes('n4999')`)
	b.until(`draws <= (performance.now() - began) / drawEvery + 1 && most === maxShown && model.rows.length === maxRows`)
	b.until(`document.querySelector('#races tbody .name').textContent === 'n4999 (x2)'`)
	b.press("d")
	b.until(`document.querySelector('#none').textContent === 'No such query yet.' && document.querySelectorAll('#races tbody tr').length === 0`)
	w.tell(raced(10001, "denied.example.", "nxdomain", "nxdomain", "none", "nxdomain", "nxdomain"))
	b.until(`document.querySelectorAll('#races tbody tr').length === 1`)
}

// Names and other texts that upstreams choose are text, whatever they hold.
func TestHostile(t *testing.T) {
	w := newWorld(all...)
	s := w.serve(t)
	texts := []string{
		`<img/src=x/onerror=alert(1)>.example.`, `</script><script>alert(1)</script>.`, `\027[2J\027]0;x\007.example.`, "\x1b[2J\u202egnp.exe\u2066.", `"onfocus=alert(1)x=".`,
		strings.Repeat(`\255`, 63) + "." + strings.Repeat(`\255`, 63) + "." + strings.Repeat(`\255`, 63) + "." + strings.Repeat(`\255`, 61) + ".",
		`javascript:alert(1).`, "&lt;b&gt;.", "__proto__.", "constructor.",
	}
	for i, text := range texts {
		r := api.Remembered{Race: raced(i+1, text, "nxdomain", "nxdomain", "none", "nxdomain", "nxdomain").Race, Count: 2, Why: api.Why{Text: text, Do: text, Until: text}}
		for j := range r.Upstreams {
			r.Upstreams[j].Why, r.Upstreams[j].Answer, r.Upstreams[j].ExtendedErrors = text, []string{text}, []string{text}
		}
		w.remembered = append([]api.Remembered{r}, w.remembered...)
		w.zones = append(w.zones, api.Zone{Zone: text, Note: text, Missed: []string{text}, System: []api.Domain{{Domain: text, Link: text}}, KnownBy: []api.Knower{{Upstream: text}}})
		w.upstreams = append(w.upstreams, api.Upstream{Upstream: text, State: text, About: text})
	}
	b := newTab(t)
	b.open(s.url(`<img/src=x/onerror=alert(1)>`))
	b.until(fmt.Sprintf(`document.querySelectorAll('#upstreams tbody tr').length === %d`, len(all)+len(texts)))
	b.value(`choose('', '')`)
	b.until(fmt.Sprintf(`document.querySelectorAll('#races tbody tr').length === %d`, len(texts)))
	tags := `[...new Set([...document.querySelectorAll('body, body *')].map((e) => e.localName))].sort().join()`
	want := ""
	for i, text := range texts {
		e := raced(i+100, text, "good", "good", "none", "good", "good")
		e.Data, e.Rcode = &text, text
		w.tell(e, api.UpstreamEvent{Event: api.Event{Event: api.EventUpstream}, Upstream: text, State: text, Why: text}, api.ZoneEvent{Event: api.Event{Event: api.EventZone}, Zone: text, Upstreams: []string{text}})
	}
	b.until(fmt.Sprintf(`document.querySelectorAll('#races tbody tr').length === %d`, 4*len(texts)))
	for i := range texts {
		b.value(fmt.Sprintf(`show(model.rows.filter((r) => r.race)[%d])`, i))
		b.until(`document.querySelectorAll('#panel tbody tr').length === 4`)
		got, err := b.value(tags)
		if err != nil {
			t.Fatal(err)
		}
		want = "abbr,body,button,div,h1,h2,header,input,line,main,noscript,option,p,path,polyline,script,section,select,span,strong,svg,table,tbody,td,th,thead,tr,u,ul"
		if got != want {
			t.Errorf("%s: elements are %s, want %s", texts[i], got, want)
		}
	}
	b.press("z")
	b.until(fmt.Sprintf(`document.querySelectorAll('#panel tbody tr').length === %d`, len(texts)))
	if got, _ := b.value(tags); got != want {
		t.Errorf("elements are %s, want %s", got, want)
	}
	shown, _ := b.value(`document.body.textContent.replace(document.querySelector('script').textContent, '').replace(/[ -~\n]|[≠·↓]/g, '')`)
	if shown != "" {
		t.Errorf("the page shows %q", shown)
	}
	if scripts, _ := b.value(`document.scripts.length`); scripts != 1.0 {
		t.Errorf("there are %v scripts", scripts)
	}
	if said := b.complaints(); len(said) > 0 {
		t.Errorf("the browser says %q", said)
	}
}

// The browser keeps the policy: what a page like this one has no need for, it does not do.
func TestPolicyHolds(t *testing.T) {
	s := newWorld(all...).serve(t)
	b := newTab(t)
	b.open(s.url(""))
	b.until(`document.querySelector('#live').textContent === 'live'`)
	b.value(`document.body.insertAdjacentHTML('beforeend', '<img src=x onerror="window.ran = 1"><p style="color: red"><a href="javascript:window.ran = 1">'), document.querySelector('p a').click()`)
	b.until(`document.images.length === 1 && document.images[0].complete`)
	if ran, _ := b.value(`window.ran === undefined`); ran != true {
		t.Error("an event handler in text ran")
	}
	testkit.Eventually(t, func() error {
		for _, word := range []string{"img-src", "script-src", "style-src"} {
			if said := strings.Join(b.complaints(), "\n"); !strings.Contains(said, word) {
				return fmt.Errorf("no complaint about %s: %s", word, said)
			}
		}
		return nil
	})
}
