//go:build linux

package e2e

import (
	"fmt"
	"net/http"
	"testing"
)

// TestReady asks the endpoint of the ready plugin.
func TestReady(t *testing.T) {
	l := newLoopback(t)
	ready := l.freePort()
	l.server(fmt.Sprintf("ready 127.0.0.1:%s\ndnsmus %s", ready, l.fake(answers)))
	l.eventually(func() error {
		if status, body := l.get("http://127.0.0.1:" + ready + "/ready"); status != http.StatusOK || body != "OK" {
			return fmt.Errorf("%d %q", status, body)
		}
		return nil
	})
}
