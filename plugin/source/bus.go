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

	"github.com/dnsmus/dnsmus/plugin/printable"
	"github.com/dnsmus/dnsmus/plugin/server"
)

const (
	callTime    = 2 * time.Second        // that a program on the bus may take to answer
	warmingTime = 5 * time.Second        // after its start, in which a program may not know everything
	burstTime   = 20 * time.Millisecond  // in which the signals of one change come
	secondLook  = time.Second            // after a signal, for what follows it without one
	busLook     = time.Minute            // beside its signals, for what changes without one
	failedLook  = 4 * time.Second        // after a reading that failed, though the program runs
	busPause    = 250 * time.Millisecond // before connecting to the bus again; doubled up to busLook
)

// service is a program on the system's D-Bus that knows resolvers, as a [Watcher]. It may
// start and end at any time, and so may the bus.
type service struct {
	name    string          // for people
	bus     string          // its name on D-Bus
	path    dbus.ObjectPath // above the objects whose changes matter
	address string          // of the bus; empty: the system's
	warming time.Duration   // after its start, in which it may not know everything
	ask     func(ctx context.Context, conn *dbus.Conn, present interfaces) ([]server.Server, []Skipped, error)

	mu      sync.Mutex
	conn    *dbus.Conn // of Watch; nil: there is none
	started time.Time  // when the program, or the bus, started or ended; zero: it runs since before Watch
	failed  bool       // the last reading, though the program runs
}

// String implements [Source].
func (s *service) String() string { return s.name }

// Read implements [Source].
func (s *service) Read() (Reading, error) {
	r, err := s.read()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = err != nil && !isAbsent(err)
	return r, err
}

func (s *service) read() (Reading, error) {
	s.mu.Lock()
	conn, started := s.conn, s.started
	s.mu.Unlock()
	if conn == nil {
		var err error
		conn, err = s.connect(context.Background())
		switch {
		case errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET):
			// dbus-daemon does so with users that have no name for it, as with DynamicUser of systemd.
			return Reading{}, fmt.Errorf("%s unavailable: D-Bus rejected uid %d (not in passwd); run CoreDNS as a user that is in /etc/passwd", s.name, os.Getuid())
		case err != nil:
			return Reading{}, absent{fmt.Errorf("%s unavailable: cannot connect to D-Bus: %w", s.name, printable.Error(err))}
		}
		defer conn.Close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), callTime)
	defer cancel()
	present, err := presentInterfaces()
	if err != nil {
		return Reading{}, err
	}
	servers, skipped, err := s.ask(ctx, conn, present)
	var refused dbus.Error
	switch {
	case errors.As(err, &refused) && (refused.Name == "org.freedesktop.DBus.Error.ServiceUnknown" || refused.Name == "org.freedesktop.DBus.Error.NameHasNoOwner"):
		return Reading{}, absent{fmt.Errorf("%s is not running", s.name)}
	case errors.Is(err, dbus.ErrClosed):
		return Reading{}, absent{fmt.Errorf("%s unavailable: D-Bus connection closed", s.name)}
	case errors.Is(err, context.DeadlineExceeded):
		return Reading{}, fmt.Errorf("%s did not answer on D-Bus within %v", s.name, callTime)
	case err != nil:
		return Reading{}, fmt.Errorf("cannot read the resolvers of %s: %w", s.name, printable.Error(err))
	}
	r := collect(servers, skipped, present)
	r.Warming = !started.IsZero() && time.Since(started) < s.warming
	return r, nil
}

// connect connects to the bus, for as long as ctx lives.
func (s *service) connect(ctx context.Context) (*dbus.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	late := time.AfterFunc(callTime, cancel)
	defer late.Stop()
	options := []dbus.ConnOption{
		dbus.WithContext(ctx),
		// By number: a service's dynamic user may have neither a name nor a home.
		dbus.WithAuth(dbus.AuthExternal(strconv.Itoa(os.Getuid()))),
	}
	if s.address != "" {
		return dbus.Connect(s.address, options...)
	}
	return dbus.ConnectSystemBus(options...)
}

// properties returns all properties of one of the program's objects. It does not start the
// program if that does not run.
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
				changed() // for the error that Read returns now
			}
			sleep(ctx, pause)
			pause = min(2*pause, busLook)
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

// follow calls changed as long as a connection to the bus lasts. It reports whether there
// was one.
func (s *service) follow(ctx context.Context, first bool, changed func()) (connected bool) {
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
	started := time.Time{}
	if !first { // the program may have started with the bus
		started = time.Now()
	}
	s.setConn(conn, started)
	defer func() { s.setConn(nil, time.Now()) }()

	poll := time.NewTicker(busLook)
	defer poll.Stop()
	again := time.NewTimer(secondLook)
	defer again.Stop()
	warm := time.NewTimer(s.warming) // from then on the program knows everything
	defer warm.Stop()
	for {
		changed()
		if s.hasFailed() {
			again.Reset(failedLook)
		}
		select {
		case e, ok := <-signals:
			if !ok {
				return true
			}
			began := s.onSignal(e)
			if s.drain(ctx, signals) || began {
				warm.Reset(s.warming)
			}
			again.Reset(secondLook)
		case <-again.C:
		case <-warm.C:
		case <-poll.C:
		}
		if ctx.Err() != nil {
			return true
		}
	}
}

// drain takes the signals that follow upon one. It reports whether the program has started.
func (s *service) drain(ctx context.Context, signals <-chan *dbus.Signal) (started bool) {
	end := time.After(burstTime)
	for {
		select {
		case e, ok := <-signals:
			if !ok {
				return started
			}
			started = s.onSignal(e) || started
		case <-end:
			return started
		case <-ctx.Done():
			return started
		}
	}
}

const ownerChanged = "NameOwnerChanged"

// onSignal notes when the program starts, and reports whether it does.
func (s *service) onSignal(e *dbus.Signal) (started bool) {
	if started = e.Name == "org.freedesktop.DBus."+ownerChanged && len(e.Body) == 3 && e.Body[2] != ""; started {
		s.mu.Lock()
		s.started = time.Now()
		s.mu.Unlock()
	}
	return started
}

func (s *service) hasFailed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

// setConn sets the connection over which the program is asked.
func (s *service) setConn(conn *dbus.Conn, started time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn, s.started = conn, started
}
