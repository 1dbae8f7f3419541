package docs_test

import (
	"fmt"
	"go/ast"
	"go/build"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/dnsmus/dnsmus/plugin/option"
)

// bound is what a row of DESIGN.md's table of bounds is held to.
type bound struct {
	numbers []string // of the row, in its order, as the code has them
	shown   []string // tests that show what no constant does, of the file's folder if they name none
}

// bounds are the rows, by where they are kept.
func bounds(code *code) map[string]bound {
	count := func(dir, name string) string { return thousands(code.int(dir, name)) }
	span := func(dir, name string) string { return duration(time.Duration(code.int(dir, name))) }
	size := func(dir, name string) string { return binary(code.int(dir, name)) }
	const up = "plugin/upstream"
	const pointer, longestName = 8, 255 // bytes; RFC 1035, section 2.3.4
	names := code.int("plugin/knowledge", "shards") * code.int("plugin/knowledge", "sets") * code.int("plugin/knowledge", "ways")
	zones := code.int("plugin/knowledge", "zoneShards") * code.int("plugin/knowledge", "zonePlaces")
	return map[string]bound{
		"plugin/handler/serve.go":                              {numbers: []string{thousands(option.Default().MaxConcurrent)}, shown: []string{"TestMaxConcurrent"}},
		"plugin/option/table.go":                               {numbers: []string{span("plugin/option", "minWait"), span("plugin/option", "maxWait")}},
		"plugin/upstream/tidy.go":                              {numbers: []string{count(up, "maxLate"), span(up, "tidyEvery")}, shown: []string{"TestBounds"}},
		"plugin/ports/process.go":                              {shown: []string{"plugin/upstream/TestDescriptors"}},
		"plugin/ports/spare.go":                                {numbers: []string{thousands(4 * code.int("plugin/ports", "maxSpares"))}, shown: []string{"TestSpares"}},
		"plugin/race/sleeper.go":                               {numbers: []string{count("plugin/race", "maxEvents")}, shown: []string{"TestEventsOfClock"}},
		"plugin/upstream/look.go":                              {numbers: []string{span(up, "lookEvery")}, shown: []string{"TestR20FewLooks"}},
		"plugin/pool/ends.go":                                  {numbers: []string{count("plugin/pool", "maxEnds")}},
		"plugin/wire/alias.go":                                 {numbers: []string{count("plugin/wire", "maxAliases")}},
		"plugin/known/types.go":                                {numbers: []string{count("plugin/known", "MaxTypes")}},
		"plugin/known/zones.go":                                {numbers: []string{count("plugin/known", "MaxZones")}, shown: []string{"TestZonesBound"}},
		"plugin/knowledge/nametable.go":                        {numbers: []string{thousands(names), megabytes(names * (code.size("plugin/knowledge", "known") + pointer + longestName))}},
		"plugin/knowledge/zonetable.go":                        {numbers: []string{count("plugin/knowledge", "MaxUpstreams"), thousands(zones), megabytes(zones * (code.size("plugin/knowledge", "zone") + pointer + longestName)), megabytes(zones * code.size("plugin/knowledge", "tally"))}},
		"plugin/cache/body.go":                                 {numbers: []string{thousands(code.int("plugin/option", "defaultCache")), size("plugin/cache", "maxSize")}, shown: []string{"TestEntries"}},
		"plugin/pool/ask.go":                                   {numbers: []string{count("plugin/pool", "maxRenewals")}},
		"plugin/pool/stale.go":                                 {shown: []string{"TestR24GoesOn"}},
		"plugin/cache/change.go":                               {numbers: []string{count("plugin/cache", "maxChanges")}},
		"plugin/ports/ports.go":                                {numbers: []string{count("plugin/ports", "InUse"), count("plugin/ports", "BusyInUse"), count("plugin/ports", "BusyRate"), span("plugin/ports", "MaxAge")}},
		"plugin/udp/reader_linux.go":                           {numbers: []string{span("plugin/udp", "maxReading")}, shown: []string{"TestSocketsComeAndGo", "TestReceiverThatWaits"}},
		"plugin/udp/udp.go":                                    {numbers: []string{size("plugin/udp", "buffer")}},
		"plugin/upstream/streams.go":                           {numbers: []string{count(up, "maxStreams"), count(up, "maxOpen"), word(code.int(up, "maxAttempts"))}, shown: []string{"TestStreamDialsOnce"}},
		"plugin/upstream/stream.go":                            {numbers: []string{count(up, "maxUseless"), span(up, "uselessPause")}, shown: []string{"TestStreamUseless", "TestRoundTripperUseless"}},
		"plugin/ports/ids.go":                                  {numbers: []string{count("plugin/ports", "maxIDs")}, shown: []string{"TestIDs"}},
		"plugin/upstream/phase.go, plugin/upstream/state.go":   {numbers: []string{count(up, "maxPackets"), count(up, "maxDials"), count(up, "maxClosedEarly")}},
		"plugin/secure/host.go":                                {numbers: []string{count("plugin/secure", "maxAddrs")}},
		"plugin/secure/https.go":                               {numbers: []string{size("plugin/secure", "maxHeaders"), size("plugin/secure", "maxUnread"), size("plugin/secure", "maxWindow"), size("plugin/secure", "allowedUnasked"), size("plugin/secure", "allowedPerQuery")}, shown: []string{"TestHTTPSFlood", "TestHTTPSManyReplies", "TestLargeHeaders", "TestEndlessReply", "TestQUICServerOpensStreams"}},
		"plugin/upstream/conn.go, plugin/upstream/incoming.go": {numbers: []string{span(up, "maxDialPause")}, shown: []string{"TestDialTakesLong"}},
		"plugin/upstream/state.go":                             {numbers: []string{count(up, "maxWorkers")}},
		"plugin/pool/replace.go, plugin/upstream/streams.go":   {numbers: []string{word(code.int("plugin/pool", "warm") / int64(time.Minute)), span(up, "rewarmEvery")}},
		"plugin/secure/quic.go":                                {numbers: []string{count("plugin/secure", "maxEnds"), span("plugin/secure", "endWait")}},
		"plugin/handler/follow.go":                             {numbers: []string{span("plugin/handler", "firstWait")}},
		"plugin/handler/log.go, plugin/handler/overload.go":    {numbers: []string{span("plugin/handler", "calm")}, shown: []string{"TestFewLines", "TestNoErrors", "TestMaxConcurrent"}},
		"plugin/handler/log.go":                                {numbers: []string{count("plugin/handler", "logBurst"), span("plugin/handler", "logEvery")}},
		"plugin/pool/reasons.go":                               {numbers: []string{count("plugin/pool", "maxExtraText") + " bytes"}},
		"plugin/printable/printable.go":                        {numbers: []string{count("plugin/printable", "maxShort") + " bytes"}},
		"plugin/handler/series.go":                             {shown: []string{"TestSeriesGo"}},
		"plugin/source/settle.go":                              {numbers: []string{span("plugin/source", "restMost"), thousands(int64(time.Second) / code.int("plugin/source", "rereadTime"))}},
		"plugin/source/watch.go":                               {numbers: []string{span("plugin/source", "slowPoll"), span("plugin/source", "fastPoll")}, shown: []string{"TestWatchLimit"}},
		"plugin/source/bus.go":                                 {numbers: []string{span("plugin/source", "callTime"), span("plugin/source", "busLook")}, shown: []string{"TestBusSilent"}},
		"cmd/coredns/client/client.go":                         {numbers: []string{span("cmd/coredns/client", "answerTime"), size("cmd/coredns/client", "maxLine")}},
		"cmd/coredns/top/races.go":                             {numbers: []string{count("cmd/coredns/top", "maxRows"), size("cmd/coredns/top", "maxBytes")}, shown: []string{"TestBounded"}},
		"cmd/coredns/top/fold.go":                              {numbers: []string{count("cmd/coredns/top", "maxSuffixes")}, shown: []string{"TestSuffixesAreBounded"}},
		"cmd/coredns/top/loop.go":                              {numbers: []string{span("cmd/coredns/top", "drawEvery")}},
		"cmd/coredns/top/web/page/model.js":                    {numbers: []string{"2,000", "16 MiB"}, shown: []string{"cmd/coredns/top/web/TestModel"}},
		"cmd/coredns/top/web/site.go":                          {numbers: []string{size("cmd/coredns/top/web", "maxHeader"), size("cmd/coredns/top/web", "maxReply"), span("cmd/coredns/top/web", "alone")}, shown: []string{"TestForward"}},
		"plugin/history/history.go":                            {numbers: []string{count("plugin/option", "defaultHistory"), count("plugin/history", "shards"), count("plugin/history", "maxRate")}, shown: []string{"TestSize", "TestFloodOfOneZone"}},
		"plugin/account/tally.go":                              {numbers: []string{count("plugin/account", "spans"), count("plugin/account", "minutes")}, shown: []string{"TestLately"}},
		"plugin/control/bounds.go":                             {numbers: []string{count("plugin/control", "maxConns"), count("plugin/control", "maxStreams"), size("plugin/control", "maxHeader"), size("plugin/control", "maxBody"), span("plugin/control", "requestTime")}, shown: []string{"TestR25Bounds"}},
		"plugin/control/hub.go":                                {numbers: []string{count("plugin/control", "maxEvents"), size("plugin/control", "maxBytes"), count("plugin/control", "maxRate")}, shown: []string{"TestR25NeverReads", "TestR25Sampled"}},
		"plugin/control/reaches.go":                            {numbers: []string{count("plugin/control", "maxReach"), span("plugin/control", "reachTime")}, shown: []string{"TestReaches", "TestReachRefused"}},
		"plugin/source/list.go":                                {numbers: []string{count("plugin/source", "MaxServers")}, shown: []string{"TestManyServers"}},
		"plugin/source/file.go, plugin/source/resolvconf.go":   {numbers: []string{size("plugin/source", "maxFile"), size("plugin/source", "maxLine"), count("plugin/source", "maxWarnings")}},
	}
}

