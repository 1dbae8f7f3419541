package doctor

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
)

func TestFirefox(t *testing.T) {
	const prefs, user = "/home/me/.mozilla/firefox/ab12.default/prefs.js", "/home/me/.mozilla/firefox/ab12.default/user.js"
	const policy = "/etc/firefox/policies/policies.json"
	mode := func(n string) string {
		return "// Mozilla\nuser_pref(\"network.trr.uri\", \"https://x\");\nuser_pref(\"network.trr.mode\", " + n + ");\n"
	}
	diagnose(t, firefox, []scenario{
		{"no Firefox", tree(t, nil), nil},
		{"the default", tree(t, map[string]string{prefs: "user_pref(\"network.trr.uri\", \"\");\n"}), nil},
		{"off", tree(t, map[string]string{prefs: mode("5")}), nil},
		{"first", tree(t, map[string]string{prefs: mode("2")}), []string{"network.trr.mode is 2 | user_pref(\"network.trr.mode\", 5) | " + prefs}},
		{"only", tree(t, map[string]string{prefs: mode("3")}), []string{"network.trr.mode is 3"}},
		{"a comment", tree(t, map[string]string{prefs: "//user_pref(\"network.trr.mode\", 2);\n"}), nil},
		{"user.js has the last word", tree(t, map[string]string{prefs: mode("2"), user: mode("5")}), nil},
		{"also if it switches it on", tree(t, map[string]string{prefs: mode("5"), user: mode("3")}), []string{user}},
		{"a snap", tree(t, map[string]string{"/home/me/snap/firefox/common/.mozilla/firefox/x/prefs.js": mode("2")}), []string{"/home/me/snap/firefox"}},
		{"a policy", tree(t, map[string]string{policy: `{"policies": {"DNSOverHTTPS": {"Enabled": true, "ProviderURL": "https://dns.example/secret"}}}`}), []string{policy + " | \"Enabled\": false"}},
		{"a locked policy", tree(t, map[string]string{prefs: mode("2"), policy: `{"policies": {"DNSOverHTTPS": {"Enabled": false, "Locked": true}}}`}), nil},
		{"a policy that is not locked", tree(t, map[string]string{prefs: mode("2"), policy: `{"policies": {"DNSOverHTTPS": {"Enabled": false}}}`}), []string{prefs}},
		{"a policy of other things", tree(t, map[string]string{policy: `{"policies": {}}`}), nil},
		{"no policy at all", tree(t, map[string]string{policy: `{`}), nil},
	})
}

func TestChrome(t *testing.T) {
	const state, policy = "/home/me/.config/google-chrome/Local State", "/etc/opt/chrome/policies/managed/x.json"
	diagnose(t, chrome, []scenario{
		{"no Chrome", tree(t, nil), nil},
		{"the default", tree(t, map[string]string{state: `{"browser": {}}`}), nil},
		{"automatic", tree(t, map[string]string{state: `{"dns_over_https": {"mode": "automatic", "templates": ""}}`}), nil},
		{"off", tree(t, map[string]string{state: `{"dns_over_https": {"mode": "off", "templates": "https://dns.example/"}}`}), nil},
		{"secure", tree(t, map[string]string{state: `{"dns_over_https": {"mode": "secure", "templates": "https://dns.example/secret{?dns}"}}`}),
			[]string{"Chrome asks a resolver of its own over HTTPS: https://dns.example. | \"DnsOverHttpsMode\": \"off\" | /etc/opt/chrome/policies/managed/dnsmus.json"}},
		{"automatic, with a resolver of its own", tree(t, map[string]string{state: `{"dns_over_https": {"mode": "automatic", "templates": "https://dns.example/{?dns}"}}`}), []string{"dns.example"}},
		{"a policy", tree(t, map[string]string{policy: `{"DnsOverHttpsMode": "secure", "DnsOverHttpsTemplates": "https://dns.example/{?dns}"}`}), []string{"A policy has Chrome ask | " + policy}},
		{"a policy before settings", tree(t, map[string]string{policy: `{"DnsOverHttpsMode": "off"}`, state: `{"dns_over_https": {"mode": "secure"}}`}), nil},
		{"a policy of other things", tree(t, map[string]string{policy: `{"HomepageLocation": "x"}`, state: `{"dns_over_https": {"mode": "secure"}}`}), []string{"Chrome asks"}},
		{"no JSON", tree(t, map[string]string{state: `{`, policy: `{`}), nil},
		{"Chromium and Brave", tree(t, map[string]string{"/home/me/.config/chromium/Local State": `{"dns_over_https": {"mode": "secure"}}`, "/home/me/.config/BraveSoftware/Brave-Browser/Local State": `{"dns_over_https": {"mode": "secure"}}`}),
			[]string{"Chromium asks", "Brave asks"}},
		{"Vivaldi", tree(t, map[string]string{"/home/me/.config/vivaldi/Local State": `{"dns_over_https": {"mode": "secure"}}`}), []string{"Vivaldi asks | switch off Use secure DNS"}},
	})
	f, _ := chrome(t.Context(), tree(t, map[string]string{state: `{"dns_over_https": {"mode": "secure", "templates": "https://dns.example/secret{?dns}"}}`}))
	if text := f.problems[0].What + strings.Join(f.problems[0].Evidence, "") + strings.Join(f.seen, ""); strings.Contains(text, "secret") {
		t.Error(text)
	}
}

