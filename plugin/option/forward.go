package option

// Forward has the options of CoreDNS's plugin forward that a stanza does not have, and what
// becomes of each. docs/from-forward.md has them all.
var Forward = map[string]string{
	"policy":                           "all upstreams are asked at once",
	"health_check":                     "each query shows which upstreams reply; one that is silent for 'patience' is not waited for until it is back",
	"max_fails":                        "an upstream that is silent for 'patience' is not waited for until it is back",
	"max_connect_attempts":             "'timeout' bounds how long a query takes",
	"expire":                           "an idle connection is closed after 10s, an encrypted one after 2m",
	"max_age":                          "idle connections are closed soon, and when the network changes",
	"max_idle_conns":                   "all queries share a few connections to each upstream",
	"read_timeout":                     "'timeout' is how long all upstreams are waited for, 4s unless given",
	"doh_method":                       "HTTPS is asked by POST",
	"next":                             "a denial or an error of one upstream is no reply while another may have an answer; name all upstreams in one stanza",
	"next_on_nodata":                   "NODATA of one upstream is no reply while another may have an answer; name all upstreams in one stanza",
	"failover":                         "an error of one upstream is no reply while another may have an answer",
	"failfast_all_unhealthy_upstreams": "while all upstreams are down each query waits for them, up to 'timeout'",
	"resolver":                         "the address of an upstream known by name, as in tls://dns.example, is looked up at those given by address",
	"source_address":                   "an interface may follow the upstream, as in 192.0.2.1%tun0",
}
