package source

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"unsafe"

	"golang.org/x/sys/windows"
)

// systemKnows names what may know the resolvers of this system.
const systemKnows = "network adapters"

// systemSources returns a source for each of those.
func systemSources() []Source { return []Source{&polled{name: "adapters", read: readAdapters}} }

// readAdapters reads the table of network adapters.
func readAdapters() (Reading, error) {
	table, err := adapterTable()
	if err != nil {
		return Reading{}, absent{fmt.Errorf("cannot list network adapters: %w", err)}
	}
	servers, skipped := adapterServers(table)
	present, err := presentInterfaces()
	return collect(servers, skipped, present), err
}

// adapterTable calls GetAdaptersAddresses.
func adapterTable() (all []adapter, err error) {
	const flags = windows.GAA_FLAG_SKIP_UNICAST | windows.GAA_FLAG_SKIP_ANYCAST | windows.GAA_FLAG_SKIP_MULTICAST
	size := uint32(15 << 10) // as its documentation advises
	var table []byte
	for err = windows.ERROR_BUFFER_OVERFLOW; errors.Is(err, windows.ERROR_BUFFER_OVERFLOW); {
		table = make([]byte, size)
		err = windows.GetAdaptersAddresses(windows.AF_UNSPEC, flags, 0, (*windows.IpAdapterAddresses)(unsafe.Pointer(unsafe.SliceData(table))), &size)
	}
	if errors.Is(err, windows.ERROR_NO_DATA) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for a := (*windows.IpAdapterAddresses)(unsafe.Pointer(unsafe.SliceData(table))); a != nil; a = a.Next {
		index := a.IfIndex
		if index == 0 { // it has no IPv4
			index = a.Ipv6IfIndex
		}
		one := adapter{
			link:   strconv.Itoa(int(index)),
			up:     a.OperStatus == windows.IfOperStatusUp,
			suffix: windows.UTF16PtrToString(a.DnsSuffix),
		}
		for d := a.FirstDnsServerAddress; d != nil; d = d.Next {
			if addr, ok := netip.AddrFromSlice(d.Address.IP()); ok {
				one.servers = append(one.servers, addr)
			}
		}
		for d := a.FirstDnsSuffix; d != nil; d = d.Next {
			one.more = append(one.more, windows.UTF16ToString(d.String[:]))
		}
		all = append(all, one)
	}
	return all, nil
}
