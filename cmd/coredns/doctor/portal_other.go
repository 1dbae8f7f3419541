//go:build !linux

package doctor

import "context"

func connectivity(context.Context, string) (state uint32, uri string, err error) {
	return 0, "", errNoManager
}
