package api

// ForgetRequest is what to forget: one of these.
type ForgetRequest struct {
	Name     string `json:"name,omitempty"`     // all types of it
	Zone     string `json:"zone,omitempty"`     // and all names in it
	Upstream string `json:"upstream,omitempty"` // what it alone has shown
	All      bool   `json:"all,omitempty"`
	Server   string `json:"server,omitempty"` // of this server block; empty: of all
}

// Forgotten is what was forgotten, counted.
type Forgotten struct {
	Replies    int  `json:"replies"`    // that were kept by dnsmus's own cache
	Names      int  `json:"names"`      // that were known to exist
	Zones      int  `json:"zones"`      // of which something was known
	Remembered int  `json:"remembered"` // lines of the history
	InFront    bool `json:"in_front"`   // the plugin cache stands before dnsmus, and may still have it
}
