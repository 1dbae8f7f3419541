//go:build !notrace

package main

// The plugin trace brings vendors' clients along, which are a third of all code: a build
// with the tag notrace goes without.
import _ "github.com/coredns/coredns/plugin/trace"
