//go:build linux

package kubernetes

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
	corev1 "k8s.io/api/core/v1"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

// ground is a node with dnsmus on it, a pod that asks it, the cluster's DNS in
// another pod, and the node's resolvers elsewhere.
type ground struct {
	*node
	manifests manifests
	pod       *host
	cluster   *testkit.Process
	resolvers *testkit.Process
	resolv    string // the node's file
}

// The cluster's DNS knows the cluster's names and denies others.
const clusterCorefile = `
.:53 {
	log . "{proto} {name}"
	template IN A kubernetes.default.svc.cluster.local {
		answer "{{ .Name }} 5 IN A 10.96.0.1"
	}
	template IN SRV _https._tcp.kubernetes.default.svc.cluster.local {
		answer "{{ .Name }} 5 IN SRV 0 100 443 kubernetes.default.svc.cluster.local."
	}
	template IN PTR 1.0.96.10.in-addr.arpa {
		answer "{{ .Name }} 5 IN PTR kubernetes.default.svc.cluster.local."
	}
	template ANY ANY {
		rcode NXDOMAIN
		authority "cluster.local. 5 IN SOA ns.dns.cluster.local. hostmaster.cluster.local. 1 7200 1800 86400 5"
	}
}
`

// Of the node's resolvers each knows one company and denies all else.
const resolversCorefile = `
(denies) {
	template ANY ANY {
		rcode NXDOMAIN
		authority "example. 30 IN SOA ns.example. hostmaster.example. 1 3600 600 86400 30"
	}
	log . "{proto} {name}"
}
.:53 {
	bind 192.0.2.1
	template IN A alpha.example {
		answer "{{ .Name }} 60 IN A 10.1.0.10"
	}
	import denies
}
.:53 {
	bind 192.0.2.2
	template IN A beta.example {
		answer "{{ .Name }} 60 IN A 10.2.0.20"
	}
	import denies
}
.:53 {
	bind 192.0.2.3
	template IN A gamma.example {
		answer "{{ .Name }} 60 IN A 10.3.0.30"
	}
	import denies
}
`

func newGround(t *testing.T, values ...string) *ground {
	t.Helper()
	testkit.Long(t)
	testkit.Need(t, true, "dig", "git", "ip", "nft", "runc", "tar")
	t.Parallel()
	// A bridge, because not every kernel has dummy links.
	all := render(t, append(values, "interface.type=bridge")...)
	g := &ground{node: newNode(t), manifests: all}
	g.resolv = filepath.Join(g.files, "run/systemd/resolve/resolv.conf")
	write(t, g.resolv, "nameserver 192.0.2.1\nnameserver 192.0.2.2\n")

	g.pod = g.podHost(2)
	clusterPod := g.podHost(3)
	run(t, "ip", "netns", "exec", g.ns, "nft", "-f", "testdata/kube-proxy.nft")
	elsewhere := newHost(t)
	g.ip("link add wan up type veth peer name eth0 netns " + elsewhere.ns)
	g.ip("address add 192.0.2.254/24 dev wan")
	g.ip("route add default via 192.0.2.253")
	for _, last := range "123" {
		elsewhere.ip(fmt.Sprintf("address add 192.0.2.%c/24 dev eth0", last))
	}
	elsewhere.ip("link set eth0 up")

	g.cluster = clusterPod.serve(clusterCorefile)
	g.resolvers = elsewhere.serve(resolversCorefile)
	for address, name := range map[string]string{
		clusterDNS: "kubernetes.default.svc.cluster.local", "192.0.2.1": "up.alpha.example",
		"192.0.2.2": "up.beta.example", "192.0.2.3": "up.gamma.example",
	} {
		g.node.expect(address, name, "A", "NOERROR")
	}
	return g
}

// serve runs a DNS server in the host: the one of the image, as any other.
func (h *host) serve(corefile string) *testkit.Process {
	h.Helper()
	root, _ := rootFS(h.T)
	conf := filepath.Join(h.TempDir(), "Corefile")
	write(h.T, conf, corefile)
	return start(h.T, "ip", "netns", "exec", h.ns, filepath.Join(root, "coredns"), "-conf", conf)
}

