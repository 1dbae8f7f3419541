package main

import (
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
)

// standard is what bills of materials call Go's standard library.
const standard = "std"

// module is a module that a program holds, or the standard library.
type module struct {
	path, version string
	dir           string   // in the module cache
	texts         []text   // licences and other notices
	licenses      []string // their SPDX identifiers, sorted
}

// modulesIn returns the modules that are linked into any of the programs, each once.
func modulesIn(programs []string) ([]module, error) {
	var wanted []string
	goVersion := ""
	for _, program := range programs {
		info, err := buildinfo.ReadFile(program)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", program, err)
		}
		goVersion = info.GoVersion
		for _, m := range info.Deps {
			if m.Replace != nil {
				m = m.Replace
			}
			wanted = append(wanted, m.Path+"@"+m.Version)
		}
	}
	slices.Sort(wanted)
	wanted = slices.Compact(wanted)
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("go env: %w", err)
	}
	all := []module{{path: standard, version: goVersion, dir: strings.TrimSpace(string(root))}}
	if len(wanted) == 0 {
		return all, nil
	}
	out, err := exec.Command("go", append([]string{"mod", "download", "-json"}, wanted...)...).Output()
	if err != nil {
		return nil, fmt.Errorf("go mod download: %w\n%s", err, out)
	}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var m struct{ Path, Version, Dir string }
		if err := d.Decode(&m); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		all = append(all, module{path: m.Path, version: m.Version, dir: m.Dir})
	}
}
