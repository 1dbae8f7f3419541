package doctor

import (
	"context"
	"errors"
	"time"

	"github.com/godbus/dbus/v5"
)

// busTime is how long a program on D-Bus may take.
const busTime = 2 * time.Second

// connectivity asks NetworkManager whether there is a portal, and at which URL it looks for one.
func connectivity(ctx context.Context, address string) (state uint32, uri string, err error) {
	ctx, cancel := context.WithTimeout(ctx, busTime)
	defer cancel()
	var conn *dbus.Conn
	if address == "" {
		conn, err = dbus.ConnectSystemBus(dbus.WithContext(ctx))
	} else {
		conn, err = dbus.Connect(address, dbus.WithContext(ctx))
	}
	if err != nil {
		return 0, "", errNoManager // for there is no bus
	}
	defer conn.Close()
	const name = "org.freedesktop.NetworkManager"
	get := func(property string, into any) error {
		var v dbus.Variant
		o := conn.Object(name, "/org/freedesktop/NetworkManager")
		if err := o.CallWithContext(ctx, "org.freedesktop.DBus.Properties.Get", dbus.FlagNoAutoStart, name, property).Store(&v); err != nil {
			return err
		}
		return v.Store(into)
	}
	err = get("Connectivity", &state)
	var refused dbus.Error
	if errors.As(err, &refused) && (refused.Name == "org.freedesktop.DBus.Error.ServiceUnknown" || refused.Name == "org.freedesktop.DBus.Error.NameHasNoOwner") {
		return 0, "", errNoManager
	}
	if err != nil {
		return 0, "", err
	}
	_ = get("ConnectivityCheckUri", &uri) // which older ones do not have
	return state, uri, nil
}
