//go:build linux

package web

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

// tab is a page in Chromium, which is driven over the DevTools protocol.
type tab struct {
	t       *testing.T
	in      *os.File
	session string

	mu      sync.Mutex
	last    int
	replies map[int]chan reply
	said    []string // what the browser has to complain of
	ended   error
}

type reply struct {
	ID     int
	Method string
	Params json.RawMessage
	Result json.RawMessage
	Error  *struct{ Message string }
}

// newTab starts Chromium, with a page that is empty.
func newTab(t *testing.T) *tab {
	t.Helper()
	const program = "chromium-headless-shell"
	testkit.Need(t, false, program)
	fromUs, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out, toUs, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "chromium") // to which it may write until its last process has ended
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--remote-debugging-pipe",
		"--user-data-dir="+dir, "--no-first-run", "--disable-background-networking", "--disable-component-update", "about:blank")
	c.ExtraFiles = []*os.File{fromUs, toUs}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	fromUs.Close()
	toUs.Close()
	b := &tab{t: t, in: in, replies: make(map[int]chan reply)}
	var reading sync.WaitGroup
	reading.Go(func() { b.read(bufio.NewReader(out)) })
	t.Cleanup(func() {
		in.Close() // ends it
		c.Process.Kill()
		c.Wait()
		reading.Wait()
		out.Close()
		os.RemoveAll(dir)
	})
	var target struct{ TargetID string }
	b.call("Target.createTarget", map[string]any{"url": "about:blank"}, &target)
	var attached struct{ SessionID string }
	b.call("Target.attachToTarget", map[string]any{"targetId": target.TargetID, "flatten": true}, &attached)
	b.session = attached.SessionID
	for _, domain := range []string{"Page", "Runtime", "Log", "Network"} {
		b.call(domain+".enable", nil, nil)
	}
	return b
}

// read takes what the browser says until it ends.
func (b *tab) read(from *bufio.Reader) {
	for {
		text, err := from.ReadBytes(0)
		b.mu.Lock()
		if err != nil {
			b.ended = errors.Join(errors.New("the browser has ended"), err)
			for _, waits := range b.replies {
				close(waits)
			}
			b.mu.Unlock()
			return
		}
		var r reply
		json.Unmarshal(text[:len(text)-1], &r)
		if waits := b.replies[r.ID]; r.ID != 0 && waits != nil {
			waits <- r
			delete(b.replies, r.ID)
		}
		switch r.Method {
		case "Runtime.exceptionThrown", "Log.entryAdded", "Runtime.consoleAPICalled", "Page.javascriptDialogOpening":
			b.said = append(b.said, r.Method+" "+string(r.Params))
		}
		b.mu.Unlock()
	}
}

// call calls a method, and takes its result.
func (b *tab) call(method string, params, into any) {
	b.t.Helper()
	if err := b.try(method, params, into); err != nil {
		b.t.Fatalf("%s: %v", method, err)
	}
}

func (b *tab) try(method string, params, into any) error {
	b.mu.Lock()
	if b.ended != nil {
		defer b.mu.Unlock()
		return b.ended
	}
	b.last++
	waits := make(chan reply, 1)
	b.replies[b.last] = waits
	text, err := json.Marshal(map[string]any{"id": b.last, "method": method, "params": params, "sessionId": b.session})
	if b.session == "" {
		text, err = json.Marshal(map[string]any{"id": b.last, "method": method, "params": params})
	}
	if err == nil {
		_, err = b.in.Write(append(text, 0))
	}
	b.mu.Unlock()
	if err != nil {
		return err
	}
	r, ok := <-waits
	switch {
	case !ok:
		return b.ended
	case r.Error != nil:
		return errors.New(r.Error.Message)
	case into != nil:
		return json.Unmarshal(r.Result, into)
	}
	return nil
}

// open opens a page.
func (b *tab) open(address string) { b.call("Page.navigate", map[string]any{"url": address}, nil) }

// value is that of an expression.
func (b *tab) value(expression string) (any, error) {
	var r struct {
		Result           struct{ Value any }
		ExceptionDetails *struct {
			Text      string
			Exception struct{ Description string }
		}
	}
	if err := b.try("Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true, "awaitPromise": true}, &r); err != nil {
		return nil, err
	}
	if r.ExceptionDetails != nil {
		return nil, fmt.Errorf("%s %s", r.ExceptionDetails.Text, r.ExceptionDetails.Exception.Description)
	}
	return r.Result.Value, nil
}

// until waits until an expression is true.
func (b *tab) until(expression string) {
	b.t.Helper()
	testkit.Eventually(b.t, func() error {
		v, err := b.value(expression)
		if v != true {
			return fmt.Errorf("%s is %v, %v; the page: %v", expression, v, err, b.text("body"))
		}
		return nil
	})
}

// text is that of an element.
func (b *tab) text(selector string) string {
	v, err := b.value(fmt.Sprintf("document.querySelector(%q).innerText", selector))
	if err != nil {
		return err.Error()
	}
	return fmt.Sprint(v)
}

// press presses a key.
func (b *tab) press(key string) {
	b.t.Helper()
	text := key
	switch {
	case key == "Enter":
		text = "\r"
	case len(key) > 1:
		text = ""
	}
	b.call("Input.dispatchKeyEvent", map[string]any{"type": "keyDown", "key": key, "text": text}, nil)
	b.call("Input.dispatchKeyEvent", map[string]any{"type": "keyUp", "key": key}, nil)
}

// complaints are what the browser has said of the page.
func (b *tab) complaints() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string{}, b.said...)
}
