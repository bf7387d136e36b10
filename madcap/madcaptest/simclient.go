// SPDX-License-Identifier: BSD-3-Clause

package madcaptest

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/mcastalloc/malloc/madcap"
)

// ClientNode is a client of a [Network] with an application that keeps leases.
type ClientNode struct {
	Addr   netip.AddrPort
	Client *madcap.Client
	Skew   time.Duration // its clock is ahead of the true time by so much
	Side   int           // datagrams pass between nodes on the same side

	// Leases are those the application believes in, by Lease Identifier.
	Leases map[string]*Belief
	// Released are the Lease Identifiers whose release a server has confirmed.
	Released map[string]*ServerNode
	// Open counts the transactions and retries under way.
	Open int

	net   *Network
	name  string
	armed time.Time
	life  int
	want  map[madcap.Handle]purpose
}

// Belief is a lease as its client sees it.
type Belief struct {
	Server     *ServerNode
	Addrs      []netip.Addr
	Start, End time.Time // by the client's clock
	Absolute   bool      // Start was told as an instant, not as "now"
	Busy       bool      // being renewed
	Before     time.Time // End before the renewal under way
	Unsure     bool      // a renewal was not answered: Start and End may count from then
}

// purpose is what a transaction is for.
type purpose struct {
	what string // allocate, renew or release
	id   string // of a lease to be renewed or released
	ask  *madcap.Message
	to   *ServerNode
}

// AddClient adds a client.
func (n *Network) AddClient(addr netip.AddrPort) *ClientNode {
	c := &ClientNode{Addr: addr, net: n, name: addr.String()}
	n.Clients = append(n.Clients, c)
	c.Restart()
	return c
}

// Clock returns the client's idea of the time.
func (c *ClientNode) Clock() time.Time { return c.net.Now.Add(c.Skew) }

// Restart starts the client anew. It knows of no lease.
func (c *ClientNode) Restart() {
	cfg := madcap.ClientConfig{Rand: rand.New(rand.NewPCG(c.net.Rand.Uint64(), 0))}
	client, err := madcap.NewClient(cfg)
	if err != nil {
		panic(err) // a mistake in the test
	}
	c.Client, c.armed, c.Open = client, time.Time{}, 0
	c.life++
	c.Leases, c.Released = make(map[string]*Belief), make(map[string]*ServerNode)
	c.want = make(map[madcap.Handle]purpose)
	c.net.Logf("%s up", c.name)
}

// Allocate asks for a lease by DISCOVER or, where a server is given, by a
// unicast REQUEST.
func (c *ClientNode) Allocate(m *madcap.Message, at *ServerNode) {
	if at != nil {
		c.start(purpose{what: "allocate", ask: m, to: at})
		return
	}
	h, err := c.Client.Allocate(c.Clock(), netip.AddrPortFrom(madcap.DefaultServerGroup(m.Family), madcap.Port), m)
	c.started(h, err, purpose{what: "allocate", ask: m})
}

// Renew asks for a lease of length want from now on, and of at least least.
// Until it is answered the client believes in no more than what it has and what
// it is sure to get.
func (c *ClientNode) Renew(id string, want, least time.Duration, patient bool) {
	b := c.Leases[id]
	m := &madcap.Message{Family: madcap.FamilyIPv4, LeaseIdentifier: madcap.LeaseIdentifier(id), LeaseTime: madcap.Some(want), MinLeaseTime: madcap.Some(least)}
	if patient {
		m.Features = madcap.Some(madcap.FeatureList{Supported: []madcap.Feature{madcap.RetryAfter}})
	}
	c.start(purpose{what: "renew", id: id, ask: m, to: b.Server})
}

// Release stops to use a lease and gives it back.
func (c *ClientNode) Release(id string) {
	b := c.Leases[id]
	delete(c.Leases, id)
	c.release(id, b.Server)
}

func (c *ClientNode) release(id string, at *ServerNode) {
	m := &madcap.Message{Family: madcap.FamilyIPv4, LeaseIdentifier: madcap.LeaseIdentifier(id)}
	c.start(purpose{what: "release", id: id, ask: m, to: at})
}

// Cancel stops the oldest allocation under way, as an application does that is
// in a hurry.
func (c *ClientNode) Cancel() {
	var oldest madcap.Handle
	for h, p := range c.want {
		if p.what == "allocate" && (oldest == 0 || h < oldest) {
			oldest = h
		}
	}
	if oldest == 0 {
		return
	}
	delete(c.want, oldest)
	c.Open--
	if release, ok := c.Client.Cancel(c.Clock(), oldest); ok {
		c.Open++
		c.want[release] = purpose{what: "forget"}
	}
	c.drain()
}

