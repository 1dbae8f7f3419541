package client

import (
	"fmt"
	"reflect"
	"time"
	"unicode/utf16"

	"github.com/dnsmus/dnsmus/plugin/printable"
)

// makeSafe makes all text that v points to fit for terminals: a server has done so, but not
// every socket is a server's.
func makeSafe(v any) { walk(reflect.ValueOf(v)) }

func walk(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		if v.CanSet() {
			v.SetString(printable.ASCII(v.String()))
		}
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			walk(v.Elem())
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return
		}
		for i := range v.NumField() {
			walk(v.Field(i))
		}
	case reflect.Slice:
		for i := range v.Len() {
			walk(v.Index(i))
		}
	}
}

// SafeJSON returns a line of JSON in printable ASCII: what is not stands as an escape in it,
// which means the same.
func SafeJSON(line []byte) []byte {
	var out []byte
	for _, r := range string(line) {
		switch {
		case ' ' <= r && r <= '~':
			out = append(out, byte(r))
		case r < ' ': // not in a string, so a blank
			out = append(out, ' ')
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
	}
	return out
}
