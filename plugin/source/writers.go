package source

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// WarnOfWriters warns of a file that others than administrators and this process may
// change, or replace by another. It knows who may on Windows alone.
func WarnOfWriters(file string) (warnings []string) {
	for _, at := range []string{file, filepath.Dir(file)} {
		if who := writersOf(at, at != file); len(who) > 0 {
			warnings = append(warnings, fmt.Sprintf("%s may be changed by %s, who may so choose the upstreams; have it where only administrators write, as in a folder of %%ProgramFiles%%", at, strings.Join(who, ", ")))
		}
	}
	return warnings
}

// Rights to a file or folder on Windows, by their bits.
const (
	writeData    = 0x2 // of a folder: to add a file
	appendData   = 0x4 // of a folder: to add a folder, which does no harm
	deleteChild  = 0x40
	deleteIt     = 0x10000
	writeDAC     = 0x40000
	writeOwner   = 0x80000
	genericAll   = 0x10000000
	genericWrite = 0x40000000
)

// rights are their names in SDDL that matter here, as bits.
var rights = map[string]uint64{
	"FA": 0x1f01ff, "FW": 0x120116, "GA": genericAll, "GW": genericWrite,
	"SD": deleteIt, "WD": writeDAC, "WO": writeOwner,
	"DC": writeData, "LC": appendData, "DT": deleteChild,
}

// trusted are administrators and the system, and whoever made a file, which is its owner.
var trusted = []string{"SY", "BA", "LA", "DA", "CO", "OW", "S-1-5-18", "S-1-5-32-544", "S-1-3-0", "S-1-3-4",
	"S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464"} // NT SERVICE\TrustedInstaller

var (
	sddlOwner = regexp.MustCompile(`^O:([A-Z]{2}|S-[0-9-]+)`)
	sddlEntry = regexp.MustCompile(`\(([A-Z]+);([A-Z]*);([^;)]*);[^;)]*;[^;)]*;([^;)]*)`)
)

// writers returns who may change a file, or what a folder holds, and is not trusted, by a
// security descriptor in SDDL ([MS-DTYP], section 2.5.1). Entries that deny are not heeded:
// there is rather a warning too many.
func writers(sddl string, folder bool, self string) (who []string) {
	may := uint64(writeData | appendData | deleteIt | writeDAC | writeOwner | genericAll | genericWrite)
	if folder {
		may = may&^appendData | deleteChild
	}
	add := func(sid string) {
		if sid != self && !slices.Contains(trusted, sid) && !slices.Contains(who, sid) {
			who = append(who, sid)
		}
	}
	if m := sddlOwner.FindStringSubmatch(sddl); m != nil {
		add(m[1])
	}
	_, list, found := strings.Cut(sddl, "D:")
	if !found || strings.HasPrefix(list, "NO_ACCESS_CONTROL") {
		add("WD") // all, where there is no list
	}
	list, _, _ = strings.Cut(list, "S:(")
	for _, m := range sddlEntry.FindAllStringSubmatch(list, -1) {
		allows := m[1] == "A" || m[1] == "OA" || m[1] == "XA"
		if allows && !slices.Contains(pairs(m[2]), "IO") && bits(m[3])&may != 0 {
			add(m[4])
		}
	}
	return who
}

// bits reads rights: a number, or names of two letters.
func bits(text string) (all uint64) {
	if n, err := strconv.ParseUint(text, 0, 64); err == nil {
		return n
	}
	for _, name := range pairs(text) {
		all |= rights[name]
	}
	return all
}

// pairs cuts a text into words of two letters.
func pairs(text string) (words []string) {
	for ; len(text) >= 2; text = text[2:] {
		words = append(words, text[:2])
	}
	return words
}
