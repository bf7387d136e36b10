// SPDX-License-Identifier: BSD-3-Clause

package madcap

import (
	"container/heap"
	"math/rand/v2"
	"net/netip"
	"time"
)

// transaction is one message on its way: it is sent until an answer comes. A
// DISCOVER that is offered something becomes a REQUEST, with the same handle
// and Lease Identifier but another xid.
type transaction struct {
	handle Handle
	phase  phase
	to     netip.AddrPort // where every copy goes

	request Message // what the packet says, in memory of its own
	packet  []byte  // sent and sent again, never changed

	sent   time.Time // of the first copy
	giveUp time.Time
	copies int // retransmissions so far

	due   time.Time // when the timer of the phase ends
	index int       // in the heap of timers

	answers []Answer       // OFFERs, or ACKs to GETINFO, one a server
	nak     *NakError      // the first refusal
	server  netip.AddrPort // who a REQUEST is for
	stray   netip.AddrPort // who answered a REQUEST with a lease we cannot take
}

// phase is how far a transaction has come.
//
//	phase       timer                    good answer             NAK
//	asking      send again, or give up   end, or collecting (*)  end, or refused (*)
//	refused     end with the NAK         end, or collecting (*)  ignore
//	collecting  end, or send a REQUEST   keep                    ignore
//
// (*) A unicast message and a REQUEST have one server that can answer, and end.
// After a multicast DISCOVER or GETINFO others may still answer: a NAK stops
// the retransmissions, but the wait for the others goes on until the next one
// would have been due (decision MADCAP-D-30).
type phase uint8

const (
	asking phase = iota
	refused
	collecting
)

// multicast reports whether the message goes to a server group.
func (tx *transaction) multicast() bool { return tx.to.Addr().IsMulticast() }

// open reports whether more than one server may answer.
func (tx *transaction) open() bool { return tx.multicast() && tx.request.Type != TypeRequest }

// delay returns the current retransmission delay: the one before the next copy,
// or the last one if no more copies are sent.
func (tx *transaction) delay(cfg *ClientConfig) time.Duration {
	list := cfg.Retransmit
	if len(list) == 0 {
		list = defaultRetransmit
	}
	return list[min(tx.copies, len(list)-1)]
}

// schedule sets the timer of the phase asking, at now.
func (tx *transaction) schedule(now time.Time, cfg *ClientConfig) {
	tx.due = tx.giveUp
	if tx.copies < len(cfg.Retransmit) {
		next := now.Add(vary(tx.delay(cfg), cfg.Jitter, cfg.Rand))
		if next.Before(tx.giveUp) {
			tx.due = next
		}
	}
}

// vary returns d changed at random by at most the fraction jitter of it.
func vary(d time.Duration, jitter float64, r *rand.Rand) time.Duration {
	if jitter == 0 {
		return d
	}
	return d + time.Duration(float64(d)*jitter*(2*r.Float64()-1))
}

// begin sends the first copy of a message and waits for the answer.
func (c *Client) begin(now time.Time, tx *transaction) {
	tx.phase, tx.sent, tx.copies = asking, now, 0
	tx.giveUp = now.Add(c.cfg.GiveUp)
	tx.schedule(now, &c.cfg)
	c.byXID[tx.request.XID] = tx
	c.byHandle[tx.handle] = tx
	if t := tx.request.Type; t == TypeDiscover || t == TypeRequest {
		c.allocating[string(tx.request.LeaseIdentifier)] = true
	}
	heap.Push(&c.timers, tx)
	c.stats.Sent++
	c.send(tx.to, tx.packet)
}

// forget ends a transaction without a word.
func (c *Client) forget(tx *transaction) {
	delete(c.byXID, tx.request.XID)
	delete(c.byHandle, tx.handle)
	if t := tx.request.Type; t == TypeDiscover || t == TypeRequest {
		delete(c.allocating, string(tx.request.LeaseIdentifier))
	}
	heap.Remove(&c.timers, tx.index)
}

// end ends a transaction with answers or an error.
func (c *Client) end(now time.Time, tx *transaction, answers []Answer, err error) {
	c.forget(tx)
	d := &Done{Handle: tx.handle, Request: &tx.request, Sent: tx.sent, Answers: answers, Err: err}
	if err == nil {
		c.stats.Answered++
		if m := answers[0].Message; m.Deferred() {
			d.RetryAt = now.Add(max(0, m.RetryTime.Sub(m.CurrentTime)))
		}
	}
	c.queue = append(c.queue, d)
}

