//go:build !linux

package testkit

import "os"

// Main runs the tests, and ends the program.
func Main(m interface{ Run() int }) { os.Exit(Tidy(m).Run()) }

// Tidy returns the tests as they are: those that make more than files in
// directories of their own are for Linux.
func Tidy[M interface{ Run() int }](m M) M {
	prepare()
	return m
}
