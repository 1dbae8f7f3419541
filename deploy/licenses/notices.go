package main

import (
	"fmt"
	"strings"
)

// notices lists the modules with their licences, and then the texts; those that are equal
// stand there once.
func notices(modules []module) string {
	var b strings.Builder
	b.WriteString("dnsmus is AGPL-3.0-only. Its programs hold these modules of others; std is Go's standard library.\n" +
		"\"go mod download -x MODULE@VERSION\" fetches the source of one.\n\n")
	var texts []text
	for _, m := range modules {
		texts = append(texts, m.texts...)
		fmt.Fprintf(&b, "    %s %s: %s\n", m.path, m.version, strings.Join(m.licenses, ", "))
	}
	var bodies []string
	of := make(map[string][]string)
	for _, t := range texts {
		if of[t.body] == nil {
			bodies = append(bodies, t.body)
		}
		of[t.body] = append(of[t.body], t.of)
	}
	for _, body := range bodies {
		fmt.Fprintf(&b, "\n%s\n%s\n\n%s\n", strings.Repeat("=", 80), strings.Join(of[body], "\n"), strings.TrimSpace(body))
	}
	return b.String()
}
