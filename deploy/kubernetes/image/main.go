// Command image builds the container image for amd64 and arm64, with Go and
// git alone: no daemon, no root, no base image. From the top of a checkout:
//
//	go run ./deploy/kubernetes/image [-o DIR] [-v VERSION] [-ca FILE]
//
// DIR becomes an OCI image layout. The same commit, version, certificates and
// Go give the same digest, whoever builds and wherever.
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
)

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
	out := flag.String("o", "deploy/kubernetes/image/dist", "`DIR` to write")
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
	license, err := os.ReadFile("LICENSE")
	if err != nil {
		return "", fmt.Errorf("%w: start this at the top of the checkout", err)
	}
	work, err := os.MkdirTemp("", "dnsmus-image-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	layout, err := newLayout(out)
	if err != nil {
		return "", err
	}

	index := manifestList{Schema: 2, Type: typeIndex, Annotations: annotations(version, created)}
	for _, arch := range arches {
		files := []file{
			{name: "LICENSE", data: license},
			{name: "etc/ssl/certs/ca-certificates.crt", data: certificates},
		}
		var binaries []string
		for _, p := range programs {
			binary := filepath.Join(work, p.name+"-"+arch)
			if err := compile("./cmd/"+p.name, arch, version, binary); err != nil {
				return "", err
			}
			data, err := os.ReadFile(binary)
			if err != nil {
				return "", err
			}
			files = append(files, file{name: p.name, data: data, capability: p.capability})
			binaries = append(binaries, binary)
		}
		bill, err := bom(version, binaries)
		if err != nil {
			return "", err
		}
		files = append(files, file{name: "sbom.cdx.json", data: bill})

		image, err := layout.addImage(arch, files, annotations(version, created))
		if err != nil {
			return "", err
		}
		index.Manifests = append(index.Manifests, image)
	}
	top, err := layout.finish(index, version)
	return top.Digest, err
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

func compile(pkg, arch, version, binary string) error {
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false",
		"-ldflags", "-s -w -X github.com/coredns/coredns/coremain.GitCommit=dnsmus-"+version, "-o", binary, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch, "GOAMD64=v1", "GOARM64=v8.0")
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("go build %s for %s: %w", pkg, arch, err)
	}
	return nil
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