// number is one as the table writes it. "One" is no bound that a constant has.
var number = regexp.MustCompile(`\b(?:\d[\d,.]*\d|\d)(?: (?:ms|s|min|MB|MiB|KiB|bytes)\b)?|\b(?:two|three|four|five|six|seven|eight|nine|ten)\b`)

// Each bound that DESIGN.md names is that of the code, or has a test.
func TestDesignBounds(t *testing.T) {
	_, table, _ := strings.Cut(read(t, "DESIGN.md"), "\n## Bounds\n")
	table, _, _ = strings.Cut(table, "\n## ")
	held := bounds(newCode(t))
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 3 || !strings.Contains(cells[2], "`") {
			continue
		}
		what := strings.TrimSpace(cells[0])
		files := matches(inTicks, cells[2])
		where := strings.Join(files, ", ")
		b, ok := held[where]
		if !ok || len(b.numbers)+len(b.shown) == 0 {
			t.Errorf("%s: nothing holds this bound of %s", what, where)
			continue
		}
		delete(held, where)
		if got := number.FindAllString(inTicks.ReplaceAllString(cells[0]+cells[1], ""), -1); !slices.Equal(got, b.numbers) {
			t.Errorf("%s: the table says %q, the code %q", what, got, b.numbers)
		}
		for _, test := range b.shown {
			dir, name := path.Split(test)
			if dir == "" {
				dir = path.Dir(files[0])
			}
			if !hasTest(t, dir, name) {
				t.Errorf("%s: there is no %s in %s", what, name, dir)
			}
		}
	}
	for where := range held {
		t.Errorf("there is no row of %s", where)
	}
}

