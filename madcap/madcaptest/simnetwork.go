// SPDX-License-Identifier: BSD-3-Clause

package madcaptest

import (
	"bytes"
	"container/heap"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/mcastalloc/malloc/madcap"
)

// Conditions say how well a [Network] carries datagrams. The zero value is a
// perfect network.
type Conditions struct {
	Loss, Duplicate    float64       // probability for each datagram and receiver
	MinDelay, MaxDelay time.Duration // of each copy; a spread reorders
	// Thinking is the longest an allocator takes for an answer. With 0 it
	// answers at once.
	Thinking time.Duration
}

// Network is a network in virtual time that connects machines of package
// madcap: [madcap.Server] machines, each with an [Allocator], and
// [madcap.Client] machines with applications that keep their leases. It loses,
// duplicates, delays and reorders datagrams as its Conditions say; it can be
// divided, and servers and clients can crash, start again, and have wrong
// clocks. The same seed and the same calls give the same run.
//
// After every event it checks that servers and clients agree; see
// [Network.Check].
type Network struct {
	Conditions
	Rand *rand.Rand
	Now  time.Time // true time

	Servers []*ServerNode
	Clients []*ClientNode

	events  events
	count   uint64
	log     []string
	dropped int // lines of log that were forgotten
	err     error
}

// NewNetwork returns an empty network. Its time begins in November 2023.
func NewNetwork(seed uint64, c Conditions) *Network {
	return &Network{Conditions: c, Rand: rand.New(rand.NewPCG(seed, 2730)), Now: time.Unix(1700000000, 0).UTC()}
}

// event is something that happens at a time.
type event struct {
	at    time.Time
	count uint64 // first come, first served
	what  func()
}

type events []event

func (h events) Len() int      { return len(h) }
func (h events) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h events) Less(i, j int) bool {
	if c := h[i].at.Compare(h[j].at); c != 0 {
		return c < 0
	}
	return h[i].count < h[j].count
}
func (h *events) Push(x any) { *h = append(*h, x.(event)) }
func (h *events) Pop() any {
	old := *h
	e := old[len(old)-1]
	old[len(old)-1] = event{}
	*h = old[:len(old)-1]
	return e
}

// After lets something happen after a time.
func (n *Network) After(d time.Duration, what func()) {
	n.count++
	heap.Push(&n.events, event{n.Now.Add(max(d, 0)), n.count, what})
}

// Run lets everything happen that is due within a time. It stops at the first
// disagreement, and returns it.
func (n *Network) Run(d time.Duration) error {
	end := n.Now.Add(d)
	for n.err == nil && len(n.events) > 0 && !n.events[0].at.After(end) {
		e := heap.Pop(&n.events).(event)
		n.Now = e.at
		e.what()
		if n.err == nil {
			n.err = n.Check()
		}
	}
	if n.err == nil {
		n.Now = end
	}
	return n.err
}

// maxLog is how many lines of the transcript are kept.
const maxLog = 2000

// Logf adds a line to the transcript.
func (n *Network) Logf(format string, args ...any) {
	if len(n.log) == maxLog {
		n.log = append(n.log[:0], n.log[maxLog/2:]...)
		n.dropped += maxLog / 2
	}
	at := n.Now.Sub(time.Unix(1700000000, 0))
	n.log = append(n.log, fmt.Sprintf("%12.3f  ", at.Seconds())+fmt.Sprintf(format, args...))
}

// Transcript returns what happened, at least the last 1000 lines of it.
func (n *Network) Transcript() string {
	text := strings.Join(n.log, "\n") + "\n"
	if n.dropped > 0 {
		text = fmt.Sprintf("(%d lines before)\n", n.dropped) + text
	}
	return text
}

// delay draws how long a copy of a datagram takes.
func (n *Network) delay() time.Duration {
	d := n.MinDelay
	if n.MaxDelay > n.MinDelay {
		d += time.Duration(n.Rand.Int64N(int64(n.MaxDelay - n.MinDelay)))
	}
	return d
}

// carry takes a datagram from a node on one side of the network to another,
// if it arrives at all, once or twice.
func (n *Network) carry(fromSide int, toSide *int, deliver func()) {
	copies := 1
	if n.Rand.Float64() < n.Duplicate {
		copies = 2
	}
	for range copies {
		if n.Rand.Float64() < n.Loss {
			continue
		}
		n.After(n.delay(), func() {
			if *toSide == fromSide {
				deliver()
			}
		})
	}
}

// send carries a datagram to whom it is for.
func (n *Network) send(name string, side int, from, to netip.AddrPort, packet []byte) {
	packet = bytes.Clone(packet)
	n.Logf("%s > %v  %s", name, to, describe(packet))
	for _, s := range n.Servers {
		if to.Addr().IsMulticast() && slices.Contains(s.groups, to.Addr()) || to.Addr() == s.Addr {
			n.carry(side, &s.Side, func() { s.receive(from, to.Addr(), packet) })
		}
	}
	for _, c := range n.Clients {
		if to == c.Addr {
			n.carry(side, &c.Side, func() { c.receive(from, packet) })
		}
	}
}

// describe says what a datagram is, in a line.
func describe(packet []byte) string {
	var m madcap.Message
	if err := m.Decode(packet); err != nil {
		return fmt.Sprintf("%x (%v)", packet, err)
	}
	text := fmt.Sprintf("%v %08x %s", m.Type, m.XID, short(string(m.LeaseIdentifier)))
	if !m.ServerIdentifier.IsZero() {
		text += " server " + m.ServerIdentifier.String()
	}
	if m.LeaseTime.Present {
		text += fmt.Sprintf(" for %v", m.LeaseTime.Value)
	}
	if !m.StartTime.IsZero() {
		text += fmt.Sprintf(" from %d", m.StartTime.Unix())
	}
	if m.Deferred() {
		text += fmt.Sprintf(" try again at %d", m.RetryTime.Unix())
	}
	for _, r := range m.Ranges.Value {
		text += " " + r.String()
	}
	if m.Error.Present {
		text += ": " + m.Error.Value.String()
	}
	return text
}

// short is the end of a Lease Identifier, in hex.
func short(id string) string { return fmt.Sprintf("%x", id[max(0, len(id)-3):]) }