// expect asks until the reply contains want: an address, or a status.
func (h *host) expect(server, name, kind, want string) {
	h.Helper()
	testkit.Eventually(h.T, func() error {
		if reply := h.dig(server, name, kind); !strings.Contains(reply, want) {
			return fmt.Errorf("%s %s at %s is not %s:\n%s", name, kind, server, want, reply)
		}
		return nil
	})
}

// dig asks once.
func (h *host) dig(server, name, kind string) string {
	kind, transport, _ := strings.Cut(kind, " ")
	out, _ := exec.Command("ip", "netns", "exec", h.ns, // dig fails if there is no reply
		"dig", "-r", "+tries=1", "+time=5", "@"+server, name, kind, cmp.Or(transport, "+notcp")).CombinedOutput()
	return string(out)
}

func TestAgent(t *testing.T) {
	g := newGround(t, "testdata/dualstack.yaml")
	server := g.addPod(g.manifests).server()

	for key, want := range map[string]string{
		"Uid": "65532 65532 65532 65532", "Gid": "65532 65532 65532 65532", "NoNewPrivs": "1",
		"CapEff": "0000000000000400", "CapPrm": "0000000000000400", "CapBnd": "0000000000000400", // NET_BIND_SERVICE
	} {
		if got := server.status(key); got != want {
			t.Errorf("%s of the server is %s, want %s", key, got, want)
		}
	}
	for _, address := range []string{"169.254.20.10", "fd00:90::10"} {
		for _, question := range [][3]string{
			{"kubernetes.default.svc.cluster.local", "A", "10.96.0.1"},
			{"nosuch.default.svc.cluster.local", "A", "NXDOMAIN"},
			{"1.0.96.10.in-addr.arpa", "PTR", "kubernetes.default.svc.cluster.local"},
			{"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa", "PTR", "NXDOMAIN"},
			{"wiki.alpha.example", "A", "10.1.0.10"},
			{"wiki.beta.example", "A", "10.2.0.20"},
			{"wiki.gamma.example", "A", "NXDOMAIN"}, // this resolver is not the node's
		} {
			g.pod.expect(address, question[0], question[1], question[2])
		}
	}

	// Nobody else heard of a name, and the cluster's DNS was asked over TCP, but
	// for the one question with which the test waited for it.
	for line := range strings.Lines(g.resolvers.Printed()) {
		if strings.Contains(line, "cluster.local.") || strings.Contains(line, ".arpa.") {
			t.Errorf("a resolver of the node was asked: %s", line)
		}
	}
	printed := g.cluster.Printed()
	if strings.Contains(printed, ".example.") {
		t.Errorf("the cluster's DNS was asked for names outside:\n%s", printed)
	}
	if !strings.Contains(printed, "tcp kubernetes.default") || strings.Contains(printed, "udp nosuch.default") {
		t.Errorf("the cluster's DNS was not asked over TCP:\n%s", printed)
	}

	g.get("169.254.20.10:9254/health", "OK")
	g.get("169.254.20.10:9255/ready", "OK")
	g.get("10.244.0.1:9253/metrics", "coredns_dnsmus_races_total")
}

// get asks by HTTP from the node, as kubelet does.
func (n *node) get(url, want string) {
	n.Helper()
	client := http.Client{Timeout: testkit.Patience, Transport: &http.Transport{DialContext: n.dialContext}}
	defer client.CloseIdleConnections()
	testkit.Eventually(n.T, func() error {
		response, err := client.Get("http://" + url)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		var body strings.Builder
		if err := response.Write(&body); err != nil {
			return err
		}
		if response.StatusCode != http.StatusOK || !strings.Contains(body.String(), want) {
			return fmt.Errorf("%s does not say %s:\n%s", url, want, body.String())
		}
		return nil
	})
}

// TestResolversChange replaces the node's file while its directory is mounted.
func TestResolversChange(t *testing.T) {
	g := newGround(t)
	g.addPod(g.manifests).server()
	g.pod.expect("169.254.20.10", "wiki.alpha.example", "A", "10.1.0.10")
	write(t, g.resolv, "nameserver 192.0.2.3\n")
	asked := 0 // a name each time: denials are cached
	testkit.Eventually(t, func() error {
		asked++
		if reply := g.pod.dig("169.254.20.10", fmt.Sprintf("x%d.gamma.example", asked), "A"); !strings.Contains(reply, "10.3.0.30") {
			return fmt.Errorf("the new resolver is not asked:\n%s", reply)
		}
		return nil
	})
	if reply := g.pod.dig("169.254.20.10", "other.alpha.example", "A"); !strings.Contains(reply, "NXDOMAIN") {
		t.Errorf("the resolver that is gone is still asked:\n%s", reply)
	}
}

