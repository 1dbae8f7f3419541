// Command image builds the container image for amd64 and arm64, with Go,
// git and a shell alone: no daemon, no root, no base image. From the top of a checkout:
//
//	go -C deploy/kubernetes/image run . [-o DIR] [-v VERSION] [-ca FILE]
//
// DIR, seen from here, becomes an OCI image layout. The same commit, version,
// certificates and Go give the same digest, whoever builds and wherever. It is a
// module of its own, so that whoever imports dnsmus gets nothing of registries.
package main

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// checkout is the top of the checkout, seen from here.
const checkout = "../../.."

// The architectures, and the programs with the one capability that each has
// when a user other than root starts it.
var (
	arches   = []string{"amd64", "arm64"}
	programs = []struct {
		name       string
		capability uint
	}{
		{"coredns", capNetBindService},
		{"nodelink", capNetAdmin},
	}
)

// user is nobody that the node knows. The manifests of the DaemonSet name it too.
const user = "65532:65532"

func main() {
	out := flag.String("o", "dist", "`DIR` to write")
	version := flag.String("v", "", "`VERSION`, instead of git's")
	ca := flag.String("ca", "/etc/ssl/certs/ca-certificates.crt", "`FILE` of the certificates to trust")
	flag.Parse()
	digest, err := build(*out, *version, *ca)
	if err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
	fmt.Println(digest)
}

// build writes the layout and returns the digest of the image's index.
func build(out, version, ca string) (string, error) {
	version, created, err := commit(version)
	if err != nil {
		return "", err
	}
	certificates, err := os.ReadFile(ca)
	if err != nil {
		return "", fmt.Errorf("%w: install ca-certificates, or name a file with -ca", err)
	}
	license, err := os.ReadFile(filepath.Join(checkout, "LICENSE"))
	if err != nil {
		return "", fmt.Errorf("%w: start this in deploy/kubernetes/image", err)
	}
	work, err := os.MkdirTemp("", "dnsmus-image-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	if err := makeRoom(out); err != nil {
		return "", err
	}

	labels := annotations(version, created)
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, arch := range arches {
		var binaries []string
		if err := os.Mkdir(filepath.Join(work, arch), 0o755); err != nil {
			return "", err
		}
		files := []file{
			{name: "LICENSE", data: license},
			{name: "etc/ssl/certs/ca-certificates.crt", data: certificates},
		}
		for _, p := range programs {
			binary := filepath.Join(work, arch, p.name)
			binaries = append(binaries, binary)
			if _, err := run("deploy/compile", version, "linux/"+arch, "./cmd/"+p.name, binary); err != nil {
				return "", err
			}
			data, err := os.ReadFile(binary)
			if err != nil {
				return "", err
			}
			bill, err := run("deploy/sbom", version, binary)
			if err != nil {
				return "", err
			}
			files = append(files, file{name: p.name, data: data, capability: p.capability}, file{name: p.name + ".cdx.json", data: bill})
		}
		notices, err := run("go", append([]string{"run", "./deploy/licenses"}, binaries...)...)
		if err != nil {
			return "", err
		}
		files = append(files, file{name: "NOTICES", data: notices})
		platform := v1.Platform{OS: "linux", Architecture: arch}
		image, err := newImage(platform, files, v1.Time{Time: created}, labels)
		if err != nil {
			return "", err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: &platform}})
	}
	index = mutate.Annotations(index, labels).(v1.ImageIndex)
	if err := writeLayout(out, index, version); err != nil {
		return "", err
	}
	digest, err := index.Digest()
	return digest.String(), err
}

// commit is the version and the time of the checkout.
func commit(version string) (string, time.Time, error) {
	git := func(args ...string) (string, error) {
		text, err := exec.Command("git", args...).Output()
		if err != nil {
			err = fmt.Errorf("git %s: %w", args[0], err)
		}
		return strings.TrimSpace(string(text)), err
	}
	if version == "" {
		described, err := git("describe", "--tags", "--match=v[0-9]*", "--abbrev=12", "--always")
		if err != nil {
			return "", time.Time{}, fmt.Errorf("%w: give a version with -v", err)
		}
		version = strings.TrimPrefix(described, "v")
	}
	epoch := os.Getenv("SOURCE_DATE_EPOCH")
	if epoch == "" {
		last, err := git("log", "-1", "--format=%ct")
		epoch = cmp.Or(last, "0")
		if err != nil {
			return "", time.Time{}, fmt.Errorf("%w: set SOURCE_DATE_EPOCH", err)
		}
	}
	seconds, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH: %w", err)
	}
	return version, time.Unix(seconds, 0).UTC(), nil
}

// run runs a command at the top of the checkout, and returns what it prints.
func run(name string, args ...string) ([]byte, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = checkout
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%s: %w", cmd, err)
	}
	return out, err
}

func annotations(version string, created time.Time) map[string]string {
	const prefix = "org.opencontainers.image."
	return map[string]string{
		prefix + "created":  created.Format(time.RFC3339),
		prefix + "licenses": "AGPL-3.0-only",
		prefix + "source":   "https://github.com/dnsmus/dnsmus",
		prefix + "title":    "dnsmus",
		prefix + "version":  version,
	}
}
