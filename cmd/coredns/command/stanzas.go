package command

import (
	"github.com/dnsmus/dnsmus"
	"github.com/dnsmus/dnsmus/cmd/coredns/explain"
)

// stanzas reads a Corefile for explain.
func stanzas(file string, contents []byte) (all []explain.Stanza, err error) {
	read, err := dnsmus.Stanzas(file, contents)
	for _, s := range read {
		all = append(all, explain.Stanza(s))
	}
	return all, err
}
