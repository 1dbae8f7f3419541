//go:build unix

package command

import (
	"flag"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"

	"github.com/coredns/caddy"
)

// userFlag adds the flag -user. What it returns is called once the flags are read. Root
// becomes that user when all ports are open; a reload is given them, and needs no others.
func userFlag() (follow func() error) {
	name := flag.String("user", "", "Become this `USER` once the ports are open, if root starts it")
	return func() error {
		if *name == "" {
			return nil
		}
		u, err := user.Lookup(*name)
		if err != nil {
			return fmt.Errorf("-user: %w; make that user, or name another", err)
		}
		uid, notUID := strconv.Atoi(u.Uid)
		gid, notGID := strconv.Atoi(u.Gid)
		switch {
		case notUID != nil || notGID != nil:
			return fmt.Errorf("-user: %s is %s:%s, which are no numbers", *name, u.Uid, u.Gid)
		case os.Getuid() == uid:
			return nil
		case os.Getuid() != 0:
			return fmt.Errorf("-user: only root can become %s; start it as root or as %[1]s", *name)
		}
		caddy.RegisterEventHook("dnsmus user", func(event caddy.EventName, _ any) error {
			if event != caddy.InstanceStartupEvent || os.Getuid() != 0 {
				return nil
			}
			if err := become(uid, gid); err != nil {
				fmt.Fprintf(os.Stderr, "cannot become user %s: %v\n", *name, err)
				os.Exit(1) // rather than serve as root
			}
			return nil
		})
		return nil
	}
}

// become gives up root for a user, in all threads, and its groups.
func become(uid, gid int) error {
	if err := syscall.Setgroups([]int{gid}); err != nil {
		return fmt.Errorf("setgroups: %w", err)
	}
	if err := syscall.Setgid(gid); err != nil {
		return fmt.Errorf("setgid: %w", err)
	}
	if err := syscall.Setuid(uid); err != nil {
		return fmt.Errorf("setuid: %w", err)
	}
	return nil
}
