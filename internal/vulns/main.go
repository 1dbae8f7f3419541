// Command vulns tells which known vulnerabilities the code of this module reaches,
// by govulncheck and without asking any server but the module proxy: the Go
// vulnerability database is a module. It fails if one is reached in a module. Of those in
// the standard library of the Go that runs it, it warns; with -library it fails, as for a
// release.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

const (
	scanner  = "golang.org/x/vuln/cmd/govulncheck@v1.9.0"
	database = "golang.org/x/vulndb"
	pinned   = "v0.0.0-20261105234957-e22db6528018" // where no newer version can be had
)

func main() {
	library := flag.Bool("library", false, "fail if one is reached in the standard library")
	flag.Parse()
	if err := run(*library); err != nil {
		fmt.Fprintln(os.Stderr, "vulns:", err)
		os.Exit(1)
	}
}

func run(library bool) error {
	dir, version, err := download()
	if err != nil {
		return err
	}
	fmt.Println("known by", database, version)
	// A directory of OSV files will do for a database.
	osv := filepath.ToSlash(filepath.Join(dir, "data", "osv"))
	if !strings.HasPrefix(osv, "/") {
		osv = "/" + osv
	}
	cmd := exec.Command("go", "run", scanner, "-db", "file://"+osv, "-format", "json", "-tags", "trace", "./...")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("%s: %w", cmd, err)
	}
	modules, inLibrary, err := reached(strings.NewReader(string(out)))
	if err != nil {
		return err
	}
	return verdict(modules, inLibrary, library)
}

// download returns where the newest database is that can be had, and its version.
func download() (dir, version string, err error) {
	for _, at := range []string{"latest", pinned} {
		var out []byte
		if out, err = exec.Command("go", "mod", "download", "-json", database+"@"+at).Output(); err == nil {
			var module struct{ Dir, Version string }
			err = json.Unmarshal(out, &module)
			return module.Dir, module.Version, err
		}
	}
	return "", "", fmt.Errorf("%s cannot be downloaded: %w", database, err)
}

// message is what interests here of govulncheck's, which come one after another.
type message struct {
	Finding *struct {
		OSV          string `json:"osv"`
		FixedVersion string `json:"fixed_version"`
		Trace        []struct {
			Module, Version, Package, Function string
		}
	}
}

// reached returns the vulnerabilities whose code is called, each once: those in
// modules, and those in the standard library.
func reached(messages io.Reader) (modules, library []string, err error) {
	for d := json.NewDecoder(messages); ; {
		var m message
		if err := d.Decode(&m); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, nil, fmt.Errorf("what govulncheck says is not understood: %w", err)
		}
		if m.Finding == nil || len(m.Finding.Trace) == 0 || m.Finding.Trace[0].Function == "" {
			continue // it is imported or required, and not called
		}
		at := m.Finding.Trace[0]
		text := fmt.Sprintf("%s in %s %s", m.Finding.OSV, at.Module, at.Version)
		if m.Finding.FixedVersion != "" {
			text += ", fixed in " + m.Finding.FixedVersion
		}
		if at.Module == "stdlib" {
			library = append(library, text)
		} else {
			modules = append(modules, text)
		}
	}
	slices.Sort(modules)
	slices.Sort(library)
	return slices.Compact(modules), slices.Compact(library), nil
}

// verdict is the error that what is reached makes; strict: in the standard library, too.
func verdict(modules, library []string, strict bool) error {
	if len(library) > 0 && !strict {
		fmt.Printf("warning, take a newer Go in deploy/toolchain:\n  %s\n", strings.Join(library, "\n  "))
		library = nil
	}
	if all := slices.Concat(modules, library); len(all) > 0 {
		return fmt.Errorf("vulnerable code is reached; take newer versions, and of Go (stdlib) in deploy/toolchain:\n  %s", strings.Join(all, "\n  "))
	}
	return nil
}
