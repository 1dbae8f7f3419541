package web

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"github.com/dnsmus/dnsmus/internal/testkit"
	"github.com/dnsmus/dnsmus/plugin/control"
	"github.com/dnsmus/dnsmus/plugin/control/api"
)

// What is known of a server, without a page: see model_test.js.
func TestModel(t *testing.T) {
	testkit.Need(t, false, "node")
	if out, err := exec.Command("node", "model_test.js").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// The page chooses among the races that it has as the server would.
func TestWords(t *testing.T) {
	testkit.Need(t, false, "node")
	filters := []string{"", "denied", "failed", "slow", ">1m", ">200ms", ">1h1m1.5s", ">0", "differ", "A", "aaaa", "corp.example", "CORP.example.", "example", "xample", ".", "denied corp.example", "!denied", "!A !aaaa", "!!denied",
		"@" + tun, "@10.1.0.53", "@10.1.0.5", "@192.168.1.1", "@9.9.9.9", "@dns.example", "@tun0", "@2001:db8::1", "@[2001:db8::1]", "only:10.1.0.53", "only:9.9.9.9", "!only:" + tun,
		"asked:all", "asked:none", "asked:knower", "a.corp.example A", `\255.corp.example`}
	var races []*api.Race
	add := func(name, verdict string, change func(*api.Race), said ...string) {
		r := &raced(len(races)+1, name, verdict, said...).Race
		if change != nil {
			change(r)
		}
		races = append(races, r)
	}
	add("a.corp.example.", "good", nil, "good", "nxdomain", "nxdomain")
	add("A.Corp.Example.", "good", func(r *api.Race) { r.Seconds, r.Type = 0.5, "AAAA" }, "good", "good", "nxdomain")
	add("corp.example.", "nodata", func(r *api.Race) { r.Seconds = 0.2 }, "nodata", "nodata")
	add("notcorp.example.", "nxdomain", func(r *api.Race) { r.Seconds = 61 }, "nxdomain", "none")
	add(".", "servfail", func(r *api.Race) { r.Type, r.Asked = "NS", api.AskedNone }, "servfail")
	add(`\255.corp.example.`, "refused", func(r *api.Race) { r.Differ = []string{tun}; r.Asked = api.AskedKnower }, "refused")
	add("b.example.", "none", func(r *api.Race) { r.Upstream, r.Upstreams, r.Type = nil, []api.Leg{}, "TYPE65280" })
	add("b.example.", "cname", nil, "cname")
	add("c.example.", "bogus", nil, "bogus")
	add("c.example.", "truncated", nil, "truncated")
	add("c.example.", "referral", nil, "referral")
	for _, by := range []string{"10.1.0.53:53", "[10.1.0.53%tun0]:53", "[2001:db8::1]:53", "tls://9.9.9.9%dns.example:853", "https://192.0.2.1%dns.example:443/#b3ec", "tls://dns.example:853"} {
		add("d.example.", "good", func(r *api.Race) { r.Upstream, r.Upstreams[0].Upstream = &by, by }, "good")
	}
	given, err := json.Marshal([]any{filters, races})
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command("node", "model_test.js", "wanted")
	c.Stdin = bytes.NewReader(given)
	out, err := c.Output()
	if err != nil {
		t.Fatal(err)
	}
	var got [][]bool
	if err := json.NewDecoder(strings.NewReader(string(out[bytes.IndexByte(out, '['):]))).Decode(&got); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for i, f := range filters {
		wants, err := control.Wanted(f)
		if err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		for j, r := range races {
			if got[i][j] != wants(r) {
				t.Errorf("%q of %s %s by %s: the page says %v", f, r.Name, r.Type, *cmp(r.Upstream), got[i][j])
			}
		}
	}
}

func cmp(s *string) *string {
	if s == nil {
		return to("nobody")
	}
	return s
}