// TestConfigurationChanges wants a changed ConfigMap to be in effect without a
// new pod. The plugin reload looks every half minute, so here more often.
func TestConfigurationChanges(t *testing.T) {
	g := newGround(t)
	corefile := strings.Replace(g.manifests.corefile(t), "reload\n", "reload 2s 1s\n", 1)
	p := g.addPod(g.manifests)
	p.configure("config", map[string]string{"Corefile": corefile})
	p.server()
	g.pod.expect("169.254.20.10", "wiki.alpha.example", "A", "10.1.0.10")
	p.configure("config", map[string]string{"Corefile": strings.Replace(corefile,
		"dnsmus /run/resolv/resolv.conf", "dnsmus 192.0.2.3", 1)})
	asked := 0
	testkit.Eventually(t, func() error {
		asked++
		if reply := g.pod.dig("169.254.20.10", fmt.Sprintf("x%d.gamma.example", asked), "A"); !strings.Contains(reply, "10.3.0.30") {
			return fmt.Errorf("the new configuration is not in effect:\n%s", reply)
		}
		return nil
	})
}

// TestRestart kills the server. Until kubelet starts it again, clients are
// refused at once, and do not wait for nobody.
func TestRestart(t *testing.T) {
	g := newGround(t)
	p := g.addPod(g.manifests)
	server := p.server()
	g.pod.expect("169.254.20.10", "wiki.beta.example", "A", "10.2.0.20")
	server.kill()
	g.pod.expect("169.254.20.10", "wiki.beta.example", "A", "connection refused")
	began := time.Now()
	p.start(p.spec.Containers[0])
	g.pod.expect("169.254.20.10", "wiki.beta.example", "A", "10.2.0.20")
	t.Log("back", time.Since(began).Round(time.Millisecond), "after the start")
}

// TestHelmTest runs what helm test runs, in a pod of its own, while the server
// answers and when it is gone.
func TestHelmTest(t *testing.T) {
	g := newGround(t)
	server := g.addPod(g.manifests).server()
	spec := get[*corev1.Pod](t, g.manifests, "Pod/dnsmus-test-0").Spec
	test := func() *container {
		c := (&pod{node: &node{host: g.pod}, spec: spec}).start(spec.Containers[0])
		<-c.Done()
		return c
	}
	if c := test(); c.ExitCode() != 0 || !strings.Contains(c.Printed(), "443 kubernetes.default.svc.cluster.local.") {
		t.Errorf("the test ends with %d:\n%s", c.ExitCode(), c.Printed())
	}
	server.kill()
	if c := test(); c.ExitCode() != 3 {
		t.Errorf("without a server the test ends with %d:\n%s", c.ExitCode(), c.Printed())
	}
}

// TestService has the node answer at the address of the cluster's DNS service,
// with the rules and the values of the README.
func TestService(t *testing.T) {
	values := filepath.Join(t.TempDir(), "values.yaml")
	write(t, values, readme(t, "yaml", "10.96.0.10"))
	g := newGround(t, values)
	g.addPod(g.manifests).server()
	g.pod.expect("169.254.20.10", "wiki.beta.example", "A", "10.2.0.20")
	g.pod.expect(clusterDNS, "wiki.beta.example", "A", "NXDOMAIN") // kube-proxy redirects

	g.notrack("169.254.20.10, 10.96.0.10")
	for _, client := range []*host{g.pod, g.node.host} {
		for name, want := range map[string]string{
			"wiki.beta.example": "10.2.0.20", "kubernetes.default.svc.cluster.local": "10.96.0.1",
		} {
			client.expect(clusterDNS, name, "A", want)
			client.expect(clusterDNS, name, "A +tcp", want)
			client.expect("169.254.20.10", name, "A", want)
		}
	}
}

// notrack loads the rules of the README for addresses.
func (n *node) notrack(addresses string) {
	n.Helper()
	rules := filepath.Join(n.TempDir(), "rules")
	write(n.T, rules, strings.Replace(readme(n.T, "nft", "notrack"), "169.254.20.10", addresses, 1))
	run(n.T, "ip", "netns", "exec", n.ns, "nft", "-f", rules)
}

