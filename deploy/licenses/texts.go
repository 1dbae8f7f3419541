package main

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
)

// text is a licence or another notice.
type text struct {
	of   string // the module and the file
	body string
}

var (
	isLicense = regexp.MustCompile(`(?i)^(UN)?(LICEN[CS]E|COPYING)`)
	isNotice  = regexp.MustCompile(`(?i)^(NOTICE|COPYRIGHT|PATENTS)`)
)

// read takes the texts of a module, and identifies its licences. They are at the top, and
// in folders that hold code of others.
func (m *module) read() error {
	tree := os.DirFS(m.dir)
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if d.Name() == "testdata" || m.path == standard && name != "." {
				return fs.SkipDir // what others wrote in Go's tree is vendored under the same licence
			}
			return nil
		}
		licence := isLicense.MatchString(d.Name())
		if !licence && !isNotice.MatchString(d.Name()) || path.Ext(d.Name()) == ".go" {
			return nil
		}
		if folder := path.Dir(name); folder != "." {
			if code, err := fs.Glob(tree, folder+"/*.go"); err != nil || len(code) == 0 {
				return err
			}
		}
		body, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		m.texts = append(m.texts, text{m.path + " " + m.version + ": " + name, string(body)})
		if licence {
			id := identify(string(body))
			if id == "" {
				return fmt.Errorf("%s %s: %s is of no licence that deploy/licenses knows; add it there", m.path, m.version, name)
			}
			m.licenses = append(m.licenses, id)
		}
		return nil
	})
	if err == nil && len(m.licenses) == 0 {
		err = fmt.Errorf("%s %s has no licence in %s", m.path, m.version, m.dir)
	}
	slices.Sort(m.licenses)
	m.licenses = slices.Compact(m.licenses)
	return err
}

// signs tell licences by what their texts have, in this order; the identifiers are SPDX's.
var signs = []struct {
	id   string
	says []string
}{
	{"Apache-2.0", []string{"apache license", "version 2.0", "terms and conditions for use, reproduction"}},
	{"MPL-2.0", []string{"mozilla public license", "version 2.0"}},
	{"CC0-1.0", []string{"cc0 1.0 universal"}},
	{"ISC", []string{"permission to use, copy, modify, and/or distribute this software for any purpose"}},
	{"MIT", []string{"permission is hereby granted, free of charge, to any person obtaining a copy", "the above copyright notice and this permission notice"}},
	{"BSD-3-Clause", []string{"redistribution and use in source and binary forms", "redistributions in binary form", "endorse or promote products"}},
	{"BSD-2-Clause", []string{"redistribution and use in source and binary forms", "redistributions in binary form"}},
}

// identify returns the SPDX identifier of a licence, and "" for one that is not known.
func identify(body string) string {
	body = strings.ToLower(strings.Join(strings.Fields(body), " "))
	for _, sign := range signs {
		if !slices.ContainsFunc(sign.says, func(s string) bool { return !strings.Contains(body, s) }) {
			return sign.id
		}
	}
	return ""
}
