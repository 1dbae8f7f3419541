package main

import (
	"archive/tar"
	"encoding/binary"
	"io"
	"path"
	"slices"
	"strings"
	"time"
)

// Capabilities, by their numbers in capabilities(7).
const (
	capNetBindService = 10
	capNetAdmin       = 12
)

// file is a file of the image; with a capability it is a program.
type file struct {
	name       string
	data       []byte
	capability uint
}

// writeLayer writes a tar archive of the files and of the directories above
// them, all root's and of no particular time.
func writeLayer(w io.Writer, files []file) error {
	t := tar.NewWriter(w)
	files = slices.Clone(files)
	slices.SortFunc(files, func(a, b file) int { return strings.Compare(a.name, b.name) })
	made := map[string]bool{".": true}
	for _, f := range files {
		if err := writeDirs(t, path.Dir(f.name), made); err != nil {
			return err
		}
		h := &tar.Header{Name: f.name, Mode: 0o644, Size: int64(len(f.data)), ModTime: time.Unix(0, 0)}
		if f.capability != 0 {
			h.Mode = 0o755
			h.PAXRecords = map[string]string{"SCHILY.xattr.security.capability": fileCapability(f.capability)}
		}
		if err := t.WriteHeader(h); err != nil {
			return err
		}
		if _, err := t.Write(f.data); err != nil {
			return err
		}
	}
	return t.Close()
}

func writeDirs(t *tar.Writer, dir string, made map[string]bool) error {
	if made[dir] {
		return nil
	}
	if err := writeDirs(t, path.Dir(dir), made); err != nil {
		return err
	}
	made[dir] = true
	return t.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: 0o755, ModTime: time.Unix(0, 0)})
}

// fileCapability is the extended attribute that setcap(8) would write for
// "=ep": vfs_cap_data, revision 2, of linux/capability.h.
func fileCapability(number uint) string {
	const revision2, effective = 0x02000000, 1
	b := binary.LittleEndian.AppendUint32(nil, revision2|effective)
	b = binary.LittleEndian.AppendUint32(b, 1<<number) // permitted
	return string(append(b, make([]byte, 12)...))      // nothing inheritable, none above 31
}
