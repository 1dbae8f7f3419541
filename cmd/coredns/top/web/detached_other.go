//go:build !unix

package web

import "syscall"

func detached() *syscall.SysProcAttr { return nil }
