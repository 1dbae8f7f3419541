package dnsmus

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/coredns/coredns/plugin"

	"github.com/dnsmus/dnsmus/plugin/handler"
	"github.com/dnsmus/dnsmus/plugin/option"
	"github.com/dnsmus/dnsmus/plugin/race"
	"github.com/dnsmus/dnsmus/plugin/server"
)

func prefixes(words ...string) (list []netip.Prefix) {
	for _, w := range words {
		list = append(list, netip.MustParsePrefix(w))
	}
	return list
}

func TestOptions(t *testing.T) {
	for block, change := range map[string]func(*handler.Config){
		"": func(*handler.Config) {},

		"except Corp.Example": func(c *handler.Config) { c.Except = plugin.Zones{"corp.example."} },
		"except a.example. B": func(c *handler.Config) { c.Except = plugin.Zones{"a.example.", "b."} },
		"except .":            func(c *handler.Config) { c.Except = plugin.Zones{"."} },
		"except 10.0.0.0/8 2001:db8::/32": func(c *handler.Config) {
			c.Except = plugin.Zones{"10.in-addr.arpa.", "8.b.d.0.1.0.0.2.ip6.arpa."}
		},
		"except 192.0.2.0/23": func(c *handler.Config) {
			c.Except = plugin.Zones{"2.0.192.in-addr.arpa.", "3.0.192.in-addr.arpa."}
		},

		"bogus 192.0.2.1":             func(c *handler.Config) { c.Rules.Policy.Bogus = prefixes("192.0.2.1/32") },
		"bogus 2001:db8::1":           func(c *handler.Config) { c.Rules.Policy.Bogus = prefixes("2001:db8::1/128") },
		"bogus ::ffff:192.0.2.1":      func(c *handler.Config) { c.Rules.Policy.Bogus = prefixes("192.0.2.1/32") },
		"bogus ::ffff:192.0.2.0/120":  func(c *handler.Config) { c.Rules.Policy.Bogus = prefixes("192.0.2.0/24") },
		"bogus 192.0.2.0/24 10.0.0.1": func(c *handler.Config) { c.Rules.Policy.Bogus = prefixes("192.0.2.0/24", "10.0.0.1/32") },
		"bogus 192.0.2.77/24":         func(c *handler.Config) { c.Rules.Policy.Bogus = prefixes("192.0.2.0/24") },
		"bogus 2001:db8:1:2::3/32":    func(c *handler.Config) { c.Rules.Policy.Bogus = prefixes("2001:db8::/32") },
		"bogus 0.0.0.0/0":             func(c *handler.Config) { c.Rules.Policy.Bogus = prefixes("0.0.0.0/0") },

		"timeout 1500ms": func(c *handler.Config) { c.Rules.Timeout = 1500 * time.Millisecond },
		"timeout 10ms":   func(c *handler.Config) { c.Rules.Timeout = 10 * time.Millisecond },
		"timeout 1m":     func(c *handler.Config) { c.Rules.Timeout = time.Minute },
		"patience 1.5s":  func(c *handler.Config) { c.Patience = 1500 * time.Millisecond },

		"negative_ttl 30s": func(c *handler.Config) { c.NegativeTTL = 30 * time.Second },
		"negative_ttl 0":   func(c *handler.Config) { c.NegativeTTL = 0 },
		"negative_ttl 24h": func(c *handler.Config) { c.NegativeTTL = 24 * time.Hour },

		"tls_servername dns.example": func(c *handler.Config) { c.ServerName = "dns.example" },

		"max_concurrent 1":          func(c *handler.Config) { c.MaxConcurrent = 1 },
		"max_concurrent 0":          func(c *handler.Config) { c.MaxConcurrent = 0 },
		"max_concurrent 2147483647": func(c *handler.Config) { c.MaxConcurrent = 2147483647 },

		"force_tcp":       func(c *handler.Config) { c.ForceTCP = true },
		"prefer_udp":      func(c *handler.Config) { c.PreferUDP = true },
		"forward_special": func(c *handler.Config) { c.ForwardSpecial = true },
		"trust_ad":        func(c *handler.Config) { c.TrustAD = true },

		"cache":          func(c *handler.Config) { c.Cache = 10_000 },
		"cache 1024":     func(c *handler.Config) { c.Cache = 1024 },
		"cache 1000000":  func(c *handler.Config) { c.Cache = 1_000_000 },
		"learn":          func(c *handler.Config) { c.Learn = 10 * time.Minute },
		"learn 1s":       func(c *handler.Config) { c.Learn = time.Second },
		"learn 24h":      func(c *handler.Config) { c.Learn = 24 * time.Hour },
		"prefer order":   func(c *handler.Config) { c.Prefer = option.Order },
		"prefer private": func(c *handler.Config) { c.Prefer = option.Private },
		"away":           func(c *handler.Config) { c.Away = true },
		"filtered":       func(c *handler.Config) { c.Rules.Filtered = true },

		"private_from private vpn 10.1.0.0/16 tls://dns.example": func(c *handler.Config) {
			c.PrivateFrom = option.PrivateFrom{Private: true, VPN: true, Prefixes: prefixes("10.1.0.0/16"), Servers: []server.ID{servers("tls://dns.example")[0].ID}}
		},

		"# first\n force_tcp # why\n\n patience 3s\n timeout 3s": func(c *handler.Config) {
			c.ForceTCP, c.Patience, c.Rules.Timeout = true, 3*time.Second, 3*time.Second
		},
	} {
		want := handler.Config{
			Upstreams: servers("192.0.2.1:53"),
			Values: option.Values{
				Rules:         race.Rules{Timeout: 4 * time.Second},
				Patience:      2 * time.Second,
				NegativeTTL:   5 * time.Second,
				MaxConcurrent: 10000,
			},
		}
		change(&want)
		cfg, err := parseText("dnsmus 192.0.2.1 {\n " + block + "\n}")
		if err != nil || !reflect.DeepEqual(cfg.Config, want) {
			t.Errorf("%s:\n got %+v, %v\nwant %+v", block, cfg.Config, err, want)
		}
	}
}

