// Package client finds the control socket of a dnsmus that runs, and asks over it: HTTP/1.1
// and JSON, in the types of package api.
package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/dnsmus/dnsmus/plugin/control/api"
	"github.com/dnsmus/dnsmus/plugin/printable"
)

const (
	answerTime = 10 * time.Second // in which a server begins to reply
	maxLine    = 1 << 20
)

// Client asks one server.
type Client struct {
	Path string // of its socket
	http http.Client
}

func at(path string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}
	return &Client{Path: path, http: http.Client{Transport: &http.Transport{
		DialContext: dial, DisableKeepAlives: true, ResponseHeaderTimeout: answerTime, Proxy: nil,
	}}}
}

// Get asks for one object.
func (c *Client) Get(ctx context.Context, path string, params url.Values, into any) error {
	reply, err := c.Body(ctx, path, params)
	if err != nil {
		return err
	}
	return c.read(reply, into)
}

// Post asks for something to be done.
func (c *Client) Post(ctx context.Context, path string, body, into any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	reply, err := c.do(ctx, http.MethodPost, path, nil, b)
	if err != nil {
		return err
	}
	return c.read(reply, into)
}

// Body asks for something, and returns it as it comes. Whoever gets it closes it.
func (c *Client) Body(ctx context.Context, path string, params url.Values) (io.ReadCloser, error) {
	return c.do(ctx, http.MethodGet, path, params, nil)
}

// Lines asks for lines, each an object, and calls each with them as they come, until it
// returns an error or they end.
func (c *Client) Lines(ctx context.Context, path string, params url.Values, each func(line []byte) error) error {
	reply, err := c.Body(ctx, path, params)
	if err != nil {
		return err
	}
	defer reply.Close()
	lines := bufio.NewScanner(reply)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		if err := each(lines.Bytes()); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil && ctx.Err() == nil {
		return c.failed("the connection to the server at %s broke: %v", c.Path, err)
	}
	return ctx.Err()
}

// Decode reads an object, and makes all text in it safe for terminals.
func Decode(line []byte, into any) error {
	if err := json.Unmarshal(line, into); err != nil {
		return err
	}
	makeSafe(into)
	return nil
}

func (c *Client) read(reply io.ReadCloser, into any) error {
	defer reply.Close()
	all, err := io.ReadAll(reply)
	if err == nil {
		err = Decode(all, into)
	}
	if err != nil {
		return c.failed("the server at %s gave a reply that this command does not understand: %v", c.Path, err)
	}
	return nil
}

// do sends a request and returns the body of the reply, if it was not refused.
func (c *Client) do(ctx context.Context, method, path string, params url.Values, body []byte) (io.ReadCloser, error) {
	target := url.URL{Scheme: "http", Host: api.Host, Path: path, RawQuery: params.Encode()}
	r, err := http.NewRequestWithContext(ctx, method, target.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
	}
	reply, err := c.http.Do(r)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = wrapped.Err
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, c.unreachable(err)
	}
	if reply.StatusCode == http.StatusOK {
		return reply.Body, nil
	}
	defer reply.Body.Close()
	return nil, c.refused(reply)
}

// refused is why a request was, in the server's words if it has some.
func (c *Client) refused(reply *http.Response) error {
	var said api.Error
	b, _ := io.ReadAll(io.LimitReader(reply.Body, 1<<16))
	known := json.Unmarshal(b, &said) == nil && said.Error != ""
	switch {
	case known:
		status := ExitUnavailable
		if reply.StatusCode == http.StatusBadRequest || reply.StatusCode == http.StatusNotFound {
			status = ExitUsage
		}
		return &Error{Text: strings.TrimSpace(printable.ASCII(said.Error)), Status: status}
	case reply.StatusCode == http.StatusNotFound:
		return c.failed("the server at %s does not know %s: it is older than this command; restart it", c.Path, reply.Request.URL.Path)
	}
	return c.failed("the server at %s says %s", c.Path, printable.ASCII(reply.Status))
}
