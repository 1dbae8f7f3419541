package doctor

import (
	"os"
	"regexp"
	"strings"
)

// mask hides what does not belong in a ticket: the first labels of names, which name machines,
// people or accounts; the paths of URLs, which may be secrets; the user's home and the machine's
// name. Addresses stay, for without them no ticket about DNS can be answered.
func (r *result) mask(m *machine) {
	host, _ := os.Hostname()
	hide := func(text *string) { *text = masked(*text, m.home, host) }
	if r.Server != nil {
		hide(r.Server)
	}
	for i := range r.Checks {
		c := &r.Checks[i]
		for j := range c.Problems {
			p := &c.Problems[j]
			hide(&p.What)
			hide(&p.Mend)
			for k := range p.Evidence {
				hide(&p.Evidence[k])
			}
		}
		for j := range c.Seen {
			hide(&c.Seen[j])
		}
		if c.CouldNotLook != nil {
			hide(c.CouldNotLook)
		}
	}
}

var (
	urlPath = regexp.MustCompile(`(https?|quic|tls)://[^\s"'/?#]*[/?#][^\s"']*`)
	word    = regexp.MustCompile(`[^\s"'(),;]+`)
	// longName is a name of three labels or more.
	longName = regexp.MustCompile(`(^|[^\w.\\-])([\w*\\-]+)((?:\.[\w\\-]+){2,}\.?)`)
	inHome   = regexp.MustCompile(`(/home/|/Users/|\\Users\\)[^/\\\s"']+`)
)

// masked is text without what does not belong in a ticket.
func masked(text, home, host string) string {
	if len(home) > 1 {
		text = strings.ReplaceAll(text, home, "~")
	}
	text = inHome.ReplaceAllString(text, "${1}*")
	text = urlPath.ReplaceAllStringFunc(text, func(url string) string {
		end := strings.Index(url, "://") + len("://")
		end += strings.IndexAny(url[end:], "/?#")
		return url[:end] + "/*"
	})
	text = word.ReplaceAllStringFunc(text, func(w string) string {
		if w[0] == '/' || w[0] == '~' || strings.Contains(w, `:\`) {
			return w // a path
		}
		return longName.ReplaceAllStringFunc(w, maskName)
	})
	if len(host) > 1 {
		text = regexp.MustCompile(`\b`+regexp.QuoteMeta(host)+`\b`).ReplaceAllString(text, "*")
	}
	return text
}

// notNames are words that look like names. No domain at the top begins with a digit, so addresses
// and versions are among them.
var notNames = regexp.MustCompile(`^(network\.trr\.|org\.freedesktop\.)|\.\d[\w-]*$`)

// maskName hides the first label of a match of longName, if it is a name.
func maskName(match string) string {
	parts := longName.FindStringSubmatchIndex(match)
	before, name := match[:parts[4]], match[parts[4]:]
	if notNames.MatchString(strings.TrimSuffix(name, ".")) {
		return match
	}
	_, zone, _ := strings.Cut(name, ".")
	return before + "*." + zone
}