// readme is the text of a block of README.md in a language, by a word in it.
func readme(t *testing.T, language, word string) string {
	t.Helper()
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range strings.Split(string(text), "\n~~~ "+language+"\n")[1:] {
		if block, _, _ = strings.Cut(block, "~~~\n"); strings.Contains(block, word) {
			return block
		}
	}
	t.Fatalf("README.md has no %s with %s", language, word)
	return ""
}

// TestUpdates replaces the pod twice as a rolling update with surge does, while
// 500 queries come a second. All must be answered. Few of those that come while a
// server ends may have to be asked a second time: it waits for its last replies at
// the end, and what comes to its socket then has no reader.
func TestUpdates(t *testing.T) {
	g := newGround(t)
	server := g.addPod(g.manifests).server()
	g.pod.expect("169.254.20.10", "wiki.beta.example", "A", "10.2.0.20")
	load := g.pod.load("169.254.20.10:53", 500)
	meanwhile := 0 // queries that were under way while a server ended
	for range 2 {
		next := g.addPod(g.manifests).server()
		_, before := load.counts()
		server.terminate()
		<-server.Done()
		begun, _ := load.counts()
		meanwhile += begun - before
		load.whileAnswered(500)
		server = next
	}
	sent, again, failed := load.stop()
	t.Logf("%d queries, %d while a server ended, %d asked again", sent, meanwhile, again)
	if len(failed) > 0 {
		t.Errorf("%d queries failed, such as %s", len(failed), failed[0])
	}
	if again > meanwhile/10 {
		t.Error("the servers leave a gap")
	}
}

// load asks all the time, for names that are in no cache.
type load struct {
	host    *host
	quit    chan struct{}
	queries sync.WaitGroup

	mu     sync.Mutex
	begun  int
	sent   int // and replied to, or given up
	again  int
	failed []string
}

func (h *host) load(server string, perSecond int) *load {
	l := &load{host: h, quit: make(chan struct{})}
	l.queries.Go(func() {
		tick := time.NewTicker(time.Second / time.Duration(perSecond))
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-l.quit:
				return
			case <-tick.C:
				l.mu.Lock()
				l.begun++
				l.mu.Unlock()
				l.queries.Go(func() { l.ask(server, fmt.Sprintf("x%d.beta.example.", i)) })
			}
		}
	})
	h.Cleanup(func() { l.stop() })
	return l
}

// ask asks from a port of its own, and again if there is no reply, as resolvers
// do. To be refused is a failure.
func (l *load) ask(server, name string) {
	reply, tries, err := l.exchange(server, new(dns.Msg).SetQuestion(name, dns.TypeA))
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent++
	l.again += tries - 1
	if err != nil {
		l.failed = append(l.failed, fmt.Sprint(name, " ", err))
	} else if len(reply.Answer) != 1 {
		l.failed = append(l.failed, reply.String())
	}
}

func (l *load) exchange(server string, query *dns.Msg) (reply *dns.Msg, tries int, err error) {
	conn, err := l.host.dialContext(l.host.Context(), "udp", server)
	if err != nil {
		return nil, 1, err
	}
	defer conn.Close()
	client := dns.Client{Timeout: 5 * time.Second}
	for tries = 1; ; tries++ {
		reply, _, err = client.ExchangeWithConn(query, &dns.Conn{Conn: conn})
		if tries == 2 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return reply, tries, err
		}
	}
}

// whileAnswered returns after n more replies.
func (l *load) whileAnswered(n int) {
	l.host.Helper()
	_, from := l.counts()
	testkit.Eventually(l.host.T, func() error {
		if _, now := l.counts(); now < from+n {
			return fmt.Errorf("%d replies, waiting for %d", now-from, n)
		}
		return nil
	})
}

// counts is how many queries have begun, and how many of these have ended.
func (l *load) counts() (begun, ended int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.begun, l.sent
}

// stop returns how many queries there were, how many tries beside, and failures.
func (l *load) stop() (sent, again int, failed []string) {
	select {
	case <-l.quit:
	default:
		close(l.quit)
	}
	l.queries.Wait()
	return l.sent, l.again, l.failed
}
