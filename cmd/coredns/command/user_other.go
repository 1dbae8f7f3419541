//go:build !unix

package command

// userFlag adds nothing: on Windows the service manager starts services as other users.
func userFlag() (follow func() error) { return func() error { return nil } }
