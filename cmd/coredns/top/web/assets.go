package web

import (
	"bytes"
	"crypto/rand"
	"embed"
	"net/http"
	"strings"
)

//go:embed page
var sources embed.FS

// scripts are run in this order, as one: what is known of a server, and is tested without a page,
// then the parts of the page, and at last what begins.
var scripts = []string{
	"words", "units", "search", "query", "model",
	"ask", "elements", "upstreams", "races", "panel", "follow", "keys", "page",
}

// page is all of it, in which NONCE stands for a number that is used once.
var page = strings.NewReplacer("STYLE", source("page.css"), "SCRIPT", "'use strict';\n"+script()).Replace(source("page.html"))

func script() string {
	var b strings.Builder
	for _, name := range scripts {
		b.WriteString(source(name + ".js"))
	}
	return b.String()
}

// source is a file of the page, without lines that are comments, and the blanks before others.
func source(name string) string {
	text, err := sources.ReadFile("page/" + name)
	if err != nil {
		panic(err) // it is not embedded
	}
	var b strings.Builder
	for line := range strings.Lines(string(text)) {
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
