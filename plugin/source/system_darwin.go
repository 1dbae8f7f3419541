package source

import (
	"context"
	"fmt"
	"os/exec"
	"time"
)

// systemKnows names what may know the resolvers of this system.
const systemKnows = "scutil and openresolv"

// systemSources returns a source for each of those.
func systemSources() []Source {
	return []Source{&polled{name: "scutil", read: readScutil}, &records{dirs: recordDirs(), present: presentInterfaces}}
}

const (
	scutil     = "/usr/sbin/scutil"
	scutilTime = 3 * time.Second // that it may run
)

// readScutil runs scutil(8), because the system's library needs cgo.
func readScutil() (Reading, error) {
	ctx, cancel := context.WithTimeout(context.Background(), scutilTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, scutil, "--dns")
	cmd.WaitDelay = time.Second
	text, err := cmd.Output()
	if err != nil {
		return Reading{}, absent{fmt.Errorf("%s --dns: %w", scutil, err)}
	}
	servers, skipped := scutilDNS(string(text))
	present, err := presentInterfaces()
	return collect(servers, skipped, present), err
}
