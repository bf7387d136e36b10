// SPDX-License-Identifier: BSD-3-Clause

package aaptest

import (
	"fmt"
	"time"

	"github.com/mcastalloc/malloc/aap"
	"github.com/mcastalloc/malloc/scope"
)

// Violations returns what went wrong so far, at most 20 lines. It is empty unless
// a machine has a fault. The invariants, by number:
//
//  1. Nobody sends while listening.
//  2. Without loss, long delays or partition, no address is allocated by two
//     servers.
//  4. A server that has an address and hears a claim for it says so at once,
//     unless it just did.
//  6. No address that is allocated goes unannounced for more than 39 s.
//  7. No claim or preallocation goes beyond the end of the space.
//  8. Every datagram but a repeated ASA says the time of its sender.
//  9. The messages of a request are numbered without gaps, in each process.
//  12. A server that kept its store never forgets an allocation.
//
// (3, 5, 10 and 11 are for the tests that make them happen.)
func (n *Network) Violations() []string { return n.violations }

func (n *Network) violated(x *Node, format string, args ...any) {
	if len(n.violations) < 20 {
		n.violations = append(n.violations, fmt.Sprintf("seed %d, %v, %v: ", n.seed, n.now.Format("15:04:05.000"), x.addr)+fmt.Sprintf(format, args...))
	}
}

// watch is what is noted about one node.
type watch struct {
	granted  map[aap.Token]*grant
	numbers  map[uint32]uint8 // the last mseq of each rseq of this process
	answers  []scope.Set      // of the AIUs sent since before
	asked    map[string]time.Time
	listened time.Time // when it still did, at its last deadline
}

// grant is an allocation that the application was told of.
type grant struct {
	aap.Allocation
	announced []aap.TimedRange // with the time it was announced last
}

// restarted starts over with a new process.
func (w *watch) restarted(x *Node) {
	w.numbers, w.asked = map[uint32]uint8{}, map[string]time.Time{}
	for t, g := range w.granted {
		a, ok := x.server.Allocation(t)
		if !g.End.After(x.Now()) {
			delete(w.granted, t)
		} else if !ok || !a.Addrs.Equal(g.Addrs) {
			x.net.violated(x, "12: forgot %v after a restart, has %v", g.Allocation, a)
		}
	}
	if w.granted == nil {
		w.granted = map[aap.Token]*grant{}
	}
}

// sent checks a datagram of the node.
func (w *watch) sent(x *Node, packet []byte) {
	var m aap.Message
	if err := m.Decode(packet); err != nil {
		x.net.violated(x, "sent %x: %v", packet, err)
		return
	}
	x.net.Transmitted[m.Type]++
	if x.server != nil && x.server.Listening() {
		x.net.violated(x, "1: sent %v while listening", m.Type)
	}
	if !m.IsResent() {
		if !m.CurrentTime.Equal(x.Now().Truncate(time.Second)) {
			x.net.violated(x, "8: %v says %v at %v", m.Type, m.CurrentTime, x.Now())
		}
		if w.numbers == nil {
			w.numbers = map[uint32]uint8{}
		}
		last, ok := w.numbers[m.RSeq]
		if want := last + 1; ok && m.MSeq != want || !ok && m.MSeq != 0 {
			x.net.violated(x, "9: %v %d/%d after %d", m.Type, m.RSeq, m.MSeq, last)
		}
		w.numbers[m.RSeq] = m.MSeq
	}
	switch m.Type {
	case aap.ACLM, aap.AITU:
		for _, r := range m.Ranges {
			if !available(x.server.Usable(x.Now()), r) {
				x.net.violated(x, "7: %v for %v until %v, not available", m.Type, r.Range, r.End)
			}
		}
	case aap.AIU:
		w.answers = append(w.answers, aap.Addrs(m.Ranges))
		w.announce(x, m.Ranges)
	}
}

// available reports whether a range lies in a space until its end.
func available(space []aap.TimedRange, r aap.TimedRange) bool {
	left, _ := scope.SetOf(r.Range)
	for _, s := range space {
		if one, err := scope.SetOf(s.Range); err == nil && !s.End.Before(r.End) {
			left, _ = left.Subtract(one)
		}
	}
	return left.IsEmpty()
}

// announce notes what is announced.
func (w *watch) announce(x *Node, ranges []aap.TimedRange) {
	for _, g := range w.granted {
		for i, a := range g.announced {
			for _, r := range ranges {
				if r.Range.Covers(a.Range) {
					g.announced[i].End = x.net.now
				}
			}
		}
	}
}

// told notes what the application is told.
func (w *watch) told(x *Node, e aap.Effect) {
	switch e := e.(type) {
	case aap.Granted:
		if x.net.quiet {
			for _, other := range x.net.nodes {
				if other != x && other.Holds().Overlaps(e.Addrs) {
					x.net.violated(x, "2: %v is allocated by %v too", e.Addrs, other.addr)
				}
			}
		}
		w.note(x, e.Allocation)
	}
}

func (w *watch) note(x *Node, a aap.Allocation) {
	g := &grant{Allocation: a}
	for r := range a.Addrs.Ranges() {
		g.announced = append(g.announced, aap.TimedRange{Range: r, End: x.net.now})
	}
	w.granted[a.Token] = g
}

// question is a claim that was heard.
type question struct {
	key  string
	asks scope.Set // of ours
}

// before notes what a datagram that arrives asks for.
func (w *watch) before(x *Node, e *event) (q question) {
	w.answers = nil
	var m aap.Message
	if x.server == nil || x.server.Listening() || e.from == x || m.Decode(e.payload) != nil || m.Type != aap.ACLM {
		return q
	}
	m.Localize(x.Now())
	q.asks, _ = aap.Addrs(m.Ranges).Intersect(x.Holds())
	q.key = fmt.Sprint(e.from.addr, e.from.life, m.RSeq, aap.Addrs(m.Ranges))
	return q
}

// after checks that it was answered. The schedule of a defence lasts for 63 s.
func (w *watch) after(x *Node, q question) {
	if q.asks.IsEmpty() {
		return
	}
	if last, ok := w.asked[q.key]; ok && x.net.now.Sub(last) < 63*time.Second {
		return
	}
	w.asked[q.key] = x.net.now
	for _, a := range w.answers {
		if a.Covers(q.asks) {
			return
		}
	}
	x.net.violated(x, "4: did not defend %v", q.asks)
}

// checkAll checks what must hold at any time; what takes long, once a second.
func (n *Network) checkAll() {
	if n.now.Sub(n.checkedAt) < time.Second {
		return
	}
	n.checkedAt = n.now
	for _, x := range n.nodes {
		if x.down || x.server == nil {
			continue
		}
		x.watch.sync(x)
		if x.server.Listening() {
			continue
		}
		for _, g := range x.watch.granted {
			for _, r := range g.announced {
				if silent := min(n.now.Sub(r.End), n.now.Sub(x.watch.listened)); silent > 40*time.Second {
					n.violated(x, "6: %v unannounced for %v", r.Range, silent)
				}
			}
		}
	}
}

// sync notes what has ended, was released or has changed.
func (w *watch) sync(x *Node) {
	for t, g := range w.granted {
		switch a, ok := x.server.Allocation(t); {
		case !ok:
			delete(w.granted, t)
		case !a.Addrs.Equal(g.Addrs):
			w.note(x, a)
		default:
			g.End = a.End
		}
	}
}
