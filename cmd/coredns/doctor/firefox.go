package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
)

// Where Firefox keeps what was set: profiles below the user's home, and policies of the machine.
var (
	firefoxProfiles = []string{
		".mozilla/firefox/*", ".config/mozilla/firefox/*", "snap/firefox/common/.mozilla/firefox/*", ".var/app/org.mozilla.firefox/.mozilla/firefox/*",
		"Library/Application Support/Firefox/Profiles/*", `AppData\Roaming\Mozilla\Firefox\Profiles\*`,
	}
	firefoxPolicies = []string{
		"/etc/firefox/policies/policies.json", "/usr/lib/firefox/distribution/policies.json", "/usr/lib64/firefox/distribution/policies.json",
		"/usr/lib/firefox-esr/distribution/policies.json", "/opt/firefox/distribution/policies.json",
		"/Applications/Firefox.app/Contents/Resources/distribution/policies.json", `C:\Program Files\Mozilla Firefox\distribution\policies.json`,
	}
)

// trrPref is the setting by which Firefox asks a resolver of its own over HTTPS.
const trrPref = "network.trr.mode"

var trrLine = regexp.MustCompile(`(?m)^\s*user_pref\(\s*"network\.trr\.mode"\s*,\s*(-?\d+)\s*\)`)

// trrAsks reports whether Firefox asks a resolver of its own by the value of that setting: 2 asks
// that first, 3 nobody else. By default it asks only where the system's resolver lets it, which
// dnsmus does not.
func trrAsks(mode int) bool { return mode == 2 || mode == 3 }

// firefox looks whether Firefox asks a resolver of its own.
func firefox(_ context.Context, m *machine) (f found, err error) {
	for _, path := range firefoxPolicies {
		text, err := m.read(path)
		if err != nil {
			continue
		}
		var p struct {
			Policies struct {
				DNSOverHTTPS *struct{ Enabled, Locked bool }
			}
		}
		if err := json.Unmarshal([]byte(text), &p); err != nil {
			f.saw(fmt.Sprintf("%s cannot be read: %v", path, err))
			continue
		}
		doh := p.Policies.DNSOverHTTPS
		switch {
		case doh == nil:
		case doh.Enabled:
			f.add("A policy has Firefox ask a resolver of its own over HTTPS, which knows no names of your networks.",
				fmt.Sprintf(`in %s write "DNSOverHTTPS": {"Enabled": false}`, path), path+`: "DNSOverHTTPS": {"Enabled": true}`)
		case doh.Locked:
			f.saw(path + " switches DNS over HTTPS off")
			return f, nil // whatever profiles say
		}
	}
	profiles := 0
	for _, pattern := range firefoxProfiles {
		for _, dir := range m.inHome(pattern) {
			mode, file := m.trrMode(dir)
			if file == "" {
				continue
			}
			profiles++
			f.saw(fmt.Sprintf("%s: %s is %d", dir, trrPref, mode))
			if trrAsks(mode) {
				f.add(fmt.Sprintf("Firefox asks a resolver of its own over HTTPS: %s is %d in a profile.", trrPref, mode),
					fmt.Sprintf(`echo 'user_pref("%s", 5);' >>'%s', then start Firefox anew`, trrPref, filepath.Join(dir, "user.js")), file)
			}
		}
	}
	if profiles == 0 {
		f.saw("no profile of Firefox was found")
	}
	return f, nil
}

// trrMode is the setting of a profile, and the file that says so; empty: it is no profile. What
// user.js says is taken over whenever Firefox starts.
func (m *machine) trrMode(dir string) (mode int, file string) {
	for _, name := range []string{"prefs.js", "user.js"} {
		path := filepath.Join(dir, name)
		text, err := m.read(path)
		if err != nil {
			continue
		}
		if file == "" {
			file = path
		}
		if all := trrLine.FindAllStringSubmatch(text, -1); all != nil {
			mode, _ = strconv.Atoi(all[len(all)-1][1])
			file = path
		}
	}
	return mode, file
}

// inHome returns the paths that match a pattern below the user's home.
func (m *machine) inHome(pattern string) []string {
	if m.home == "" {
		return nil
	}
	if runtime.GOOS != "windows" {
		pattern = filepath.ToSlash(pattern)
	}
	return m.glob(m.home + string(filepath.Separator) + pattern)
}
