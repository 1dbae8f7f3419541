//go:build !linux && !darwin && !windows

package source

// systemKnows is what may know the resolvers of this system.
const systemKnows = "openresolv"

// systemSources returns all sources of what the system knows.
func systemSources() []Source {
	return []Source{&records{dirs: recordDirs(), present: presentInterfaces}}
}
