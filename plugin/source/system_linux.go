package source

// systemKnows is what may know the resolvers of this system.
const systemKnows = "systemd-resolved, NetworkManager, openresolv and resolvconf"

// systemSources returns all sources of what the system knows.
func systemSources() []Source {
	return []Source{newResolved(), newNetworkManager(), &records{dirs: recordDirs(), present: presentInterfaces}}
}
