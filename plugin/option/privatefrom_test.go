package option

import (
	"strings"
	"testing"

	"github.com/dnsmus/dnsmus/plugin/server"
)

// Upstreams are named as they are written, by their addresses or by their names.
func TestR22PrivateFrom(t *testing.T) {
	for _, tc := range []struct{ words, allowed, others string }{
		{"10.1.0.53", "10.1.0.53 10.1.0.53:5353 10.1.0.53%tun0 tls://10.1.0.53%dns.example", "10.1.0.54 192.0.2.1 [2001:db8::1]:53"},
		{"10.1.0.0/16 2001:db8::/32", "10.1.255.1 [2001:db8:1::1]:53 tls://[2001:db8::1]%dns.example", "10.2.0.1 [2001:db9::1]:53 tls://dns.example"},
		{"::ffff:10.1.0.0/112", "10.1.255.1", "10.2.0.1"},
		{"2001:db8::1", "[2001:db8::1]:5353 [2001:db8::1%eth0]:53", "[2001:db8::2]:53"},
		{"10.1.0.53:53", "10.1.0.53", "10.1.0.53:5353 10.1.0.53%tun0 tls://10.1.0.53"},
		{"10.1.0.53%tun0", "10.1.0.53%tun0 [10.1.0.53%tun0]:53", "10.1.0.53 10.1.0.53%tun1 [10.1.0.53%tun0]:54"},
		{"fe80::1%eth0", "fe80::1%eth0", "fe80::1%eth1 fe80::2%eth0"},
		{"tls://dns.example", "tls://dns.example tls://dns.example:853", "tls://10.1.0.53%dns.example quic://dns.example tls://dns.example:8853"},
		{"https://10.1.0.53%dns.example/abc", "https://10.1.0.53%dns.example/abc https://10.1.0.53%dns.example:443/abc", "https://10.1.0.53%dns.example https://10.1.0.53/abc"},
		{"DNS.Example.", "tls://dns.example https://dns.example/abc quic://192.0.2.1%dns.example:8853", "192.0.2.1 tls://a.dns.example tls://192.0.2.1"},
		{"private", "10.1.0.53 172.16.0.1 192.168.1.1:5353 100.64.0.1 fd00::1 fe80::1%eth0 127.0.0.1 ::1 127.0.0.53:5353 tls://192.168.1.1%dns.example", "192.0.2.1 2001:db8::1 tls://dns.example"},
		{"vpn", "", "192.0.2.1 10.1.0.53 10.1.0.53%tun0 127.0.0.1 tls://dns.example"}, // by their links
		{"vpn 192.0.2.1 private", "192.0.2.1 10.1.0.53", "192.0.2.2"},
		{"", "192.0.2.1 10.1.0.53 tls://dns.example", ""},
	} {
		var v Values
		if tc.words != "" {
			o, _ := Find("private_from")
			if err := o.Set(&v, strings.Fields(tc.words), Reader{}); err != nil {
				t.Errorf("%s: %v", tc.words, err)
				continue
			}
		}
		if v.PrivateFrom.IsSet() != (tc.words != "") || v.PrivateFrom.VPN != strings.Contains(tc.words, "vpn") {
			t.Errorf("%s: %+v", tc.words, v.PrivateFrom)
		}
		for want, list := range map[bool]string{true: tc.allowed, false: tc.others} {
			for word := range strings.FieldsSeq(list) {
				s, err := server.Parse(word)
				if err != nil {
					t.Fatal(err)
				}
				if v.PrivateFrom.Allows(s.ID) != want {
					t.Errorf("%s: %s is allowed: %v", tc.words, word, !want)
				}
			}
		}
	}
	for _, word := range []string{"", ".", "10.0.0.0/33", "10.0.0.0/8/8", "a..b", "host.example:53", "http://dns.example", "224.0.0.1:53", "a b", "https://", "10.1.0.53%"} {
		v := Values{}
		o, _ := Find("private_from")
		if o.Set(&v, []string{word}, Reader{}) == nil {
			t.Errorf("%q is %+v", word, v.PrivateFrom)
		}
	}
}
