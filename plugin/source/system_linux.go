package source

// systemKnows names what may know the resolvers of this system.
const systemKnows = "systemd-resolved, NetworkManager, openresolv and resolvconf"

// systemSources returns a source for each of those.
func systemSources() []Source {
	return []Source{newResolved(), newNetworkManager(), &records{dirs: recordDirs(), present: presentInterfaces}}
}
