package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// refName is the annotation by which an image is found in a layout.
const refName = "org.opencontainers.image.ref.name"

// newImage returns the image for a platform, of one layer.
func newImage(platform v1.Platform, files []file, created v1.Time, labels map[string]string) (v1.Image, error) {
	var unpacked bytes.Buffer
	if err := writeLayer(&unpacked, files); err != nil {
		return nil, err
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(unpacked.Bytes())), nil }
	layer, err := tarball.LayerFromOpener(open, tarball.WithMediaType(types.OCILayer),
		tarball.WithCompressionLevel(gzip.BestCompression), tarball.WithCompressedCaching)
	if err != nil {
		return nil, err
	}
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err := mutate.ConfigFile(base, &v1.ConfigFile{
		OS:           platform.OS,
		Architecture: platform.Architecture,
		Created:      created,
		RootFS:       v1.RootFS{Type: "layers"},
		Config:       v1.Config{User: user, Entrypoint: []string{"/coredns"}, WorkingDir: "/", Labels: labels},
	})
	if err != nil {
		return nil, err
	}
	if image, err = mutate.Append(image, mutate.Addendum{Layer: layer, History: v1.History{Created: created}}); err != nil {
		return nil, err
	}
	return mutate.Annotations(image, labels).(v1.Image), nil
}

// makeRoom removes the layout that is in the directory, and nothing else.
func makeRoom(dir string) error {
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		if _, err := layout.FromPath(dir); err != nil {
			return fmt.Errorf("%s is not empty and no image layout: choose another directory with -o", dir)
		}
	}
	return os.RemoveAll(dir)
}

// writeLayout makes the directory, with the index by the name of version.
func writeLayout(dir string, index v1.ImageIndex, version string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	_, err := layout.Write(dir, mutate.AppendManifests(
		mutate.IndexMediaType(empty.Index, types.OCIImageIndex),
		mutate.IndexAddendum{Add: index, Descriptor: v1.Descriptor{Annotations: map[string]string{refName: version}}},
	))
	return err
}
