// SPDX-License-Identifier: BSD-3-Clause

package aap

import (
	"net/netip"
	"slices"
	"time"

	"github.com/mcastalloc/malloc/scope"
)

// The rate of AIUs in defence and in answer to false ends: a bucket of tokens, one
// for each datagram (AAP-D-51).
const (
	defenceRate  = 20 // a second
	defenceBurst = 40
)

// defences are the requests of others that name what is allocated, by us or by
// others.
type defences struct {
	contests map[request]*contest
	list     []*contest // in a fixed order
	count    [2]int     // of the contests about addresses of others, and of ours
	ranges   int        // asked for in all of them

	tokens  float64
	counted time.Time // when tokens was
	refill  timer
	waiting [2][]*contest // for a token: about addresses of others, and of ours
}

// contest is one Allocation Defense timer.
type contest struct {
	defence
	request request
	own     bool
	seq     sequence
	next    netip.Addr // from where to go on; the zero Addr for the start
	timer   timer
	over    bool
}

func (c *contest) class() int {
	if c.own {
		return 1
	}
	return 0
}

// question looks whether an ACLM or AITU of another server names what is
// allocated (section 3.2.2).
func (m *MAAS) question(now time.Time, k request, asked scope.Set) {
	d := &m.defences
	if m.state != running {
		return
	}
	if c := d.contests[k]; c != nil {
		if c.Repeats(asked) {
			return
		}
		m.cancelContest(c)
	}
	own, hit := m.isAllocated(now, asked)
	if !hit {
		return
	}
	c := &contest{request: k, own: own}
	if d.count[c.class()] >= m.cfg.MaxDefences || d.ranges+asked.Len() > m.cfg.MaxHeard {
		m.stats.Overflows++
		if own { // no room to keep at it: answer once
			c.defence = newDefence(now, asked, own, m.cfg.Timing, m.cfg.Rand)
			m.answerOnce(now, c)
		}
		return
	}
	c.defence = newDefence(now, asked, own, m.cfg.Timing, m.cfg.Rand)
	c.timer.fire = func(now time.Time) { m.defend(now, c) }
	d.contests[k] = c
	d.list = append(d.list, c)
	d.count[c.class()]++
	d.ranges += asked.Len()
	m.arm(&c.timer, c.Due)
}

// isAllocated reports whether any of the addresses is allocated, and by us.
func (m *MAAS) isAllocated(now time.Time, asked scope.Set) (own, hit bool) {
	for r := range asked.Ranges() {
		for p := range m.held.in(r) {
			if len(m.inSpace(now, []TimedRange{{p.r, p.v.end}})) > 0 {
				return true, true
			}
		}
	}
	for from := (netip.Addr{}); ; {
		found, next := m.hits(now, asked, from, maxRanges(m.family()))
		if len(found) > 0 || !next.IsValid() {
			return false, len(found) > 0
		}
		from = next
	}
}

// defend sends AIUs for what is asked for, as fast as allowed.
func (m *MAAS) defend(now time.Time, c *contest) {
	if c.over {
		return
	}
	for {
		if !m.takeToken(now) {
			m.defences.waiting[c.class()] = append(m.defences.waiting[c.class()], c)
			return
		}
		found, next := m.hits(now, c.Asked, c.next, maxRanges(m.family()))
		if len(found) == 0 {
			m.defences.tokens++
		} else {
			m.stats.Defences++
			m.send(now, &c.seq, Message{Type: AIU, Ranges: found})
		}
		if c.next = next; !next.IsValid() {
			if _, hit := m.isAllocated(now, c.Asked); !hit || !c.Sent(now, m.cfg.Timing) {
				m.cancelContest(c)
			} else {
				m.arm(&c.timer, c.Due)
			}
			return
		}
	}
}

// answerOnce sends one AIU, if that is allowed.
func (m *MAAS) answerOnce(now time.Time, c *contest) {
	if found, _ := m.hits(now, c.Asked, netip.Addr{}, maxRanges(m.family())); len(found) > 0 && m.takeToken(now) {
		m.stats.Defences++
		m.sendOne(now, Message{Type: AIU, Ranges: found})
	}
}

// takeToken takes a token, or sets a timer for the next.
func (m *MAAS) takeToken(now time.Time) bool {
	d := &m.defences
	if d.counted.IsZero() {
		d.tokens = defenceBurst
	} else {
		d.tokens = min(defenceBurst, d.tokens+max(0, now.Sub(d.counted).Seconds())*defenceRate)
	}
	d.counted = now
	if d.tokens >= 1 {
		d.tokens--
		return true
	}
	if !d.refill.armed() {
		m.arm(&d.refill, now.Add(time.Second/defenceRate))
	}
	return false
}

// serveDefences goes on with defences that waited for a token, our own first.
func (m *MAAS) serveDefences(now time.Time) {
	d := &m.defences
	for _, class := range [...]int{1, 0} {
		for len(d.waiting[class]) > 0 {
			if d.refill.armed() {
				return // the tokens are used up
			}
			c := d.waiting[class][0]
			d.waiting[class] = d.waiting[class][1:]
			m.defend(now, c)
		}
	}
}

// suppress puts off the defences of addresses that somebody else defends, and ends
// those against him (AAP-D-25, AAP-D-29).
func (m *MAAS) suppress(now time.Time, from netip.AddrPort, announced scope.Set) {
	for _, c := range slices.Clone(m.defences.list) {
		switch {
		case !c.Asked.Overlaps(announced):
		case c.request.from == from, !c.Heard(now, m.cfg.Timing):
			m.cancelContest(c)
		case c.timer.armed():
			c.next = netip.Addr{}
			m.arm(&c.timer, c.Due)
		}
	}
}

func (m *MAAS) cancelContest(c *contest) {
	d := &m.defences
	c.over = true
	m.disarm(&c.timer)
	m.close(&c.seq)
	delete(d.contests, c.request)
	d.list = slices.DeleteFunc(d.list, func(x *contest) bool { return x == c })
	d.waiting[c.class()] = slices.DeleteFunc(d.waiting[c.class()], func(x *contest) bool { return x == c })
	d.count[c.class()]--
	d.ranges -= c.Asked.Len()
}

// contested reports whether a sender asks for addresses of r in a contest.
func (m *MAAS) contested(from netip.AddrPort, r scope.Range) bool {
	return slices.ContainsFunc(m.defences.list, func(c *contest) bool { return c.request.from == from && c.Asked.OverlapsRange(r) })
}
