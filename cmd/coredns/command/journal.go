package command

import (
	"bytes"
	"io"
	"log"
	"os"
	"strings"

	clog "github.com/coredns/coredns/plugin/pkg/log"
)

// priorities are those of syslog(3) for the levels of CoreDNS's log.
var priorities = []struct{ level, prefix string }{
	{"[DEBUG]", "<7>"}, {"[INFO]", "<6>"}, {"[WARNING]", "<4>"}, {"[ERROR]", "<3>"}, {"[PANIC]", "<2>"}, {"[FATAL]", "<2>"},
}

// fatal begins the line that CoreDNS writes when it cannot start, which has no level.
const fatal = "<3>"

// journal is where lines for systemd's journal go: the journal reads a priority from the start
// of each, so that journalctl can choose by it (sd-daemon(3)).
type journal struct{ to io.Writer }

// Write takes one line or message of the log, as package log writes it, after fatal.
func (j journal) Write(message []byte) (int, error) {
	text, prefix := bytes.TrimPrefix(message, []byte(fatal)), "<6>"
	for _, p := range priorities {
		if bytes.HasPrefix(text, []byte(p.level)) {
			prefix = p.prefix
		}
	}
	// The journal takes each line for a message.
	lines := strings.ReplaceAll(strings.TrimSuffix(string(text), "\n"), "\n", "\n"+prefix)
	if _, err := io.WriteString(j.to, prefix+lines+"\n"); err != nil {
		return 0, err
	}
	return len(message), nil
}

// toJournal has the log written with priorities, where it goes to the journal. It is called
// once CoreDNS has set up its log, which it writes to standard output; but the reason why it
// cannot start goes to standard error, past all that is set here but the prefix.
func toJournal() {
	if !clog.IsJSON() && inJournal("1") && inJournal("2") {
		log.SetPrefix(fatal)
		log.SetOutput(journal{os.Stdout})
	}
}

// inJournal reports whether a file descriptor leads to the journal, as systemd says in the
// environment: by the device and the inode of a socket.
func inJournal(descriptor string) bool {
	_, inode, found := strings.Cut(os.Getenv("JOURNAL_STREAM"), ":")
	link, err := os.Readlink("/proc/self/fd/" + descriptor)
	return found && err == nil && link == "socket:["+inode+"]"
}
