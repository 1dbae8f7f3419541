package control

import (
	"io"
	"log"
)

// nobody reads what net/http logs: requests that end early.
var nobody = log.New(io.Discard, "", 0)
