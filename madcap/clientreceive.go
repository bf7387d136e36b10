// SPDX-License-Identifier: BSD-3-Clause

package madcap

import (
	"bytes"
	"container/heap"
	"encoding/binary"
	"net/netip"
	"time"
)

// Receive takes a datagram that came in from a server, or from anybody. What is
// no fitting answer to an outstanding message is ignored and counted: it
// changes nothing, no timer either (RFC 2730, section 2.6). The packet is not
// kept.
func (c *Client) Receive(now time.Time, from netip.AddrPort, packet []byte) {
	c.stats.Received++
	from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
	tx, ignored := c.match(from, packet)
	if ignored != nil {
		*ignored++
		return
	}
	m := new(Message)
	if err := m.UnmarshalBinary(packet); err != nil {
		c.stats.Malformed++
		return
	}
	answer := Answer{From: from, Message: m}
	switch {
	case m.Type == TypeNak:
		c.refuse(now, tx, answer)
	case tx.open():
		c.collect(now, tx, answer)
	default:
		c.end(now, tx, []Answer{answer}, nil)
	}
}

// match finds the transaction that a datagram answers. If there is none it
// returns the counter of the reason. The order is that of speed: most of what
// is foreign shows after twelve octets.
func (c *Client) match(from netip.AddrPort, packet []byte) (tx *transaction, ignored *uint64) {
	if len(packet) < minLen || packet[0] != Version {
		return nil, &c.stats.Malformed
	}
	if t := MessageType(packet[1]); !t.IsValid() || t.FromClient() {
		return nil, &c.stats.Misdirected
	}
	if tx = c.byXID[binary.BigEndian.Uint32(packet[4:])]; tx == nil {
		return nil, &c.stats.Foreign
	}
	ask, m := &tx.request, &c.in
	if m.Decode(packet) != nil {
		return nil, &c.stats.Malformed
	}
	if !bytes.Equal(m.LeaseIdentifier, ask.LeaseIdentifier) || m.Family != ask.Family {
		return nil, &c.stats.Foreign
	}
	if m.Type != TypeNak && (m.Type == TypeOffer) != (ask.Type == TypeDiscover) {
		return nil, &c.stats.Misdirected
	}
	if m.Validate(ask.Type, false) != nil {
		return nil, &c.stats.Invalid
	}
	if c.cfg.CheckSource && !tx.multicast() && from.Addr() != tx.to.Addr() {
		return nil, &c.stats.Strange
	}
	asked := ask.ServerIdentifier.IsZero() || ask.ServerIdentifier.Equal(m.ServerIdentifier)
	if asked && (m.Type == TypeNak || fits(ask, m)) {
		return tx, nil
	}
	if m.Type == TypeAck && ask.Type == TypeRequest {
		tx.stray = from // it may have granted a lease: see fail
	}
	if !asked {
		return nil, &c.stats.Strange
	}
	return nil, &c.stats.Unfit
}

// refuse takes a NAK. It ends a transaction with one server; after a multicast
// message another server may still have a better answer.
func (c *Client) refuse(now time.Time, tx *transaction, nak Answer) {
	if tx.phase != asking {
		c.stats.Surplus++
		return
	}
	tx.nak = &NakError{Server: nak.Message.ServerIdentifier, From: nak.From, Reason: nak.Message.Error.Value}
	if !tx.open() {
		c.fail(now, tx, nil)
		return
	}
	tx.phase = refused // the timer stays: it would have sent the next copy
}

// collect keeps an OFFER, or an ACK to a multicast GETINFO. The first one stops
// the retransmissions and starts the wait for others.
func (c *Client) collect(now time.Time, tx *transaction, answer Answer) {
	for i := range tx.answers {
		if tx.answers[i].Message.ServerIdentifier.Equal(answer.Message.ServerIdentifier) {
			c.stats.Surplus++
			return
		}
	}
	if len(tx.answers) >= c.cfg.MaxAnswers {
		c.stats.Surplus++
		return
	}
	tx.answers = append(tx.answers, answer)
	if tx.phase == collecting {
		return
	}
	tx.phase = collecting
	if c.cfg.First {
		c.conclude(now, tx)
		return
	}
	wait := c.cfg.DiscoverDelay
	if wait == 0 {
		wait = tx.delay(&c.cfg)
	}
	tx.due = now.Add(wait)
	heap.Fix(&c.timers, tx.index)
}
