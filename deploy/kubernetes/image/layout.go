package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// Media types of the OCI image format.
const (
	typeIndex    = "application/vnd.oci.image.index.v1+json"
	typeManifest = "application/vnd.oci.image.manifest.v1+json"
	typeConfig   = "application/vnd.oci.image.config.v1+json"
	typeLayer    = "application/vnd.oci.image.layer.v1.tar+gzip"
)

type descriptor struct {
	Type        string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int               `json:"size"`
	Platform    *platform         `json:"platform,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

type platform struct {
	Arch string `json:"architecture"`
	OS   string `json:"os"`
}

type manifestList struct {
	Schema      int               `json:"schemaVersion"`
	Type        string            `json:"mediaType"`
	Manifests   []descriptor      `json:"manifests"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

type manifest struct {
	Schema      int               `json:"schemaVersion"`
	Type        string            `json:"mediaType"`
	Config      descriptor        `json:"config"`
	Layers      []descriptor      `json:"layers"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

type imageConfig struct {
	platform
	Created string `json:"created"`
	Config  struct {
		User       string            `json:"User"`
		Entrypoint []string          `json:"Entrypoint"`
		WorkingDir string            `json:"WorkingDir"`
		Labels     map[string]string `json:"Labels"`
	} `json:"config"`
	RootFS struct {
		Type    string   `json:"type"`
		DiffIDs []string `json:"diff_ids"`
	} `json:"rootfs"`
}

// layout is a directory in the format of the OCI image layout.
type layout struct{ dir string }

// newLayout makes the directory anew. It replaces nothing but a layout.
func newLayout(dir string) (layout, error) {
	marker := filepath.Join(dir, "oci-layout")
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		if _, err := os.Stat(marker); err != nil {
			return layout{}, fmt.Errorf("%s is not empty and no image layout: choose another directory with -o", dir)
		}
		if err := os.RemoveAll(dir); err != nil {
			return layout{}, err
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, "blobs", "sha256"), 0o755); err != nil {
		return layout{}, err
	}
	return layout{dir}, os.WriteFile(marker, []byte(`{"imageLayoutVersion":"1.0.0"}`), 0o644)
}

// addImage adds the image of an architecture, of one layer.
func (l layout) addImage(arch string, files []file, labels map[string]string) (descriptor, error) {
	var unpacked, packed bytes.Buffer
	if err := writeLayer(&unpacked, files); err != nil {
		return descriptor{}, err
	}
	diffID := digest(unpacked.Bytes())
	zip, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return descriptor{}, err
	}
	if _, err := unpacked.WriteTo(zip); err != nil {
		return descriptor{}, err
	}
	if err := zip.Close(); err != nil {
		return descriptor{}, err
	}
	layer, err := l.addBlob(typeLayer, packed.Bytes())
	if err != nil {
		return descriptor{}, err
	}

	config := imageConfig{platform: platform{Arch: arch, OS: "linux"}, Created: labels["org.opencontainers.image.created"]}
	config.Config.User = user
	config.Config.Entrypoint = []string{"/coredns"}
	config.Config.WorkingDir = "/"
	config.Config.Labels = labels
	config.RootFS.Type = "layers"
	config.RootFS.DiffIDs = []string{diffID}
	configBlob, err := l.addJSON(typeConfig, config)
	if err != nil {
		return descriptor{}, err
	}

	image, err := l.addJSON(typeManifest, manifest{
		Schema: 2, Type: typeManifest, Config: configBlob, Layers: []descriptor{layer}, Annotations: labels,
	})
	image.Platform = &config.platform
	return image, err
}

// finish adds the index over the architectures' images, by the name of version.
func (l layout) finish(index manifestList, version string) (descriptor, error) {
	top, err := l.addJSON(typeIndex, index)
	if err != nil {
		return top, err
	}
	top.Annotations = map[string]string{"org.opencontainers.image.ref.name": version}
	text, err := json.Marshal(manifestList{Schema: 2, Type: typeIndex, Manifests: []descriptor{top}})
	if err != nil {
		return top, err
	}
	return top, os.WriteFile(filepath.Join(l.dir, "index.json"), text, 0o644)
}

func (l layout) addJSON(mediaType string, value any) (descriptor, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return descriptor{}, err
	}
	return l.addBlob(mediaType, text)
}

func (l layout) addBlob(mediaType string, data []byte) (descriptor, error) {
	d := descriptor{Type: mediaType, Digest: digest(data), Size: len(data)}
	name := filepath.Join(l.dir, "blobs", "sha256", d.Digest[len("sha256:"):])
	return d, os.WriteFile(name, data, 0o644)
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}