// fail ends a transaction with an error, a nil one standing for the NAK it got.
// A REQUEST may have been granted all the same, the ACK lost or not what was
// asked: then one RELEASE goes out that nobody waits for (decisions MADCAP-D-35
// and MADCAP-D-45).
func (c *Client) fail(now time.Time, tx *transaction, err error) {
	if tx.request.Type == TypeRequest {
		if err != nil {
			c.abandon(tx, tx.server)
		}
		if tx.stray.IsValid() && (err == nil || tx.stray != tx.server) {
			c.abandon(tx, tx.stray)
		}
	}
	if err == nil {
		c.stats.Refused++
		err = tx.nak
	} else {
		c.stats.GivenUp++
	}
	c.end(now, tx, nil, err)
}

// abandon sends one RELEASE of what a REQUEST may have been granted.
func (c *Client) abandon(tx *transaction, server netip.AddrPort) {
	m := Message{Type: TypeRelease, Family: tx.request.Family, XID: c.newXID(), LeaseIdentifier: tx.request.LeaseIdentifier}
	if packet, err := m.AppendValid(nil, 0, false); err == nil {
		c.stats.Sent++
		c.send(server, packet)
	}
}

// expire acts on the timer of a transaction.
func (c *Client) expire(now time.Time, tx *transaction) {
	switch {
	case tx.phase == collecting:
		c.conclude(now, tx)
	case tx.phase == refused:
		c.fail(now, tx, nil)
	case !now.Before(tx.giveUp):
		c.fail(now, tx, ErrNoAnswer)
	default:
		tx.copies++
		tx.schedule(now, &c.cfg)
		heap.Fix(&c.timers, tx.index)
		c.stats.Resent++
		c.send(tx.to, tx.packet)
	}
}

// conclude ends the collection of answers: it delivers those to a GETINFO, and
// chooses from the OFFERs.
func (c *Client) conclude(now time.Time, tx *transaction) {
	if tx.request.Type == TypeGetInfo {
		c.end(now, tx, tx.answers, nil)
		return
	}
	choose := c.cfg.Choose
	if choose == nil || c.cfg.First {
		choose = best
	}
	i := choose(&tx.request, tx.answers)
	if i < 0 || i >= len(tx.answers) {
		c.fail(now, tx, ErrNoOffer)
		return
	}
	c.accept(now, tx, tx.answers[i])
}

// accept turns a DISCOVER into the REQUEST that tells all servers of the group
// whose OFFER is taken: the same options and the Server Identifier.
func (c *Client) accept(now time.Time, tx *transaction, offer Answer) {
	m := tx.request
	m.Type = TypeRequest
	m.XID = c.newXID()
	m.ServerIdentifier = offer.Message.ServerIdentifier
	m.setCurrentTime(now)
	packet, err := m.AppendValid(nil, 0, true)
	if err != nil { // the Server Identifier has made it too long, or it is 2106
		c.fail(now, tx, err)
		return
	}
	c.forget(tx)
	tx.request, tx.packet, tx.server = m, packet, offer.From
	tx.answers, tx.nak = nil, nil
	c.begin(now, tx)
}

// send hands a datagram to the driver.
func (c *Client) send(to netip.AddrPort, packet []byte) {
	s := &Send{To: to, Packet: packet}
	if to.Addr().IsMulticast() {
		s.HopLimit = c.cfg.HopLimit
	}
	c.queue = append(c.queue, s)
}

// newXID returns the next transaction identifier no outstanding message has.
func (c *Client) newXID() uint32 {
	for {
		xid := c.xid
		c.xid++
		if c.byXID[xid] == nil {
			return xid
		}
	}
}

// timers is a heap of the outstanding transactions, by due time and then, so
// that effects come in the same order each time, by handle.
type timers []*transaction

func (t timers) Len() int { return len(t) }

func (t timers) Less(i, j int) bool {
	if o := t[i].due.Compare(t[j].due); o != 0 {
		return o < 0
	}
	return t[i].handle < t[j].handle
}

func (t timers) Swap(i, j int) {
	t[i], t[j] = t[j], t[i]
	t[i].index, t[j].index = i, j
}

// Push and Pop are for package heap.
func (t *timers) Push(x any) {
	tx := x.(*transaction)
	tx.index = len(*t)
	*t = append(*t, tx)
}

func (t *timers) Pop() any {
	old := *t
	last := old[len(old)-1]
	old[len(old)-1] = nil
	*t = old[:len(old)-1]
	return last
}
