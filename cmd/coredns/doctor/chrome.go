package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
)

// browser is one of Chrome's kind.
type browser struct {
	name     string
	states   []string // files below the user's home
	policies string   // a directory of the machine; empty: there is none
}

// chromes are the browsers that keep their settings as Chrome does.
var chromes = []browser{
	{"Chrome", []string{".config/google-chrome/Local State", "Library/Application Support/Google/Chrome/Local State", `AppData\Local\Google\Chrome\User Data\Local State`}, "/etc/opt/chrome/policies"},
	{"Chromium", []string{".config/chromium/Local State", "snap/chromium/common/chromium/Local State", ".var/app/org.chromium.Chromium/config/chromium/Local State"}, "/etc/chromium/policies"},
	{"Edge", []string{".config/microsoft-edge/Local State", "Library/Application Support/Microsoft Edge/Local State", `AppData\Local\Microsoft\Edge\User Data\Local State`}, "/etc/opt/edge/policies"},
	{"Brave", []string{".config/BraveSoftware/Brave-Browser/Local State", "Library/Application Support/BraveSoftware/Brave-Browser/Local State", `AppData\Local\BraveSoftware\Brave-Browser\User Data\Local State`}, "/etc/brave/policies"},
	{"Vivaldi", []string{".config/vivaldi/Local State"}, ""},
}

// dohSetting is how such a browser asks over HTTPS: mode is "off", "automatic" or "secure".
type dohSetting struct {
	mode, templates string
	file            string // that says so; empty: none does
}

// asks reports whether a resolver of the browser's own is asked. With "automatic" and no template
// that is the system's own resolver, if it is known to serve HTTPS, which an address of this machine
// is not.
func (d *dohSetting) asks() bool {
	return d.mode == "secure" || d.mode == "automatic" && d.templates != ""
}

// chrome looks whether browsers of Chrome's kind ask a resolver of their own.
func chrome(_ context.Context, m *machine) (f found, err error) {
	for i := range chromes {
		b := &chromes[i]
		if d := m.dohPolicy(b); d.file != "" {
			f.saw(fmt.Sprintf("a policy of %s says %s", b.name, d.mode))
			if d.asks() {
				f.add(fmt.Sprintf("A policy has %s ask a resolver of its own over HTTPS%s.", b.name, hosts(d.templates)),
					fmt.Sprintf(`in %s write "DnsOverHttpsMode": "off"`, d.file), fmt.Sprintf(`%s: "DnsOverHttpsMode": %q`, d.file, d.mode))
			}
			continue // a policy has the last word
		}
		for _, pattern := range b.states {
			for _, path := range m.inHome(pattern) {
				d, err := m.dohState(path)
				if err != nil {
					f.saw(fmt.Sprintf("%s cannot be read: %v", path, err))
					continue
				}
				f.saw(fmt.Sprintf("%s asks over HTTPS: %s", b.name, d.mode))
				if d.asks() {
					mend := "switch off Use secure DNS in the settings of " + b.name
					if b.policies != "" {
						mend = fmt.Sprintf(`sudo mkdir -p %s/managed; echo '{"DnsOverHttpsMode": "off"}' | sudo tee %[1]s/managed/dnsmus.json`, b.policies)
					}
					f.add(fmt.Sprintf("%s asks a resolver of its own over HTTPS%s.", b.name, hosts(d.templates)), mend, fmt.Sprintf(`%s: "mode": %q`, path, d.mode))
				}
			}
		}
	}
	if len(f.seen) == 0 {
		f.saw("no browser of Chrome's kind was found")
	}
	return f, nil
}

// dohState is what a file of settings says.
func (m *machine) dohState(path string) (*dohSetting, error) {
	text, err := m.read(path)
	if err != nil {
		return nil, err
	}
	var s struct {
		DoH struct{ Mode, Templates string } `json:"dns_over_https"`
	}
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return nil, err
	}
	d := &dohSetting{s.DoH.Mode, s.DoH.Templates, path}
	if d.mode == "" {
		d.mode = "automatic"
	}
	return d, nil
}

// dohPolicy is what the policies of the machine say: those that are mandatory, and of several files
// the last one.
func (m *machine) dohPolicy(b *browser) (d dohSetting) {
	if b.policies == "" {
		return d
	}
	for _, path := range m.glob(filepath.Join(b.policies, "managed", "*.json")) {
		text, err := m.read(path)
		if err != nil {
			continue
		}
		var p struct{ DnsOverHttpsMode, DnsOverHttpsTemplates string }
		if json.Unmarshal([]byte(text), &p) == nil && p.DnsOverHttpsMode != "" {
			d = dohSetting{p.DnsOverHttpsMode, p.DnsOverHttpsTemplates, path}
		}
	}
	return d
}

// hosts are those of URL templates (RFC 8484, section 3). The paths may be secrets, so they are not
// shown.
func hosts(templates string) string {
	var all []string
	for t := range strings.FieldsSeq(templates) {
		t, _, _ = strings.Cut(t, "{")
		if u, err := url.Parse(t); err == nil && u.Host != "" {
			all = append(all, u.Scheme+"://"+u.Host)
		}
	}
	if len(all) == 0 {
		return ""
	}
	return ": " + strings.Join(all, ", ")
}
