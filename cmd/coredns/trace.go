//go:build trace

package main

// The plugin trace brings fifty modules along, most of them vendors' clients: it is only where
// the tag asks for it.
import _ "github.com/coredns/coredns/plugin/trace"