func TestDocker(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("it is looked at on Linux alone")
	}
	with := func(conf, daemon string) *machine {
		files := map[string]string{"/etc/resolv.conf": conf, "/usr/bin/dockerd": ""}
		if daemon != "" {
			files[daemonJSON] = daemon
		}
		return tree(t, files)
	}
	loop, bridge := listening("127.0.0.123:53"), listening("127.0.0.123:53", "172.17.0.1:53")
	stub := with("nameserver 127.0.0.53\n", "")
	behind := tree(t, map[string]string{"/etc/resolv.conf": "nameserver 127.0.0.53\n", "/usr/bin/dockerd": "", "/run/systemd/resolve/resolv.conf": "nameserver 192.168.1.1\n"})
	diagnose(t, docker, []scenario{
		{"no Docker", tree(t, map[string]string{"/etc/resolv.conf": "nameserver 127.0.0.123\n"}), nil},
		{"a resolver of the network", with("nameserver 192.168.1.1\n", ""), nil},
		{"a loopback one", with("nameserver 127.0.0.123\n", "{}").served(t, loop, nil), []string{"default bridge ask 8.8.8.8 | have dnsmus listen on 172.17.0.1 too | nameserver 127.0.0.123"}},
		{"a loopback one, and dnsmus on the bridge", with("nameserver 127.0.0.123\n", "").served(t, bridge, nil), []string{`write "dns": ["172.17.0.1"] in /etc/docker/daemon.json`}},
		{"another bridge", with("nameserver 127.0.0.123\n", `{"bip": "10.9.0.1/24"}`).served(t, loop, nil), []string{"listen on 10.9.0.1 too"}},
		{"one of both kinds, of which Docker takes the other", with("nameserver 127.0.0.123\nnameserver 192.168.1.1\n", "").served(t, loop, nil), nil},
		{"the stub, alone", stub, []string{"8.8.8.8"}},
		{"the stub, behind which Docker looks", behind, nil},
		{"dnsmus is named", with("nameserver 127.0.0.123\n", `{"dns": ["172.17.0.1"]}`).served(t, bridge, nil), nil},
		{"another is named", with("nameserver 127.0.0.123\n", `{"dns": ["172.17.0.1", "9.9.9.9"]}`).served(t, bridge, nil), []string{"containers ask 9.9.9.9 | \"dns\": [\"172.17.0.1\",\"9.9.9.9\"]"}},
	})
	for name, m := range map[string]*machine{"daemon.json": with("", "{"), "no running dnsmus": with("", `{"dns": ["172.17.0.1"]}`)} {
		if f, err := docker(t.Context(), m); err == nil || !strings.Contains(err.Error(), name) || len(f.problems) > 0 {
			t.Errorf("%s: %v %+v", name, err, f)
		}
	}
}

func TestPortal(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("it is looked at on Linux alone")
	}
	with := func(state uint32, uri string, err error) *machine {
		m := tree(t, nil)
		m.connectivity = func(context.Context) (uint32, string, error) { return state, uri, err }
		return m
	}
	diagnose(t, portal, []scenario{
		{"no NetworkManager", with(0, "", errNoManager), nil},
		{"it does not know", with(connectivityUnknown, "", nil), nil},
		{"nothing at all", with(connectivityNone, "", nil), nil},
		{"full", with(connectivityFull, "", nil), nil},
		{"a portal", with(connectivityPortal, "http://check.example/x?y&z", nil), []string{"captive portal | xdg-open 'http://check.example/x?y&z' | Connectivity: a portal"}},
		{"a portal, looked for nowhere", with(connectivityPortal, "", nil), []string{"log in"}},
		{"limited", with(connectivityLimited, "", nil), []string{"does not lead to the Internet"}},
	})
	if _, err := portal(t.Context(), with(0, "", errors.New("no rights"))); err == nil {
		t.Error("that it could not look is not said")
	}
}
