//go:build trace

package main

// The plugin trace brings vendors' clients along, which take a third of the time of a first
// build: it is in releases, and else only where the tag asks for it.
import _ "github.com/coredns/coredns/plugin/trace"
