package source

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// someOf are n of many servers, from the k-th on.
func someOf(k, n int) (list []string) {
	for i := k; i < k+n; i++ {
		list = append(list, fmt.Sprintf("10.%d.%d.%d:53", i>>16, i>>8&255, i&255))
	}
	return list
}

// Of more servers than 64 the first are asked, wherever they are named, and a warning says so
// once: until there are less, and more again.
func TestManyServers(t *testing.T) {
	t.Parallel()
	const warning = "more than 64 upstreams are named; the first 64 are asked, and no others"
	const huge = 40000 // nearly as many as fit into a file: it must not take long either
	for _, test := range []struct {
		what                   string
		corefile, file, system []string
		want                   []string
		warned                 bool
	}{
		{"none too many", someOf(0, 10), someOf(10, 50), someOf(60, 4), someOf(0, 64), false},
		{"a file", nil, someOf(0, 3000), nil, someOf(0, 64), true},
		{"a huge file", nil, someOf(0, huge), nil, someOf(0, 64), true},
		{"the Corefile", someOf(0, 65), nil, nil, someOf(0, 64), true},
		{"the system", nil, nil, someOf(0, 3000), someOf(0, 64), true},
		{"all together", someOf(0, 30), someOf(30, 30), someOf(60, 30), someOf(0, 64), true},
		{"the same again", someOf(0, 64), someOf(0, 64), someOf(0, 64), someOf(0, 64), false},
		{"the same, and others", someOf(0, 60), someOf(0, 62), someOf(0, 70), someOf(0, 64), true},
	} {
		t.Run(test.what, func(t *testing.T) {
			t.Parallel()
			d := tree{t, t.TempDir()}
			list := new(List)
			for _, s := range plain(test.corefile...) {
				list.AddServer(s)
			}
			text := "nameserver " + strings.Join(test.file, "\nnameserver ") + "\n"
			if test.file != nil {
				d.write("resolv.conf", text)
				list.Add(File(d.path("resolv.conf")))
			}
			system := &told{servers: plain(test.system...)}
			if test.system != nil {
				list.Add(system)
			}
			warned := func() bool { return slices.Contains(list.Read().Warnings, warning) }
			if got := warned(); got != test.warned {
				t.Errorf("warned: %v", got)
			}
			if got := list.Servers(); !equal(got, plain(test.want...)) {
				t.Errorf("%d servers: %v", len(got), got)
			}
			if warned() {
				t.Error("warned again")
			}
			if test.file == nil {
				return
			}
			d.write("resolv.conf", conf(someOf(0, 1)...))
			if list.Read(); test.what == "a file" && (len(list.Servers()) != 1 || warned()) {
				t.Errorf("of one server: %v", list.Servers())
			}
			d.write("resolv.conf", text)
			if got := warned(); test.what == "a file" && !got {
				t.Error("not warned of too many that came again")
			}
		})
	}
}

// What is beyond the first servers is shown so.
func TestManyInventory(t *testing.T) {
	list := new(List)
	list.Add(&told{servers: plain(someOf(0, 40)...)})
	list.Add(&told{servers: plain(someOf(20, 60)...)})
	list.Read()
	count := make(map[string]int)
	for _, i := range list.Inventory() {
		for _, n := range i.Named {
			count[n.Skipped]++
		}
	}
	if count[""] != MaxServers || count["already named"] != 20 || count["beyond the first 64"] != 16 {
		t.Errorf("got %v", count)
	}
}
