package explain

import (
	"strings"
	"testing"

	"github.com/dnsmus/dnsmus/plugin/control/api"
)

// The server block that is asked is the one to which clients' queries come.
func TestServing(t *testing.T) {
	block := func(server, listens string, zones ...string) api.Server {
		return api.Server{Server: server, Listens: []string{listens}, Zones: zones}
	}
	const local, lan = "127.0.0.123:53", "192.0.2.1:53"
	all := []api.Server{block(local, local, "."), block(local+"/corp.example.", local, "corp.example."), block(lan, lan, ".")}
	asked := []string{"127.0.0.123"}
	for _, tc := range []struct {
		what        string
		blocks      []api.Server
		meant, name string
		nameservers []string
		want, err   string
	}{
		{"one", all[:1], "", "host.example.", nil, local, ""},
		{"one of another zone", all[1:2], "", "host.example.", nil, local + "/corp.example.", ""},
		{"none", nil, "", "host.example.", asked, "", ""},
		{"where the system asks", all, "", "host.example.", asked, local, ""},
		{"with the longest zone", all, "", "wiki.CORP.example.", asked, local + "/corp.example.", ""},
		{"the zone itself", all, "", "corp.example.", asked, local + "/corp.example.", ""},
		{"of several places", all, "", "host.example.", []string{"9.9.9.9"}, "", "write one of --server " + local + ", --server " + lan},
		{"of several places, with the longest zone", all, "", "wiki.corp.example.", nil, local + "/corp.example.", ""},
		{"at an address", all, local, "wiki.corp.example.", nil, local + "/corp.example.", ""},
		{"by its name", all, local + "/CORP.example.", "host.example.", asked, local + "/corp.example.", ""},
		{"at another address", all, lan, "wiki.corp.example.", asked, lan, ""},
		{"which is none", all, "192.0.2.9:53", "host.example.", asked, "192.0.2.9:53", ""},
	} {
		got, err := serving(tc.blocks, tc.meant, tc.name, tc.nameservers)
		if got != tc.want || (err != nil) != (tc.err != "") || err != nil && !strings.HasSuffix(err.Error(), tc.err) {
			t.Errorf("%s: %q, %v, want %q %s", tc.what, got, err, tc.want, tc.err)
		}
	}
}
