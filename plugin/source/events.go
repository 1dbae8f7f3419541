package source

// fileEvents tell when something happens to files, or to what leads to them. A file is known
// by its path: it does not matter how somebody replaces it, a symbolic link on the way to it,
// or a directory.
type fileEvents interface {
	// follow finds out what leads to the files now, watches that, and no longer what did
	// before and does not now. It returns what it finds to have happened in the meantime, and
	// why changes are noticed late from now on; empty: they are not.
	follow(files []string) (found []fileEvent, late string)

	// events are about files that were last followed. If the channel is closed there are no more.
	events() <-chan fileEvent

	close() // may be called again
}

// fileEvent is something that happened to a file, or to what leads to it.
type fileEvent struct {
	path     string // to which it happened
	replaced bool   // something else is there now, or what was among the files was removed
	written  bool   // somebody wrote to it in place
	lost     bool   // what happened is not known
}
