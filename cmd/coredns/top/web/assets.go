package web

import (
	"bytes"
	"crypto/rand"
	_ "embed"
	"net/http"
	"strings"
)

//go:embed page.html
var frame string

//go:embed page.css
var style string

//go:embed words.js
var words string

//go:embed model.js
var model string

//go:embed page.js
var draw string

// page is all of it, in which NONCE stands for a number that is used once.
var page = strings.NewReplacer("STYLE", short(style), "SCRIPT", "'use strict';\n"+short(words+model+draw)).Replace(short(frame))

// short leaves out lines that are comments, and the blanks before others.
func short(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "//") {
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}

// policy has the browser run no script but the page's, and ask nobody but this process.
const policy = "default-src 'none'; connect-src 'self'; script-src 'nonce-NONCE'; style-src 'nonce-NONCE'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

func writePage(w http.ResponseWriter) {
	nonce := rand.Text()
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", strings.ReplaceAll(policy, "NONCE", nonce))
	w.Write(bytes.ReplaceAll([]byte(page), []byte("NONCE"), []byte(nonce)))
}
