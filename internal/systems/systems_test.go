// Package systems_test checks that all of this compiles for every system that it is
// for, tests included. Types are checked from the sources, without the bodies of
// others' functions: that is all which a system's files can lack, and takes seconds
// where compiling takes minutes. go vet needs all that is imported compiled, so .ci/run
// calls it for one system of each kind.
package systems_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

// systems are those that CoreDNS is released for, and three more.
var systems = strings.Fields(`
	linux/amd64 linux/arm64 linux/arm linux/mips linux/mips64le linux/ppc64le linux/s390x linux/riscv64 linux/loong64
	darwin/amd64 darwin/arm64 windows/amd64 windows/arm64
	freebsd/amd64 openbsd/amd64`)

func TestSystems(t *testing.T) {
	testkit.Long(t)
	sources := &sources{set: token.NewFileSet(), files: make(map[string]*ast.File)}
	vetted := make(map[string]bool)
	for _, system := range vettedSystems(t) {
		vetted[kind(t, system)] = true
	}
	for _, system := range systems {
		t.Run(strings.ReplaceAll(system, "/", "-"), func(t *testing.T) {
			goos, goarch, _ := strings.Cut(system, "/")
			for _, err := range sources.check(goos, goarch) {
				t.Error(err)
			}
			if !vetted[kind(t, system)] {
				t.Error("it has files or a size of words that no vetted system has: add it to those in .ci/run")
			}
		})
	}
}

// vettedSystems are those for which .ci/run calls go vet.
func vettedSystems(t *testing.T) []string {
	script, err := os.ReadFile("../../.ci/run")
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(script), "for system in ")
	list, _, _ = strings.Cut(list, ";")
	return append(strings.Fields(list), runtime.GOOS+"/"+runtime.GOARCH)
}

// kind is the same for systems in whose vetting there is no difference: they have the
// same of our files, and words of one size.
func kind(t *testing.T, system string) string {
	t.Helper()
	goos, goarch, _ := strings.Cut(system, "/")
	cmd := exec.Command("go", "list", "-f", "{{.ImportPath}} {{.GoFiles}} {{.TestGoFiles}} {{.XTestGoFiles}}", "./...")
	cmd.Dir = "../.."
	cmd.Env = append(os.Environ(), "GOOS="+goos, "GOARCH="+goarch, "CGO_ENABLED=0")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", cmd, err)
	}
	return fmt.Sprintf("%d %s", types.SizesFor("gc", goarch).Sizeof(types.Typ[types.Int]), out)
}

// listed is what go list says of a package.
type listed struct {
	ImportPath, Dir string
	GoFiles         []string
	ImportMap       map[string]string
	Module          *struct {
		Main      bool
		GoVersion string
	}
}

// sources are files that are parsed once for all systems.
type sources struct {
	set   *token.FileSet
	files map[string]*ast.File
}

// check returns what does not compile for a system.
func (s *sources) check(goos, goarch string) (problems []error) {
	cmd := exec.Command("go", "list", "-deps", "-test", "-json=ImportPath,Dir,GoFiles,ImportMap,Module", "./...")
	cmd.Dir = "../.."
	cmd.Env = append(os.Environ(), "GOOS="+goos, "GOARCH="+goarch, "CGO_ENABLED=0")
	var complaints strings.Builder
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		return []error{fmt.Errorf("%s: %w\n%s", cmd, err, &complaints)}
	}
	done := map[string]*types.Package{"unsafe": types.Unsafe}
	for list := json.NewDecoder(strings.NewReader(string(out))); ; { // those that are imported come first
		var p listed
		err := list.Decode(&p)
		if errors.Is(err, io.EOF) {
			return problems
		}
		if err != nil {
			return append(problems, err)
		}
		if p.ImportPath == "unsafe" || strings.HasSuffix(p.ImportPath, ".test") {
			continue
		}
		own := p.Module != nil && p.Module.Main
		files, err := s.parse(p, own)
		if err != nil {
			problems = append(problems, err)
		}
		conf := types.Config{
			Importer: importer(func(path string) (*types.Package, error) {
				if mapped, ok := p.ImportMap[path]; ok {
					path = mapped
				}
				if known := done[path]; known != nil {
					return known, nil
				}
				return nil, fmt.Errorf("%s is not there", path)
			}),
			IgnoreFuncBodies: !own,
			Sizes:            types.SizesFor("gc", goarch),
			Error:            func(err error) { problems = append(problems, err) },
		}
		if p.Module != nil && p.Module.GoVersion != "" {
			conf.GoVersion = "go" + p.Module.GoVersion
		}
		path, _, _ := strings.Cut(p.ImportPath, " ")
		done[p.ImportPath], _ = conf.Check(path, s.set, files, nil)
	}
}

type importer func(path string) (*types.Package, error)

func (i importer) Import(path string) (*types.Package, error) { return i(path) }

// parse returns a package's files.
func (s *sources) parse(p listed, own bool) (files []*ast.File, err error) {
	for _, name := range p.GoFiles {
		if !filepath.IsAbs(name) {
			name = filepath.Join(p.Dir, name)
		}
		file := s.files[name]
		if file == nil {
			var bad error
			if file, bad = parser.ParseFile(s.set, name, nil, parser.SkipObjectResolution); bad != nil {
				err = errors.Join(err, bad)
				continue
			}
			for _, decl := range file.Decls {
				if f, ok := decl.(*ast.FuncDecl); ok && !own && f.Body != nil {
					f.Body = new(ast.BlockStmt)
				}
			}
			s.files[name] = file
		}
		files = append(files, file)
	}
	return files, err
}
