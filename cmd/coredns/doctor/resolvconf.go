package doctor

import (
	"strconv"
	"strings"

	"github.com/dnsmus/dnsmus/plugin/source"
)

// resolvConfPath says whom programs ask, and what they make of short names.
const resolvConfPath = "/etc/resolv.conf"

// libcServers is how many nameservers the C libraries take (resolv.conf(5)).
const libcServers = 3

// resolvConf is what that file says.
type resolvConf struct {
	servers []string // addresses, with the zone of link-local ones
	search  []string
	ndots   int
	options []string
	text    string
}

// resolvConf reads the file.
func (m *machine) resolvConf() (*resolvConf, error) {
	text, err := m.read(resolvConfPath)
	if err != nil {
		return nil, err
	}
	return parseResolvConf(text), nil
}

func parseResolvConf(text string) *resolvConf {
	c := &resolvConf{ndots: 1, text: text}
	servers, _, _ := source.Parse(strings.NewReader(text)) // reading a string does not fail
	for _, s := range servers {
		addr := s.Addr.Addr().String()
		if s.Link != "" {
			addr += "%" + s.Link
		}
		c.servers = append(c.servers, addr)
	}
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		switch words[0] {
		case "search", "domain": // the last one counts
			c.search = words[1:]
		case "options":
			for _, option := range words[1:] {
				c.options = append(c.options, option)
				if n, err := strconv.Atoi(strings.TrimPrefix(option, "ndots:")); err == nil && strings.HasPrefix(option, "ndots:") {
					c.ndots = n
				}
			}
		}
	}
	return c
}
