//go:build !linux && !darwin && !windows

package source

// systemKnows names what may know the resolvers of this system.
const systemKnows = "openresolv"

// systemSources returns a source for each of those.
func systemSources() []Source {
	return []Source{&records{dirs: recordDirs(), present: presentInterfaces}}
}
