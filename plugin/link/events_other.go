//go:build !linux && !windows && !darwin && !dragonfly && !freebsd && !netbsd && !openbsd

package link

import "errors"

func events() (wait func() error, end func(), err error) { return nil, nil, errors.ErrUnsupported }
