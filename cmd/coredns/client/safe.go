package client

import (
	"reflect"
	"time"

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
