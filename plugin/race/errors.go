package race

import (
	"errors"
	"slices"
)

// Why a leg gave no opinion, other than errors of its exchange.
var (
	ErrServFail       = errors.New("SERVFAIL")
	ErrRefused        = errors.New("REFUSED")
	ErrTruncated      = errors.New("truncated reply, and the whole cannot be had")
	ErrReferral       = errors.New("referral")
	ErrUnable         = errors.New("query not understood")
	ErrSilent         = errors.New("no reply in time")
	ErrUnasked        = errors.New("not asked yet")
	ErrDown           = errors.New("no reply in time, nor to other queries")
	ErrUnresponsive   = errors.New("no reply to questions of this type")
	ErrUnresponsiveIn = errors.New("no reply to questions for this name or in its zone")
	ErrUnreadable     = errors.New("reply that cannot be unpacked")
	ErrEndless        = errors.New("alias that leads back, or too far")
	ErrEndSilent      = errors.New("alias, and no reply in time for its end")
	ErrEndUnknown     = errors.New("alias, and no upstream tells of its end")
	ErrTooLong        = errors.New("alias, and its end does not fit into a message with it")
)

// Errors are all of those above.
var Errors = []error{
	ErrServFail, ErrRefused, ErrTruncated, ErrReferral, ErrUnable, ErrSilent, ErrUnasked, ErrDown, ErrUnresponsive, ErrUnresponsiveIn, ErrUnreadable,
	ErrEndless, ErrEndSilent, ErrEndUnknown, ErrTooLong,
}

// NetworkFailed reports whether a leg's error is none of those above: its upstream could
// not be reached.
func NetworkFailed(err error) bool {
	return err != nil && !slices.ContainsFunc(Errors, func(e error) bool { return errors.Is(err, e) })
}
