//go:build linux

package kubernetes

import (
	"archive/tar"
	"debug/elf"
	"errors"
	"io"
	"maps"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/dnsmus/dnsmus/internal/testkit"
)

// builtImage is the directory that the command made, and the digest it printed.
type builtImage struct{ dir, digest string }

// buildImage calls the command as the README does, with a umask, a time zone
// and a home of the build's own.
func buildImage(dir, umask string, env ...string) (builtImage, error) {
	dir = filepath.Join(testkit.Dir, dir)
	cmd := exec.Command("sh", "-c", "umask "+umask+" && go -C deploy/kubernetes/image run . -v 0.1.0 -o "+dir)
	cmd.Dir = checkout
	cmd.Env = append(os.Environ(), env...)
	digest, err := output(cmd)
	return builtImage{dir, strings.TrimSpace(digest)}, err
}

var firstImage = sync.OnceValues(func() (builtImage, error) { return buildImage("image", "022") })

func image(t *testing.T) builtImage {
	t.Helper()
	testkit.Long(t)
	testkit.Need(t, false, "git")
	for _, path := range []string{"cmd", "plugin", "deploy/kubernetes/image", "deploy/compile", "deploy/licenses", "deploy/sbom", "deploy/toolchain", "setup.go", "upstreams.go", "go.mod", "go.sum", "LICENSE"} {
		testkit.DependOn(t, checkout+"/"+path)
	}
	b, err := firstImage()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// index is the image as another's library reads it.
func (b builtImage) index(t *testing.T) v1.ImageIndex {
	t.Helper()
	path, err := layout.FromPath(b.dir)
	if err != nil {
		t.Fatal(err)
	}
	top, err := path.ImageIndex()
	if err != nil {
		t.Fatal(err)
	}
	digest, err := v1.NewHash(b.digest)
	if err != nil {
		t.Fatal(err)
	}
	index, err := top.ImageIndex(digest)
	if err != nil {
		t.Fatal(err)
	}
	return index
}

// images are those of the architectures.
func images(t *testing.T, index v1.ImageIndex) map[string]v1.Image {
	t.Helper()
	list, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]v1.Image)
	for _, d := range list.Manifests {
		if all[d.Platform.String()], err = index.Image(d.Digest); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func TestImagesAreEqual(t *testing.T) {
	testkit.Long(t)
	again, err := buildImage("again", "077", "TZ=Asia/Tokyo", "LC_ALL=C", "GOAMD64=v3")
	if err != nil {
		t.Fatal(err)
	}
	if first := image(t); first.digest != again.digest {
		t.Errorf("one build is %s, another %s", first.digest, again.digest)
	}
}

func TestImage(t *testing.T) {
	index := image(t).index(t)
	if err := validate.Index(index); err != nil {
		t.Error(err)
	}
	all := images(t, index)
	if got := slices.Sorted(maps.Keys(all)); !slices.Equal(got, []string{"linux/amd64", "linux/arm64"}) {
		t.Fatalf("images for %v", got)
	}
	machines := map[string]elf.Machine{"linux/amd64": elf.EM_X86_64, "linux/arm64": elf.EM_AARCH64}
	for platform, img := range all {
		config, err := img.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		if config.Platform().String() != platform || config.Config.User != "65532:65532" ||
			!slices.Equal(config.Config.Entrypoint, []string{"/coredns"}) {
			t.Errorf("%s: the configuration is %+v", platform, config)
		}
		files, capabilities := content(t, img)
		if got, want := slices.Sorted(maps.Keys(files)), []string{
			"LICENSE", "NOTICES", "coredns", "coredns.cdx.json", "etc/", "etc/ssl/", "etc/ssl/certs/", "etc/ssl/certs/ca-certificates.crt",
			"nodelink", "nodelink.cdx.json",
		}; !slices.Equal(got, want) {
			t.Errorf("%s holds %v, want %v", platform, got, want)
		}
		if len(capabilities) != 2 || capabilities["coredns"] == "" || capabilities["nodelink"] == "" {
			t.Errorf("%s: these have capabilities: %q", platform, capabilities)
		}
		for _, of := range []string{"github.com/coredns/coredns", "github.com/jsimonetti/rtnetlink/v2", "std"} {
			if !strings.Contains(files["NOTICES"], "\n    "+of+" ") {
				t.Errorf("%s: the notices lack %s", platform, of)
			}
		}
		for _, program := range []string{"coredns", "nodelink"} {
			f, err := elf.NewFile(strings.NewReader(files[program]))
			if err != nil {
				t.Fatal(err)
			}
			if f.Machine != machines[platform] || f.Section(".interp") != nil {
				t.Errorf("%s: %s is for %s, or needs libraries", platform, program, f.Machine)
			}
			binary := filepath.Join(t.TempDir(), program)
			if err := os.WriteFile(binary, []byte(files[program]), 0o755); err != nil {
				t.Fatal(err)
			}
			testkit.ExpectBill(t, []byte(files[program+".cdx.json"]), binary, "v0.1.0")
		}
	}
}

// content is the text of all files, and the capabilities of those that have one.
func content(t *testing.T, img v1.Image) (files, capabilities map[string]string) {
	t.Helper()
	layers, err := img.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("%d layers: %v", len(layers), err)
	}
	r, err := layers[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	files, capabilities = make(map[string]string), make(map[string]string)
	for archive := tar.NewReader(r); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files, capabilities
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Uid != 0 || h.Gid != 0 || h.Mode&0o022 != 0 {
			t.Errorf("%s is not root's alone: %+v", h.Name, h)
		}
		text, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		files[h.Name] = string(text)
		if c, ok := h.PAXRecords["SCHILY.xattr.security.capability"]; ok {
			capabilities[h.Name] = c
		}
	}
}

// TestPush pushes the image with the command of the README, and pulls it.
func TestPush(t *testing.T) {
	b := image(t)
	server := httptest.NewServer(registry.New())
	defer server.Close()
	tag := strings.TrimPrefix(server.URL, "http://") + "/dnsmus:0.1.0"
	cmd := exec.Command("go", "run", "github.com/google/go-containerregistry/cmd/crane@v0.22.1", "push", b.dir, tag)
	if _, err := output(cmd); err != nil {
		t.Fatal(err)
	}
	ref, err := name.ParseReference(tag)
	if err != nil {
		t.Fatal(err)
	}
	pulled, err := remote.Index(ref)
	if err != nil {
		t.Fatal(err)
	}
	if digest, err := pulled.Digest(); err != nil || digest.String() != b.digest {
		t.Errorf("pushed %s, pulled %s: %v", b.digest, digest, err)
	}
	if err := validate.Index(pulled); err != nil {
		t.Error(err)
	}
}
