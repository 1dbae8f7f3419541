package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"slices"
	"strings"
)

const (
	nsswitchPath  = "/etc/nsswitch.conf"
	mdnsAllowPath = "/etc/mdns.allow"
)

// service is a word of a line of nsswitch.conf(5), with the actions after it.
type service struct {
	name    string
	actions string // as in "[NOTFOUND=return]"; empty: none
}

// hosts are the services by which the C library looks up hosts, in order.
func (m *machine) hosts() []service {
	text, err := m.read(nsswitchPath)
	if err != nil {
		return []service{{name: "files"}, {name: "dns"}} // glibc's own
	}
	return parseHosts(text)
}

func parseHosts(text string) (all []service) {
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		database, list, found := strings.Cut(line, ":")
		if !found || strings.TrimSpace(database) != "hosts" {
			continue
		}
		all = nil
		list = strings.NewReplacer("[", " [", "]", "] ").Replace(list)
		inside := false
		for word := range strings.FieldsSeq(list) {
			switch inside = inside || word[0] == '['; {
			case !inside:
				all = append(all, service{name: word})
			case len(all) > 0:
				last := &all[len(all)-1]
				last.actions = strings.TrimSpace(last.actions + " " + word)
			}
			inside = inside && !strings.HasSuffix(word, "]")
		}
	}
	return all
}

// ends reports whether a service that answers that there is no such name is the last to be asked.
func (s *service) ends() bool {
	actions := strings.FieldsFunc(strings.ToUpper(s.actions), func(r rune) bool { return strings.ContainsRune(" []", r) })
	return slices.ContainsFunc(actions, func(a string) bool {
		return slices.Contains([]string{"NOTFOUND=RETURN", "!UNAVAIL=RETURN", "!SUCCESS=RETURN", "!TRYAGAIN=RETURN"}, a)
	})
}

// nsswitch looks what is asked before DNS, and keeps names from it.
func nsswitch(ctx context.Context, m *machine) (f found, err error) {
	text, err := m.read(nsswitchPath)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f.saw("there is no " + nsswitchPath)
		return f, nil
	case err != nil:
		return f, err
	case runtime.GOOS == "windows" || runtime.GOOS == "darwin":
		return f, nil
	}
	services := parseHosts(text)
	line := "hosts:"
	for _, s := range services {
		line += strings.TrimRight(" "+s.name+" "+s.actions, " ")
	}
	f.saw(line)
	asksDNS := false
	for _, s := range services {
		switch {
		case s.name == "dns" || s.name == "resolve":
			asksDNS = true
		case strings.HasPrefix(s.name, "mdns") && s.ends() && !asksDNS:
			if zone := m.localZone(); zone != "" {
				f.add(fmt.Sprintf("Names in %s are asked by multicast, and then by nobody: %s %s stands before dns.", zone, s.name, s.actions),
					fmt.Sprintf(`sudo sed -i '/^hosts:/s/%s *\[NOTFOUND=return\]/%[1]s/' %s`, s.name, nsswitchPath), line)
			}
		}
	}
	if !asksDNS {
		f.add("The C library asks no resolver for hosts: neither dns nor resolve is in "+nsswitchPath+".", "sudo sed -i '/^hosts:/s/$/ dns/' "+nsswitchPath, line)
	}
	return f, m.resolveFirst(ctx, services, line, &f)
}

// localZone is a zone of unicast DNS that a service for multicast takes for its own; empty: there is
// none. It takes names of two labels, such as nas.local, and longer ones only if it is told to.
func (m *machine) localZone() string {
	conf, err := m.resolvConf()
	if err != nil {
		return ""
	}
	for _, domain := range conf.search {
		name := strings.ToLower(strings.Trim(domain, "."))
		if name == "local" || strings.HasSuffix(name, ".local") && m.exists(mdnsAllowPath) {
			return name
		}
	}
	return ""
}

// resolveFirst looks whether systemd-resolved stands before dns, has the last word, and asks others.
func (m *machine) resolveFirst(ctx context.Context, services []service, line string, f *found) error {
	if !m.runsResolved() {
		return nil // it is unavailable, so dns comes next
	}
	for _, s := range services {
		if s.name == "dns" {
			return nil
		}
		if s.name != "resolve" || !s.ends() {
			continue
		}
		ways, err := m.ways(ctx)
		if err != nil {
			return err
		}
		for _, w := range ways {
			if w.name == "systemd-resolved" && w.err == nil && !w.leads {
				f.add("The C library asks systemd-resolved before dns, and then nobody; dnsmus is not asked.",
					`sudo sed -i '/^hosts:/s/resolve *\[!UNAVAIL=return\]//' `+nsswitchPath, line)
			}
		}
	}
	return nil
}
