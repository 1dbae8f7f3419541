package secure

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"sync"

	"github.com/miekg/dns"
)

// headerSize is that of a DNS message.
const headerSize = 12

var (
	errTooLong  = errors.New("reply is too long")
	errTooShort = errors.New("reply is too short")
)

// framed is a connection made of single exchanges: what is written to it are
// messages with their length before them, and so are the replies that are read
// from it. On the way each message has the id 0, as RFC 8484 (section 4.1) and
// RFC 9250 (section 4.2.1) want it, and its reply gets the id back. When an
// exchange fails because of the connection, the connection ends with its error.
// One that fails alone must not harm the others: its reply is what a resolver
// says that cannot answer, SERVFAIL, and why.
type framed struct {
	net.Conn // the caller's end of a pipe

	exchange func(ctx context.Context, msg []byte) ([]byte, error)
	far      net.Conn // the other end
	ctx      context.Context
	cancel   context.CancelFunc
	shut     func() // closes what is beneath

	reply sync.Mutex // held while a reply is written

	mu  sync.Mutex
	err error // of the first exchange that failed
}

func newFramed(exchange func(ctx context.Context, msg []byte) ([]byte, error), shut func()) *framed {
	near, far := net.Pipe()
	f := &framed{Conn: near, exchange: exchange, far: far, shut: sync.OnceFunc(shut)}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	go f.serve()
	return f
}

// Read reads replies. Its error is that of the exchange which failed, if one did.
func (f *framed) Read(b []byte) (int, error) {
	n, err := f.Conn.Read(b)
	if err != nil {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.err != nil {
			err = f.err
		}
	}
	return n, err
}

// Close ends all exchanges.
func (f *framed) Close() error {
	f.cancel()
	f.shut()
	return f.Conn.Close()
}

// serve takes messages from the pipe until it is closed.
func (f *framed) serve() {
	for {
		msg, err := readFrame(f.far)
		if err != nil {
			f.fail(nil)
			return
		}
		go f.one(msg)
	}
}

func (f *framed) one(msg []byte) {
	if len(msg) < headerSize {
		return
	}
	id := binary.BigEndian.Uint16(msg)
	binary.BigEndian.PutUint16(msg, 0)
	ctx, cancel := context.WithTimeout(f.ctx, maxWait)
	defer cancel()
	reply, err := f.exchange(ctx, msg)
	if err == nil && len(reply) < headerSize {
		err = alone{errTooShort}
	}
	var only alone
	switch {
	case errors.As(err, &only), err != nil && ctx.Err() == context.DeadlineExceeded:
		reply = servfail(err)
	case err != nil:
		f.fail(err)
		return
	}
	binary.BigEndian.PutUint16(reply, id)
	f.reply.Lock()
	defer f.reply.Unlock()
	f.far.Write(frame(reply)) // an error says that nobody reads any more
}

// alone is an error of one exchange, on a connection that is all right.
type alone struct{ error }

// servfail is a reply that says no more than why there is none (RFC 8914, section
// 4.24).
func servfail(why error) []byte {
	m := new(dns.Msg)
	m.Response, m.Rcode = true, dns.RcodeServerFailure
	m.SetEdns0(dns.DefaultMsgSize, false)
	m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_EDE{InfoCode: dns.ExtendedErrorCodeNetworkError, ExtraText: why.Error()}}
	b, err := m.Pack()
	if err != nil {
		panic(err) // of a message without names
	}
	return b
}

// fail ends the connection.
func (f *framed) fail(err error) {
	f.mu.Lock()
	if f.err == nil {
		f.err = err
	}
	f.mu.Unlock()
	f.cancel()
	f.shut()
	f.far.Close()
}
