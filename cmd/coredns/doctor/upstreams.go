package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dnsmus/dnsmus/cmd/coredns/show"
	"github.com/dnsmus/dnsmus/plugin/control/api"
	"github.com/dnsmus/dnsmus/plugin/printable"
)

// upstreams looks whether each upstream of the running server is up, and replies to all kinds of
// questions, over UDP and over TCP.
func upstreams(ctx context.Context, m *machine) (f found, err error) {
	_, state, err := m.running()
	if err != nil {
		return f, err
	}
	for i := range state.Servers {
		s := &state.Servers[i]
		if len(s.Upstreams) == 0 {
			f.add(fmt.Sprintf("The server on %s has no upstream: all that it is asked fails.", s.Server), "write links, a file or an address after dnsmus in the Corefile")
		}
		in, err := m.interview(ctx, s)
		if err != nil {
			return f, err
		}
		for j := range s.Upstreams {
			if u := &s.Upstreams[j]; standing(&f, u) {
				in.judge(&f, u)
			}
		}
	}
	return f, nil
}

// standing notes what the server knows to be wrong with an upstream; ok: it is there to be asked.
func standing(f *found, u *api.Upstream) (ok bool) {
	evidence := []string{fmt.Sprintf("%s: %s since %s", u.Upstream, u.State, u.Since.Local().Format(time.DateTime))}
	if u.About != "" {
		evidence = append(evidence, u.About)
	}
	if u.LastError != nil && u.State != "up" {
		evidence = append(evidence, "last error: "+u.LastError.Text)
	}
	f.saw(evidence[0])
	leaveOut := fmt.Sprintf("remove it, if it is not meant for this machine, from where it is named: %s", printable.And(u.ToldBy))
	switch {
	case u.State == "gone":
		return false
	case u.State == "down" && u.Link != nil:
		f.add(fmt.Sprintf("%s is silent, though its interface %s is up.", u.Upstream, *u.Link), "connect the VPN or network of "+*u.Link+" anew; or "+leaveOut, evidence...)
		return false
	case u.State == "down":
		f.add(u.Upstream+" is silent.", leaveOut, evidence...)
		return false
	case u.State == "failing" && u.LastError != nil && strings.Contains(u.LastError.Text, "certificate"):
		what, mend := u.Upstream+" has a certificate that does not hold.", "see whether a network in between, such as a captive portal, answers for it; or "+leaveOut
		if strings.Contains(u.LastError.Text, "expired or is not yet valid") {
			what, mend = u.Upstream+" has a certificate that is not valid now, or this machine's clock is wrong.", "set the clock, as by: sudo timedatectl set-ntp true"
			evidence = append(evidence, "the clock says "+time.Now().UTC().Format(time.RFC1123))
		}
		f.add(what, mend, evidence...)
		return false
	case u.State == "failing":
		f.add("Queries to "+u.Upstream+" fail.", leaveOut, evidence...)
		return false
	}
	if u.EDNSUntil != nil {
		f.add(u.Upstream+" rejects EDNS, so it gives no extended errors, and no more than 512 bytes over UDP.", leaveOut, "asked without EDNS until "+u.EDNSUntil.Local().Format(time.DateTime))
	}
	if len(u.UnresponsiveZones) > 0 {
		f.add(u.Upstream+" leaves names without reply, though it answers others.", leaveOut, "zones: "+strings.Join(u.UnresponsiveZones, " "))
	}
	return true
}

// tooSlow is when a reply over TCP was not asked for by one over UDP that was cut, but came because
// none had come over UDP, in seconds.
const tooSlow = 1.0

// judge notes which questions an upstream that is up leaves without reply.
func (in *interview) judge(f *found, u *api.Upstream) {
	name, plain := u.Upstream, !strings.Contains(u.Upstream, "://")
	if legOf(&in.addr, name) == nil {
		f.saw(name + " was not asked in this run: only the server knows its path")
	}
	kinds := []struct {
		word string
		of   *api.Outcome
	}{{"A", &in.addr}, {"AAAA", &in.addr6}, {"HTTPS", &in.https}, {"DNSKEY with DO", &in.keys}}
	var silent, evidence []string
	for _, k := range kinds {
		if replied(k.of, name) {
			continue
		}
		silent = append(silent, k.word)
		evidence = append(evidence, fmt.Sprintf("%s %s: %s", k.of.Name, k.word, legOf(k.of, name).Why))
	}
	for _, t := range u.UnresponsiveTypes {
		if !slices.Contains(silent, t) {
			silent = append(silent, t)
			evidence = append(evidence, "the server has found that it never answers "+t)
		}
	}
	leaveOut := fmt.Sprintf("remove it, or replace it by another, where it is named: %s", printable.And(u.ToldBy))
	switch {
	case len(silent) >= len(kinds) && plain:
		f.add(name+" leaves all questions of this run without reply, though it is up for the server.", "sudo dnsmus doctor, if a firewall tells users apart; or "+leaveOut, evidence...)
		return
	case len(silent) >= len(kinds): // with options of the server that are not known here, as a CA
		f.saw(name + " could not be asked in this run: " + evidence[0])
		return
	case len(silent) > 0:
		f.add(fmt.Sprintf("%s does not reply to questions for %s; browsers and validators wait for that.", name, printable.And(silent)), leaveOut, evidence...)
	}
	keys, first := legOf(&in.keys, name), legOf(&in.addr, name)
	streams := u.UDP == nil && u.Stream != nil // alone are asked by the server
	switch {
	case plain && first != nil && first.Rcode != nil && first.Stream && !streams:
		f.add(name+" cannot be asked over UDP, so its first replies come late.", "let UDP to port 53 of it pass; or "+leaveOut, fmt.Sprintf("%s A: over TCP, after %s", in.addr.Name, show.Took(first.Seconds)))
	case plain && keys != nil && keys.Rcode != nil && keys.Stream && *keys.Seconds > tooSlow && !streams:
		f.add("Large replies of "+name+" do not come over UDP: something on the way drops packets of up to 1,232 bytes.", "lower the MTU of the interface, as by: sudo ip link set dev IF mtu 1280",
			fmt.Sprintf(". DNSKEY with DO: over TCP, after %s", show.Took(keys.Seconds)))
	}
	if plain && !replied(&in.tcp, name) {
		f.add(name+" cannot be asked over TCP, which long replies need.", "let TCP to port 53 of it pass; or "+leaveOut, ". NS over TCP: "+legOf(&in.tcp, name).Why)
	}
}
