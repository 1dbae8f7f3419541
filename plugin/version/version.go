// Package version tells which dnsmus this is, in the command and in a CoreDNS that somebody
// else has compiled it into.
package version

import (
	"cmp"
	"runtime/debug"
	"strings"
	"sync"
)

const module = "github.com/dnsmus/dnsmus"

// released is the version of a release. deploy/compile sets it, because releases hold nothing
// of the checkout that they were built in.
var released string

// next is the release that is being prepared.
const next = "0.1.0"

// String returns the version, such as 1.2.3, or 0.0.0-20261130120000-0123456789ab for a
// commit. Where Go has noted none, as in tests and in archives of the sources, it is that of the
// next release with "-devel".
var String = sync.OnceValue(func() string {
	info, _ := debug.ReadBuildInfo()
	return cmp.Or(released, of(info), next+"-devel")
})

// of returns the version that Go noted when it built the program; empty: none.
func of(info *debug.BuildInfo) string {
	if info == nil {
		return ""
	}
	if info.Main.Path == module {
		return noted(&info.Main)
	}
	for _, dep := range info.Deps {
		if dep.Path == module {
			return noted(dep)
		}
	}
	return ""
}

// noted returns the version of a module. A directory has none: what go.mod requires in its
// place is no more than a word.
func noted(m *debug.Module) string {
	if m.Replace != nil {
		m = m.Replace
	}
	if m.Version == "(devel)" {
		return ""
	}
	return strings.TrimPrefix(m.Version, "v")
}