// start sends a unicast message.
func (c *ClientNode) start(p purpose) {
	to := netip.AddrPortFrom(p.to.Addr, madcap.Port)
	verb := c.Client.Request
	switch p.what {
	case "renew":
		verb = c.Client.Renew
		b := c.Leases[p.id]
		b.Busy, b.Unsure, b.Before = true, true, b.End
		if sure := c.Clock().Add(p.ask.MinLeaseTime.Value); sure.Before(b.End) {
			b.End = sure
		}
	case "release":
		verb = c.Client.Release
	}
	h, err := verb(c.Clock(), to, p.ask)
	c.started(h, err, p)
}

func (c *ClientNode) started(h madcap.Handle, err error, p purpose) {
	if err != nil {
		panic(err) // a mistake in the test
	}
	c.want[h] = p
	c.Open++
	c.drain()
}

func (c *ClientNode) receive(from netip.AddrPort, packet []byte) {
	c.Client.Receive(c.Clock(), from, packet)
	c.drain()
}

// drain carries out the machine's effects and sets the alarm.
func (c *ClientNode) drain() {
	for e := range c.Client.Effects() {
		switch e := e.(type) {
		case *madcap.Send:
			c.net.send(c.name, c.Side, c.Addr, e.To, e.Packet)
		case *madcap.Done:
			p := c.want[e.Handle]
			delete(c.want, e.Handle)
			c.Open--
			c.done(p, e)
		}
	}
	at, ok := c.Client.Deadline()
	if !ok || at.Equal(c.armed) {
		return
	}
	c.armed = at
	life := c.life
	c.net.After(at.Sub(c.Clock()), func() {
		if c.life == life && c.armed.Equal(at) {
			c.armed = time.Time{}
			c.Client.Advance(c.Clock())
			c.drain()
		}
	})
}

// done takes the end of a transaction over into the application.
func (c *ClientNode) done(p purpose, d *madcap.Done) {
	id := string(d.Request.LeaseIdentifier)
	c.net.Logf("%s   %s %s: %v", c.name, p.what, short(id), d.Err)
	b := c.Leases[id]
	if p.what == "renew" && b != nil {
		b.Busy = false
	}
	var nak *madcap.NakError
	switch {
	case p.what == "renew" && b != nil && errors.As(d.Err, &nak):
		if nak.Reason.Code == madcap.CodeLeaseUnknown {
			delete(c.Leases, id)
		} else {
			b.unchanged()
		}
	case d.Err != nil:
	case p.what == "release":
		c.Released[id] = p.to
	case p.what == "forget" || p.what == "renew" && b == nil: // released meanwhile
	case !d.RetryAt.IsZero():
		if b != nil {
			b.unchanged()
		}
		c.retry(p, d)
	default:
		c.believe(id, d)
	}
}

// unchanged notes that a renewal has not changed the lease. That is not sure of
// a server that may have forgotten that it has.
func (b *Belief) unchanged() {
	if !b.Server.Forgot {
		b.End = b.Before
	}
}

// believe notes a lease that was granted.
func (c *ClientNode) believe(id string, d *madcap.Done) {
	m := d.Answers[0].Message
	b := &Belief{Absolute: !m.StartTime.IsZero(), Server: c.net.serverAt(d.Answers[0].From.Addr())}
	b.Start, b.End = d.Period()
	for _, r := range m.Ranges.Value {
		for a := range r.Addrs() {
			b.Addrs = append(b.Addrs, a)
		}
	}
	c.Leases[id] = b
}

// retry asks again for what was put off when its time has come.
func (c *ClientNode) retry(p purpose, d *madcap.Done) {
	c.Open++
	again := *d.Request
	if p.what == "renew" {
		c.Leases[p.id].Busy = true
	}
	p.ask, p.to = &again, c.net.serverAt(d.Answers[0].From.Addr())
	life := c.life
	c.net.After(d.RetryAt.Sub(c.Clock()), func() {
		if c.life != life {
			return
		}
		c.Open--
		if p.what == "renew" && c.Leases[p.id] == nil {
			return // released meanwhile
		}
		c.start(p)
	})
}

func (n *Network) serverAt(a netip.Addr) *ServerNode {
	for _, s := range n.Servers {
		if s.Addr == a {
			return s
		}
	}
	return nil
}
