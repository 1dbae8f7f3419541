package command

import (
	"bytes"
	"io"
	"testing"
)

func TestJournal(t *testing.T) {
	for message, want := range map[string]string{
		"[INFO] plugin/dnsmus: up\n":            "<6>[INFO] plugin/dnsmus: up\n",
		fatal + "[WARNING] plugin/dnsmus: down": "<4>[WARNING] plugin/dnsmus: down\n",
		fatal + "[ERROR] plugin/errors: 2 A\n":  "<3>[ERROR] plugin/errors: 2 A\n",
		"[DEBUG] a\n":                           "<7>[DEBUG] a\n",
		fatal + "[PANIC] a\nb\n":                "<2>[PANIC] a\n<2>b\n",
		"maxprocs: a [ERROR]\n":                 "<6>maxprocs: a [ERROR]\n",
		"\n":                                    "<6>\n",
	} {
		var out bytes.Buffer
		if n, err := (journal{&out}).Write([]byte(message)); n != len(message) || err != nil || out.String() != want {
			t.Errorf("%q becomes %q, want %q; %d, %v", message, out.String(), want, n, err)
		}
	}
	if _, err := (journal{closed{}}).Write([]byte("a")); err == nil {
		t.Error("no error")
	}
}

type closed struct{}

func (closed) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }
