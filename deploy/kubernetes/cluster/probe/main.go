// Command probe is the pod that asks, and the pause container of all pods:
//
//	probe                  waits to be ended
//	probe ask NAME         resolves a name, or an address, as programs in a pod do
//	probe load ZONE RATE   asks for names of ZONE until its standard input ends
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/miekg/dns"
)

func main() {
	args := os.Args[1:]
	switch {
	case len(args) == 0:
		ended := make(chan os.Signal, 1)
		signal.Notify(ended, syscall.SIGINT, syscall.SIGTERM)
		<-ended
	case args[0] == "ask" && len(args) == 2:
		answers, err := ask(args[1])
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(strings.Join(answers, " "))
	case args[0] == "load" && len(args) == 3:
		rate, err := strconv.Atoi(args[2])
		if err == nil {
			err = load(args[1], rate)
		}
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	default:
		fmt.Println("usage: probe [ask NAME | load ZONE RATE]")
		os.Exit(2)
	}
}

// ask uses the search list and the servers of the pod's resolv.conf.
func ask(name string) ([]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if _, err := netip.ParseAddr(name); err == nil {
		return net.DefaultResolver.LookupAddr(ctx, name)
	}
	return net.DefaultResolver.LookupHost(ctx, name)
}

// load counts the queries of a while.
func load(zone string, rate int) error {
	conf, err := dns.ClientConfigFromFile("/etc/resolv.conf")
	if err != nil {
		return err
	}
	server := net.JoinHostPort(conf.Servers[0], "53")

	end := make(chan struct{})
	go func() {
		io.Copy(io.Discard, os.Stdin)
		close(end)
	}()
	var c counts
	var queries sync.WaitGroup
	run := time.Now().UnixNano() // names are in no cache, not even from the load before
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-tick.C:
			queries.Go(func() { c.ask(server, fmt.Sprintf("x%d-%d.%s.", run, i, zone)) })
			continue
		case <-end:
		}
		break
	}
	queries.Wait()
	fmt.Println(c.String())
	return nil
}

type counts struct {
	mu                sync.Mutex
	sent, again, lost int
	first, last       time.Time // when queries were sent that had no answer at first
	why               error     // of one that was lost
}

// ask sends a query from a port of its own, and once more if there is no reply,
// as clients do. It is lost if that has no reply either, or not the answer.
func (c *counts) ask(server, name string) {
	began := time.Now()
	tries, err := exchange(server, name)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sent++
	c.again += tries - 1
	if err != nil {
		c.lost++
		c.why = err
	} else if tries == 1 {
		return
	}
	if c.first.IsZero() || began.Before(c.first) {
		c.first = began
	}
	if began.After(c.last) {
		c.last = began
	}
}

func exchange(server, name string) (tries int, err error) {
	query := new(dns.Msg).SetQuestion(name, dns.TypeA)
	conn, err := dns.Dial("udp", server)
	if err != nil {
		return 1, err
	}
	defer conn.Close()
	client := dns.Client{Timeout: 5 * time.Second}
	for tries = 1; ; tries++ {
		reply, _, err := client.ExchangeWithConn(query, conn)
		if tries == 1 && errors.Is(err, os.ErrDeadlineExceeded) {
			continue
		}
		if err == nil && len(reply.Answer) != 1 {
			err = fmt.Errorf("%s is %s", name, dns.RcodeToString[reply.Rcode])
		}
		return tries, err
	}
}

func (c *counts) String() string {
	text := fmt.Sprintf("%d queries, %d asked again, %d lost", c.sent, c.again, c.lost)
	if !c.first.IsZero() {
		text += fmt.Sprintf(", within %s", c.last.Sub(c.first).Round(time.Millisecond))
	}
	if c.why != nil {
		text += fmt.Sprintf(": %v", c.why)
	}
	return text
}
