package source

import (
	"fmt"
	"maps"
	"net"
	"strconv"

	"github.com/dnsmus/dnsmus/plugin/link"
)

// interfaces are the network interfaces that there are: their names, by number.
type interfaces map[int]string

// presentInterfaces returns those of this host. Without them servers would be asked over
// others than their own.
func presentInterfaces() (interfaces, error) {
	found, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("cannot list the network interfaces: %w", err)
	}
	all := make(interfaces)
	for _, i := range found {
		all[i.Index] = i.Name
	}
	return all, nil
}

// watchInterfaces calls changed when a network interface has come, gone or got another name,
// until stop is called. The error says why changes are noticed late.
func watchInterfaces(changed func()) (stop func(), err error) {
	last, _ := presentInterfaces()
	return link.Watch(func() {
		if now, err := presentInterfaces(); err == nil && !maps.Equal(now, last) {
			last = now
			changed()
		}
	})
}

// name returns the name of the interface that is known by its name or number.
func (i interfaces) name(link string) (name string, present bool) {
	if n, err := strconv.Atoi(link); err == nil && i[n] != "" {
		return i[n], true
	}
	for _, name := range i {
		if name == link {
			return name, true
		}
	}
	return link, false
}

// numberOf returns the number of the interface of that name or, if there is none, the name.
func (i interfaces) numberOf(name string) string {
	for n, other := range i {
		if other == name {
			return strconv.Itoa(n)
		}
	}
	return name
}

// nameOf returns the name of the interface of that number or, if there is none, the
// number; it is empty for 0.
func (i interfaces) nameOf(n int) string {
	if n == 0 || i[n] != "" {
		return i[n]
	}
	return strconv.Itoa(n)
}
