package main

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// documents are those that packages and archives have; all of a folder's, if it is one.
var documents = []string{"README.md", "CHANGELOG.md", "docs", "deploy/README.md"}

// writeTree makes of a directory a tree of the documents, in which links to what is not among
// them lead to the repository.
func writeTree(version, dir string) error {
	var names []string
	for _, root := range documents {
		err := fs.WalkDir(os.DirFS("."), root, func(name string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				names = append(names, name)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	there := make(map[string]bool)
	for _, name := range names {
		for ; name != "."; name = path.Dir(name) { // a link may lead to a folder
			there[name] = true
		}
	}
	delete(there, "deploy") // which has much more in the repository
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if path.Ext(name) == ".md" {
			text = []byte(relink(name, string(text), tag(version), there))
		}
		to := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(to, text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// tag is where the repository has what is of this version; what is between two releases is
// of no tag.
func tag(version string) string {
	if strings.Contains(version, "+") {
		return "main"
	}
	return "v" + version
}

// relink has the links of a document lead to the repository, but for those to what is there.
func relink(name, text, ref string, there map[string]bool) string {
	return link.ReplaceAllStringFunc(text, func(s string) string {
		parts := link.FindStringSubmatch(s)
		to, anchor, _ := strings.Cut(parts[2], "#")
		to = path.Join(path.Dir(name), to)
		if strings.Contains(parts[2], "://") || strings.HasPrefix(parts[2], "#") || there[to] {
			return s
		}
		if anchor != "" {
			to += "#" + anchor
		}
		return "[" + parts[1] + "](" + repository + "/blob/" + ref + "/" + to + ")"
	})
}
