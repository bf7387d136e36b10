// SPDX-License-Identifier: BSD-3-Clause

package aaptest

import (
	"iter"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/mcastalloc/malloc/aap"
	"github.com/mcastalloc/malloc/scope"
)

// Node is a server or a coordinator of a [Network], with its own clock and, for a
// server, its own stable storage.
type Node struct {
	// Notify, if set, is told what the machine tells its application, after the
	// network has noted it.
	Notify func(aap.Effect)

	net         *Network
	addr        netip.AddrPort
	skew        time.Duration
	cfg         aap.MAASConfig
	server      *aap.MAAS
	coordinator *aap.Coordinator
	machine     machine
	store       aap.Snapshot
	down        bool
	life        int
	alarm       time.Time // the deadline that an event was made for
	watch       watch
}

// machine is what both kinds have in common.
type machine interface {
	Receive(time.Time, aap.Datagram) error
	Advance(time.Time)
	Deadline() (time.Time, bool)
	Effects() iter.Seq[aap.Effect]
}

// Server returns the machine of a server, nil for a coordinator. Questions are
// free; commands go through [Node.Do].
func (x *Node) Server() *aap.MAAS { return x.server }

// Coordinator returns the machine of a coordinator, nil for a server.
func (x *Node) Coordinator() *aap.Coordinator { return x.coordinator }

// Addr returns what others know the node by.
func (x *Node) Addr() netip.AddrPort { return x.addr }

// Now returns the time on the node's clock.
func (x *Node) Now() time.Time { return x.net.now.Add(x.skew) }

// Down reports whether it has crashed.
func (x *Node) Down() bool { return x.down }

// Do calls f with the time of the node, to command its machine, and carries out
// what comes of it. It does nothing for a node that is down.
func (x *Node) Do(f func(now time.Time)) {
	if !x.down {
		f(x.Now())
		x.carryOut()
	}
}

// Crash stops the node. What it has not stored is lost.
func (x *Node) Crash() {
	if x.server != nil && !x.down {
		x.watch.sync(x)
	}
	x.down = true
}

// LoseStore empties the stable storage of a server.
func (x *Node) LoseStore() {
	x.store = nil
	x.watch.granted, x.net.quiet = nil, false
}

// Restart starts a server anew, from its store. It panics if that is damaged.
func (x *Node) Restart() {
	x.life++
	x.down = false
	x.cfg.Self, x.cfg.Rand = []netip.AddrPort{x.addr}, x.rand()
	m, err := aap.NewMAAS(x.cfg, x.store)
	if err != nil {
		panic(err)
	}
	x.server, x.machine = m, m
	x.watch.restarted(x)
	x.Do(m.Start)
}

// rand returns a source for a machine.
func (x *Node) rand() *rand.Rand { return rand.New(rand.NewPCG(x.net.rng.Uint64(), uint64(x.life))) }

func (x *Node) receive(e *event) {
	before := x.watch.before(x, e)
	if err := x.machine.Receive(x.Now(), aap.Datagram{From: e.from.addr, To: e.group, Payload: e.payload}); err != nil {
		x.net.violated(x, "sent what cannot be read: %v", err)
	}
	x.carryOut()
	x.watch.after(x, before)
}

func (x *Node) advance() {
	x.alarm = time.Time{}
	if x.server != nil && x.server.Listening() {
		x.watch.listened = x.net.now
	}
	x.machine.Advance(x.Now())
	x.carryOut()
}

// carryOut does what the machine wants done, and sets the alarm.
func (x *Node) carryOut() {
	for e := range x.machine.Effects() {
		switch e := e.(type) {
		case aap.Persist:
			x.store = x.server.Snapshot()
		case aap.Send:
			x.watch.sent(x, e.Packet)
			x.net.send(x, e)
		default:
			x.watch.told(x, e)
			if x.Notify != nil {
				x.Notify(e)
			}
		}
	}
	if due, ok := x.machine.Deadline(); ok {
		if due = due.Add(-x.skew); x.alarm.IsZero() || due.Before(x.alarm) || !x.alarm.After(x.net.now) {
			x.alarm = due
			x.net.push(due, event{node: x, life: x.life})
		}
	}
}

// Holds returns the addresses that the node has allocated.
func (x *Node) Holds() scope.Set {
	var b scope.SetBuilder
	if x.server != nil && !x.down {
		for a := range x.server.Allocations() {
			if a.End.After(x.Now()) {
				b.AddSet(a.Addrs)
			}
		}
	}
	s, _ := b.Set()
	return s
}
