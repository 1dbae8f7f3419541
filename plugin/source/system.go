package source

import "errors"

// Links is the word that stands for all resolvers that the system knows, each through
// the link by which the system reaches it.
const Links = "links"

// absent is the error of a source that the system does not have, or not now. Whoever
// wants to know all that the system knows needs none in particular.
type absent struct{ error }

func isAbsent(err error) bool { return errors.As(err, new(absent)) }
