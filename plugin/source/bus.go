//go:build linux

package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/dnsmus/dnsmus/plugin/server"
)

const (
	callTime    = 2 * time.Second        // that a program on the bus may take to answer
	warmingTime = 5 * time.Second        // in which one that has just come may not know everything
	signalRest  = 20 * time.Millisecond  // in which what is told together comes together
	afterlook   = time.Second            // after an event, for what is told without one
	busPause    = 250 * time.Millisecond // before the bus is sought again; doubled up to slowPoll
)

// service is a program on the system's D-Bus that knows resolvers, as a [Source]. It may
// come and go, and so may the bus.
type service struct {
	name    string          // for people
	bus     string          // on D-Bus
	path    dbus.ObjectPath // of its objects whose changes matter
	address string          // of the bus; empty: the system's
	warming time.Duration   // in which it may not know everything, when it has just come
	ask     func(ctx context.Context, conn *dbus.Conn, present interfaces) ([]server.Server, []Skipped, error)

	mu   sync.Mutex
	conn *dbus.Conn // of the watch; nil: there is none
	came time.Time  // when the program, or the bus, was seen to come or go; zero: it was there before
}

// String implements [Source].
func (s *service) String() string { return s.name }

// Read implements [Source].
func (s *service) Read() (Reading, error) {
	s.mu.Lock()
	conn, came := s.conn, s.came
	s.mu.Unlock()
	if conn == nil {
		var err error
		conn, err = s.connect(context.Background())
		switch {
		case errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET):
			// dbus-daemon does so with users that it finds no name of, as dynamic ones of systemd's.
			return Reading{}, fmt.Errorf("%s unavailable: D-Bus rejected uid %d (not in passwd); run as a user that is", s.name, os.Getuid())
		case err != nil:
			return Reading{}, absent{fmt.Errorf("%s unavailable: no system D-Bus: %w", s.name, err)}
		}
		defer conn.Close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), callTime)
	defer cancel()
	present := presentInterfaces()
	servers, skipped, err := s.ask(ctx, conn, present)
	var refused dbus.Error
	switch {
	case errors.As(err, &refused) && (refused.Name == "org.freedesktop.DBus.Error.ServiceUnknown" || refused.Name == "org.freedesktop.DBus.Error.NameHasNoOwner"):
		return Reading{}, absent{fmt.Errorf("%s is not running", s.name)}
	case errors.Is(err, dbus.ErrClosed):
		return Reading{}, absent{fmt.Errorf("%s unavailable: D-Bus connection closed", s.name)}
	case err != nil:
		return Reading{}, fmt.Errorf("cannot read the resolvers of %s: %w", s.name, err)
	}
	r := collect(servers, skipped, present)
	r.Warming = !came.IsZero() && time.Since(came) < s.warming
	return r, nil
}

// connect connects to the bus, for as long as ctx lives.
func (s *service) connect(ctx context.Context) (*dbus.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	late := time.AfterFunc(callTime, cancel)
	defer late.Stop()
	options := []dbus.ConnOption{
		dbus.WithContext(ctx),
		// By number: a service's dynamic user may be unknown by name, and without a home.
		dbus.WithAuth(dbus.AuthExternal(strconv.Itoa(os.Getuid()))),
	}
	if s.address != "" {
		return dbus.Connect(s.address, options...)
	}
	return dbus.ConnectSystemBus(options...)
}

// properties returns all properties of an object of the program's. It does not start one
// that does not run.
func (s *service) properties(ctx context.Context, conn *dbus.Conn, path dbus.ObjectPath, of string) (all map[string]dbus.Variant, err error) {
	err = conn.Object(s.bus, path).CallWithContext(ctx, "org.freedesktop.DBus.Properties.GetAll", dbus.FlagNoAutoStart, of).Store(&all)
	return all, err
}

// store reads a property.
func store(all map[string]dbus.Variant, name string, to any) error {
	v, ok := all[name]
	if !ok {
		return fmt.Errorf("no D-Bus property %s; is it an old version?", name)
	}
	return v.Store(to)
}

// Watch implements [Watcher].
func (s *service) Watch(changed func()) (stop func(), err error) {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		pause := busPause
		for first := true; ctx.Err() == nil; first = false {
			if s.follow(ctx, first, changed) {
				pause = busPause
			}
			if (first || pause == busPause) && ctx.Err() == nil {
				changed() // it says now why it is of no use
			}
			sleep(ctx, pause)
			pause = min(2*pause, slowPoll)
		}
	}()
	return cancel, nil
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// follow calls changed as long as a connection to the bus lasts. It returns whether there
// was one.
func (s *service) follow(ctx context.Context, first bool, changed func()) bool {
	conn, err := s.connect(ctx)
	if err != nil {
		return false
	}
	defer conn.Close()
	signals := make(chan *dbus.Signal, 64)
	conn.Signal(signals)
	for _, rule := range [][]dbus.MatchOption{
		{dbus.WithMatchSender(s.bus), dbus.WithMatchInterface("org.freedesktop.DBus.Properties"), dbus.WithMatchMember("PropertiesChanged"), dbus.WithMatchPathNamespace(s.path)},
		{dbus.WithMatchSender("org.freedesktop.DBus"), dbus.WithMatchMember(ownerChanged), dbus.WithMatchArg(0, s.bus)},
	} {
		if err := conn.AddMatchSignalContext(ctx, rule...); err != nil {
			return false
		}
	}
	came := time.Time{}
	if !first { // it may have come with the bus
		came = time.Now()
	}
	s.hold(conn, came)
	defer func() { s.hold(nil, time.Now()) }()

	poll := time.NewTicker(slowPoll) // not everything is told by events
	defer poll.Stop()
	again := time.NewTimer(afterlook)
	defer again.Stop()
	for {
		changed()
		select {
		case e, ok := <-signals:
			if !ok {
				return true
			}
			s.heed(e)
			sleep(ctx, signalRest)
			for rest := true; rest; {
				select {
				case e, ok := <-signals:
					if rest = ok; ok {
						s.heed(e)
					}
				default:
					rest = false
				}
			}
			again.Reset(afterlook)
		case <-again.C:
		case <-poll.C:
		}
		if ctx.Err() != nil {
			return true
		}
	}
}

const ownerChanged = "NameOwnerChanged"

// heed takes note of a program that comes.
func (s *service) heed(e *dbus.Signal) {
	if e.Name == "org.freedesktop.DBus."+ownerChanged && len(e.Body) == 3 && e.Body[2] != "" {
		s.mu.Lock()
		s.came = time.Now()
		s.mu.Unlock()
	}
}

// hold makes conn the connection by which the program is asked.
func (s *service) hold(conn *dbus.Conn, came time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn, s.came = conn, came
}