func TestOptionErrors(t *testing.T) {
	const (
		count    = "wrong number of arguments"
		duration = "is not a duration such as 4s or 500ms"
		limits   = "is not between 10ms and 1m0s"
		number   = "is not a number of queries"
		cidr     = "is not an address range such as"
	)
	for _, tc := range []struct {
		option string
		words  []string
	}{
		{"timout 4s", []string{"unknown option 'timout', perhaps 'timeout'", "bogus, cache, control, except,"}},
		{"Timeout 4s", []string{"unknown option 'Timeout', perhaps 'timeout'"}},
		{"192.0.2.2", []string{"unknown option '192.0.2.2'; the options are"}},

		{"policy sequential", []string{"remove 'policy', an option of forward", "all upstreams are asked at once"}},
		{"health_check 5s", []string{"remove 'health_check'", "'patience'"}},
		{"private_links", []string{"private_links needs 'links'", "dnsmus links"}},

		{"cache }", []string{"'}' stands on a line of its own"}},
		{"except", []string{"except: " + count, "write: except ZONE..."}},
		{"except *.corp.example", []string{"except: '*.corp.example' is not a zone; corp.example is"}},
		{"bind 127.0.0.1", []string{"'bind' is a plugin of its own"}},
		{"except a..example", []string{"except: 'a..example' is not a zone"}},
		{"except a.example ::/0", []string{"except: '::/0' is not a zone"}},
		{`except ""`, []string{"except: '' is not a zone"}},
		{"good qtype", []string{"unknown option 'good'"}},
		{"bogus", []string{"bogus: " + count, "write: bogus CIDR..."}},
		{"bogus 192.0.2.0/24 192.0.2.0/33", []string{"bogus: '192.0.2.0/33' " + cidr}},
		{"bogus 192.0.2", []string{"bogus: '192.0.2' " + cidr}},
		{"bogus host.example", []string{"bogus: 'host.example' " + cidr}},
		{"timeout", []string{"timeout: " + count, "write: timeout DURATION"}},
		{"timeout 4s 5s", []string{"timeout: " + count}},
		{"timeout 4", []string{"timeout: '4' " + duration}},
		{"timeout soon", []string{"timeout: 'soon' " + duration}},
		{"timeout 0", []string{"timeout: '0' " + limits}},
		{"timeout 0s", []string{"timeout: '0s' " + limits}},
		{"timeout -4s", []string{"timeout: '-4s' " + limits}},
		{"timeout 9ms", []string{"timeout: '9ms' " + limits}},
		{"timeout 61s", []string{"timeout: '61s' " + limits}},
		{"timeout 9999999h", []string{"timeout: '9999999h' " + duration}}, // overflows
		{"patience", []string{"patience: " + count, "write: patience DURATION"}},
		{"patience 2s 3s", []string{"patience: " + count}},
		{"patience 2", []string{"patience: '2' " + duration}},
		{"patience 0", []string{"patience: '0' " + limits}},
		{"patience -2s", []string{"patience: '-2s' " + limits}},
		{"patience 2m", []string{"patience: '2m' " + limits}},
		{"negative_ttl", []string{"negative_ttl: " + count, "write: negative_ttl DURATION"}},
		{"negative_ttl 5s 6s", []string{"negative_ttl: " + count}},
		{"negative_ttl 5", []string{"negative_ttl: '5' " + duration}},
		{"negative_ttl 500ms", []string{"negative_ttl: '500ms' is not in whole seconds, as a TTL is; take 0s or 1s; write: negative_ttl DURATION"}},
		{"negative_ttl -5s", []string{"negative_ttl: '-5s' is not between 0s and 24h0m0s"}},
		{"negative_ttl 24h1s", []string{"negative_ttl: '24h1s' is not between 0s and 24h0m0s"}},
		{"max_concurrent", []string{"max_concurrent: " + count, "write: max_concurrent N"}},
		{"max_concurrent 1 2", []string{"max_concurrent: " + count}},
		{"max_concurrent many", []string{"max_concurrent: 'many' " + number}},
		{"max_concurrent -1", []string{"max_concurrent: '-1' " + number}},
		{"max_concurrent 1.5", []string{"max_concurrent: '1.5' " + number}},
		{"max_concurrent 2147483648", []string{"max_concurrent: '2147483648' " + number}},
		{"tls a b c d", []string{"tls: " + count, "write: tls [CERT KEY] [CA]"}},
		{"tls /missing.pem", []string{"tls: ", "/missing.pem"}},
		{"tls_servername", []string{"tls_servername: " + count, "write: tls_servername NAME"}},
		{"tls_servername a b", []string{"tls_servername: " + count}},
		{"force_tcp yes", []string{"force_tcp: " + count, "write: force_tcp"}},
		{"learn 1s 2s", []string{"learn: " + count, "write: learn [DURATION]"}},
		{"learn soon", []string{"learn: 'soon' " + duration}},
		{"learn 0s", []string{"learn: '0s' is not between 1s and 24h0m0s"}},
		{"cache 1000 2000", []string{"cache: " + count, "write: cache [ENTRIES]"}},
		{"cache much", []string{"cache: 'much' is not a number of replies", "write: cache [ENTRIES]"}},
		{"cache 0", []string{"cache: '0' is not between 1024 and 1000000 replies"}},
		{"hedge auto", []string{"unknown option 'hedge'", "the options are away, bogus, cache, control,"}},
		{"spread", []string{"unknown option 'spread'"}},
		{"prefer", []string{"prefer: " + count, "write: prefer order|private"}},
		{"prefer public", []string{"prefer: 'public' is unknown"}},
		{"prefer order 20ms", []string{"prefer: " + count, "write: prefer order|private"}},
		{"away servfail", []string{"away: " + count, "write: away"}},
		{"filtered final", []string{"filtered: " + count, "write: filtered"}},
		{"prefer_udp yes", []string{"prefer_udp: " + count, "write: prefer_udp"}},
		{"forward_special yes", []string{"forward_special: " + count, "write: forward_special"}},
		{"private_from", []string{"private_from: " + count, "write: private_from private|vpn|ADDR..."}},
		{"private_from 10.0.0.0/33", []string{"private_from: '10.0.0.0/33' is no upstream"}},
		{"private_links yes", []string{"private_links: " + count, "write: private_links"}},
		{"control a b", []string{"control: " + count, "write: control [PATH|own]"}},
		{"history many", []string{"history: 'many' is not a number of names, or names or zones", "write: history [N] [names|zones]"}},
		{"history -1", []string{"history: '-1' is not between 0 and 65536"}},
		{"history 65537", []string{"history: '65537' is not between 0 and 65536"}},
		{"history names 5", []string{"history: '5' is not names or zones"}},
		{"history 1 zones 2", []string{"history: " + count}},
		{"trust_ad yes", []string{"trust_ad: " + count, "write: trust_ad"}},
	} {
		wantError(t, "dnsmus 192.0.2.1 {\n\n "+tc.option+"\n}", 3, tc.words...)
	}
	given := make(map[string]bool)
	for _, option := range []string{
		"except a.example", "bogus 192.0.2.1", "timeout 4s", "patience 2s",
		"negative_ttl 5s", "max_concurrent 0", "force_tcp", "prefer_udp", "forward_special", "private_links", "trust_ad", "tls", "tls_servername dns.example",
		"cache", "learn", "prefer order", "away", "filtered", "private_from vpn",
		"control /run/dnsmus/control", "history 100 zones",
	} {
		name, _, _ := strings.Cut(option, " ")
		given[name] = true
		wantError(t, "dnsmus 192.0.2.1 links {\n "+option+"\n "+option+"\n}", 3, "option '"+name+"' is given twice")
	}
	for _, name := range option.Names() {
		if !given[name] {
			t.Errorf("option %s is not tested", name)
		}
	}
	for _, pair := range []string{"force_tcp\n prefer_udp", "prefer_udp\n force_tcp"} {
		wantError(t, "dnsmus 192.0.2.1 {\n "+pair+"\n\n}", 3, "force_tcp and prefer_udp exclude each other")
	}
}
