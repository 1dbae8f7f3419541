//go:build !linux

package race

// systemAlarm returns nil: there is none.
func systemAlarm(func()) (Alarm, func()) { return nil, nil }