// hasTest reports whether a folder has a test.
func hasTest(t *testing.T, dir, name string) bool {
	t.Helper()
	tests, err := fs.Glob(tree, path.Clean(dir)+"/*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(tests, func(file string) bool { return strings.Contains(read(t, file), "\nfunc "+name+"(") })
}

func thousands(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

func binary(n int64) string {
	if n%(1<<20) == 0 {
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d KiB", n>>10)
}

func duration(d time.Duration) string {
	switch {
	case d%time.Minute == 0:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d%time.Second == 0:
		return fmt.Sprintf("%d s", d/time.Second)
	}
	return fmt.Sprintf("%d ms", d/time.Millisecond)
}

func word(n int64) string {
	return [...]string{"none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"}[n]
}

// code finds constants and the sizes of types, exported or not. Of other packages than the
// module's it knows the constants of package time alone.
type code struct {
	t    *testing.T
	fset *token.FileSet
	all  map[string]*types.Package
}

func newCode(t *testing.T) *code {
	c := &code{t: t, fset: token.NewFileSet(), all: make(map[string]*types.Package)}
	pkg := types.NewPackage("time", "time")
	name := types.NewTypeName(token.NoPos, pkg, "Duration", nil)
	types.NewNamed(name, types.Typ[types.Int64], nil)
	pkg.Scope().Insert(name)
	for unit, d := range map[string]time.Duration{"Nanosecond": 1, "Microsecond": time.Microsecond, "Millisecond": time.Millisecond,
		"Second": time.Second, "Minute": time.Minute, "Hour": time.Hour} {
		pkg.Scope().Insert(types.NewConst(token.NoPos, pkg, unit, name.Type(), constant.MakeInt64(int64(d))))
	}
	pkg.MarkComplete()
	c.all["time"] = pkg
	return c
}

// Import implements types.Importer.
func (c *code) Import(name string) (*types.Package, error) {
	if pkg, ok := c.all[name]; ok {
		return pkg, nil
	}
	dir, ours := strings.CutPrefix(name, module+"/")
	if !ours {
		pkg := types.NewPackage(name, path.Base(name))
		pkg.MarkComplete()
		c.all[name] = pkg
		return pkg, nil
	}
	system := build.Default
	system.GOOS = "linux"
	in, err := system.ImportDir(filepath.Join("../..", dir), 0)
	if err != nil {
		return nil, err
	}
	var files []*ast.File
	for _, file := range in.GoFiles {
		f, err := parser.ParseFile(c.fset, filepath.Join(in.Dir, file), nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	config := types.Config{Importer: c, Error: func(error) {}, IgnoreFuncBodies: true, Sizes: types.SizesFor("gc", "amd64")}
	pkg, _ := config.Check(name, c.fset, files, nil) // what it cannot know it leaves out
	c.all[name] = pkg
	return pkg, nil
}

func (c *code) lookup(dir, name string) types.Object {
	c.t.Helper()
	pkg, err := c.Import(module + "/" + dir)
	if err != nil {
		c.t.Fatal(err)
	}
	o := pkg.Scope().Lookup(name)
	if o == nil {
		c.t.Fatalf("%s has no %s", dir, name)
	}
	return o
}

// int is a constant's value.
func (c *code) int(dir, name string) int64 {
	c.t.Helper()
	o, ok := c.lookup(dir, name).(*types.Const)
	if !ok {
		c.t.Fatalf("%s in %s is no constant", name, dir)
	}
	n, exact := constant.Int64Val(constant.ToInt(o.Val()))
	if !exact {
		c.t.Fatalf("%s in %s is no whole number", name, dir)
	}
	return n
}

// size is that of a type, in bytes.
func (c *code) size(dir, name string) int64 {
	c.t.Helper()
	return types.SizesFor("gc", "amd64").Sizeof(c.lookup(dir, name).Type())
}
