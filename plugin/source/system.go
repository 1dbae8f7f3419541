package source

import "errors"

// Links is the word in a Corefile for all resolvers that the system knows, each with the
// network interface over which the system reaches it.
const Links = "links"

// absent is the error of a source that this system does not have, or not now. That is no
// problem, unless the system has none of its sources.
type absent struct{ error }

func isAbsent(err error) bool { return errors.As(err, new(absent)) }
