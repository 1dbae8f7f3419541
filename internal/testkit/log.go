package testkit

import (
	"bytes"
	"log"
	"strings"
	"sync"
	"testing"
)

// Log is what was logged by package log, which CoreDNS logs by, while a test ran.
type Log struct{ text bytes.Buffer }

// logs are those of the tests that run, by name.
var logs = struct {
	sync.Mutex
	of map[string]*Log
}{of: make(map[string]*Log)}

// Logged returns the log of a test, from the first call on. It is shown if the test
// fails, and otherwise not. Of tests that run at the same time each has it all, but
// what is logged in a subtest is in that one's log only.
func Logged(t testing.TB) *Log {
	logs.Lock()
	defer logs.Unlock()
	name := t.Name()
	if l := logs.of[name]; l != nil {
		return l
	}
	l := new(Log)
	logs.of[name] = l
	t.Cleanup(func() {
		logs.Lock()
		delete(logs.of, name)
		logs.Unlock()
		if text := l.String(); text != "" && t.Failed() {
			t.Logf("logged was:\n%s", text)
		}
	})
	return l
}

func (l *Log) String() string {
	logs.Lock()
	defer logs.Unlock()
	return l.text.String()
}

// Count returns how often text is in the log.
func (l *Log) Count(text string) int { return strings.Count(l.String(), text) }

// takeLog has what is logged go to the logs of tests, and nowhere else.
func takeLog() { log.SetOutput(sorter{}) }

type sorter struct{}

func (sorter) Write(line []byte) (int, error) {
	logs.Lock()
	defer logs.Unlock()
	for name, l := range logs.of {
		inSubtest := false
		for other := range logs.of {
			inSubtest = inSubtest || strings.HasPrefix(other, name+"/")
		}
		if !inSubtest {
			l.text.Write(line)
		}
	}
	return len(line), nil
}
