package link

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(testkit.Tidy(m)) }
