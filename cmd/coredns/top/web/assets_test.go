package web

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The page is small, each has a number of its own, and it asks nobody else.
func TestPageAlone(t *testing.T) {
	s := newWorld(all...).serve(t)
	reply, body := request(t, s, "/", nil)
	policy := reply.Header.Get("Content-Security-Policy")
	form := regexp.MustCompile(`^default-src 'none'; connect-src 'self'; script-src 'nonce-([A-Z2-7]{26})'; style-src 'nonce-([A-Z2-7]{26})'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'$`)
	nonce := form.FindStringSubmatch(policy)
	if nonce == nil || nonce[1] != nonce[2] || strings.Count(body, `nonce="`+nonce[1]+`"`) != 2 {
		t.Errorf("the policy is %s", policy)
	}
	if again, _ := request(t, s, "/", nil); again.Header.Get("Content-Security-Policy") == policy {
		t.Error("two pages have one number")
	}
	if len(body) > 40_000 {
		t.Errorf("the page has %d bytes", len(body))
	}
	for name, want := range map[string]string{"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"} {
		if reply.Header.Get(name) != want {
			t.Errorf("%s is %s", name, reply.Header.Get(name))
		}
	}
	if found := regexp.MustCompile(`(?i)innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|new Function|\son[a-z]+="|\bsrc=|href=|https?://[^w]|EventSource|localStorage|cookie`).FindAllString(body, -1); found != nil {
		t.Errorf("the page has %q", found)
	}
	if strings.Contains(body, s.token) {
		t.Error("the page tells the token")
	}
}

// Each script in the folder is part of the page.
func TestScripts(t *testing.T) {
	files, err := sources.ReadDir("page")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, f := range files {
		if name, is := strings.CutSuffix(f.Name(), ".js"); is {
			found++
			if !slices.Contains(scripts, name) {
				t.Errorf("%s is no part of the page", f.Name())
			}
		}
	}
	if found != len(scripts) {
		t.Errorf("%d scripts were found, want %d", found, len(scripts))
	}
}
