package api_test

import (
	"testing"

	"github.com/dnsmus/dnsmus/plugin/control/api"
)

func TestMeans(t *testing.T) {
	for _, tc := range []struct {
		name, word string
		want       bool
	}{
		{"10.0.0.53:53", "10.0.0.53:53", true},
		{"10.0.0.53:53", "10.0.0.53", true},
		{"10.0.0.53:53", "10.0.0.5", false},
		{"10.0.0.53:5353", "10.0.0.53", true},
		{"[10.0.0.53%tun0]:53", "10.0.0.53", true},
		{"[10.0.0.53%tun0]:53", "10.0.0.53%tun0", true},
		{"[10.0.0.53%tun0]:53", "10.0.0.53%tun1", false},
		{"[10.0.0.53%tun0]:53", "tun0", false},
		{"[2001:db8::1]:53", "2001:db8::1", true},
		{"[2001:db8::1]:53", "[2001:db8::1]", true},
		{"[fe80::1%eth0]:53", "fe80::1", true},
		{"tls://9.9.9.9%dns.quad9.net:853", "9.9.9.9", true},
		{"tls://9.9.9.9%dns.quad9.net:853", "dns.quad9.net", true},
		{"tls://dns.quad9.net:853", "dns.quad9.net", true},
		{"https://192.0.2.1%dns.example:443/#b3ec", "192.0.2.1", true},
		{"https://192.0.2.1%dns.example:443/#b3ec", "https://192.0.2.1%dns.example:443/#b3ec", true},
		{"tls://[[2001:db8::1%tun0]%dns.example]:853", "", false},
		{"", "10.0.0.53", false},
	} {
		if got := api.Means(tc.name, tc.word); got != tc.want {
			t.Errorf("%s means %s: %v", tc.word, tc.name, got)
		}
	}
}
