//go:build !linux

package race

// systemAlarm returns nil: there is none.
func systemAlarm(func()) (alarm, func()) { return nil, nil }
