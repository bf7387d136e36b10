// SPDX-License-Identifier: BSD-3-Clause

package aap

import (
	"net/netip"
	"slices"
	"time"

	"github.com/mcastalloc/malloc/scope"
)

// burst announces what was just allocated or deleted: 1, 2, 4, 8 and 16 s apart
// (section 3.2.2).
type burst struct {
	h     *holding
	addrs scope.Set
	seq   sequence
	sent  int
	next  timer
}

// startBurst announces a part of a holding, now or when the listening is over.
func (m *MAAS) startBurst(now time.Time, h *holding, addrs scope.Set, seq sequence) {
	b := &burst{h: h, addrs: addrs, seq: seq}
	b.next.fire = func(now time.Time) { m.sendBurst(now, b); m.goOn(now, b) }
	h.bursts = append(h.bursts, b)
	if m.state == running {
		b.next.fire(now)
	} else {
		m.arm(&b.next, m.startup.due)
	}
}

func (m *MAAS) sendBurst(now time.Time, b *burst) {
	m.send(now, &b.seq, Message{Type: AIU, Ranges: timed(b.addrs, b.h.end)})
}

// goOn sets the timer for the next repeat, or hands over to the packs.
func (m *MAAS) goOn(now time.Time, b *burst) {
	b.sent++
	gap, fast := m.cfg.Timing.burstGap(b.sent)
	if fast {
		m.arm(&b.next, now.Add(gap))
		return
	}
	b.h.bursts = slices.DeleteFunc(b.h.bursts, func(x *burst) bool { return x == b })
	if b.h.gone {
		b.h.seqs = append(b.h.seqs, b) // a deletion is over; for when it must be said again
		return
	}
	due := now.Add(m.cfg.Timing.AnnounceGap(b.sent, m.cfg.Rand.Float64()))
	for r := range b.addrs.Ranges() {
		m.announcer.add(m, TimedRange{r, b.h.end}, due)
	}
	if p := m.announcer.packOf(b.addrs); p != nil && !p.seq.open {
		p.seq, p.said = b.seq, b.addrs // the very same announcement goes on
	} else {
		m.close(&b.seq)
	}
}

// shrinkBurst takes addresses out of a burst, which is then another one.
func (m *MAAS) shrinkBurst(b *burst, addrs scope.Set) {
	if !b.addrs.Overlaps(addrs) {
		return
	}
	m.close(&b.seq)
	if b.addrs = minus(b.addrs, addrs); b.addrs.IsEmpty() {
		m.disarm(&b.next)
		b.h.bursts = slices.DeleteFunc(b.h.bursts, func(x *burst) bool { return x == b })
	}
}

// takeSequence returns the sequence that announced just these addresses of a
// holding, which ends there; a fresh one if there is none.
func (m *MAAS) takeSequence(h *holding, addrs scope.Set) (seq sequence) {
	for _, b := range h.bursts {
		if b.addrs.Equal(addrs) {
			seq, b.seq = b.seq, sequence{}
			return seq
		}
	}
	if p := m.announcer.packOf(addrs); p != nil && p.said.Equal(addrs) {
		seq, p.seq = p.seq, sequence{}
	}
	return seq
}

// announcer repeats an AIU for all that we have allocated about every half minute,
// in as few messages as possible (section 3.2.2). All packs but the last are full,
// and neighbours with equal ends are joined.
type announcer struct {
	joined intervals[*slot]
	packs  []*pack
}

// slot is one range of a pack.
type slot struct {
	TimedRange
	pack *pack
}

// pack is one message.
type pack struct {
	slots []*slot
	seq   sequence
	said  scope.Set // what was said last
	next  timer
}

// add announces a range from now on, by a time.
func (a *announcer) add(m *MAAS, r TimedRange, due time.Time) {
	if s := a.slotAt(r.Range.First().Prev()); s != nil && s.End.Equal(r.End) {
		due = earlier(due, a.takeSlot(m, s))
		r.Range = rangeOf(s.Range.First(), r.Range.Last())
	}
	if s := a.slotAt(r.Range.Last().Next()); s != nil && s.End.Equal(r.End) {
		due = earlier(due, a.takeSlot(m, s))
		r.Range = rangeOf(r.Range.First(), s.Range.Last())
	}
	n := len(a.packs) - 1
	if n < 0 || len(a.packs[n].slots) == maxRanges(m.family()) {
		p := &pack{}
		p.next.fire = func(now time.Time) { m.sendPack(now, p) }
		a.packs = append(a.packs, p)
		n++
	}
	s := &slot{TimedRange: r}
	a.joined.put(r.Range, s)
	a.packs[n].put(m, s, due)
}

// move announces a range with another end.
func (a *announcer) move(m *MAAS, r TimedRange) {
	s, below, above := a.slotAt(r.Range.First()), a.slotAt(r.Range.First().Prev()), a.slotAt(r.Range.Last().Next())
	alone := (below == nil || !below.End.Equal(r.End)) && (above == nil || !above.End.Equal(r.End))
	if s != nil && s.Range == r.Range && alone {
		s.End = r.End
		return
	}
	a.add(m, r, a.remove(m, r.Range))
}

// put adds a slot to a pack, which is due no later than a time.
func (p *pack) put(m *MAAS, s *slot, due time.Time) {
	s.pack = p
	p.slots = append(p.slots, s)
	if !p.next.armed() || due.Before(p.next.due) {
		m.arm(&p.next, due)
	}
}

// remove no longer announces a range, and returns when it was due, the zero time
// if it is not announced.
func (a *announcer) remove(m *MAAS, r scope.Range) (due time.Time) {
	var slots []*slot
	for p := range a.joined.in(r) {
		slots = append(slots, p.v)
	}
	for _, s := range slots {
		due = a.takeSlot(m, s)
		if s.Range.First().Less(r.First()) {
			a.add(m, TimedRange{rangeOf(s.Range.First(), r.First().Prev()), s.End}, due)
		}
		if r.Last().Less(s.Range.Last()) {
			a.add(m, TimedRange{rangeOf(r.Last().Next(), s.Range.Last()), s.End}, due)
		}
	}
	return due
}

// takeSlot removes a slot and fills the gap with one of the last pack. It returns
// when the slot was due.
func (a *announcer) takeSlot(m *MAAS, s *slot) time.Time {
	a.joined.take(s.Range)
	p, due := s.pack, s.pack.next.due
	last := a.packs[len(a.packs)-1]
	p.slots = slices.DeleteFunc(p.slots, func(x *slot) bool { return x == s })
	if p != last {
		n := len(last.slots) - 1
		p.put(m, last.slots[n], last.next.due)
		last.slots = last.slots[:n]
	}
	if len(last.slots) == 0 {
		m.disarm(&last.next)
		m.close(&last.seq)
		a.packs = a.packs[:len(a.packs)-1]
	}
	return due
}

func (a *announcer) slotAt(addr netip.Addr) *slot {
	p, _ := a.joined.at(addr)
	return p.v
}

// packOf returns the pack that holds just these addresses.
func (a *announcer) packOf(addrs scope.Set) *pack {
	if s := a.slotAt(addrs.Bounds().First()); s != nil && s.pack.addrs().Equal(addrs) {
		return s.pack
	}
	return nil
}

func (p *pack) ranges() []TimedRange {
	list := make([]TimedRange, 0, len(p.slots))
	for _, s := range p.slots {
		list = append(list, s.TimedRange)
	}
	return Normalize(list)
}

func (p *pack) addrs() scope.Set { return Addrs(p.ranges()) }

// sendPack sends a pack: with a new request sequence number if it is about other
// addresses than the last time (section 5.1.4).
func (m *MAAS) sendPack(now time.Time, p *pack) {
	ranges := p.ranges()
	if addrs := Addrs(ranges); !addrs.Equal(p.said) {
		m.close(&p.seq)
		p.said = addrs
	}
	m.send(now, &p.seq, Message{Type: AIU, Ranges: ranges})
	m.arm(&p.next, now.Add(between(m.cfg.Timing.RepeatInterval, 0.7, 1.3, m.cfg.Rand.Float64())))
}

// announceNow sends the pack that holds the first address of r at once.
func (m *MAAS) announceNow(now time.Time, r scope.Range) {
	if s := m.announcer.slotAt(r.First()); s != nil {
		m.arm(&s.pack.next, now)
	}
}

// announceAll starts to announce what was stored, each pack at its own time
// within the first REPEAT-INTERVAL.
func (m *MAAS) announceAll(now time.Time) {
	for _, p := range m.announcer.packs {
		m.arm(&p.next, now.Add(between(m.cfg.Timing.RepeatInterval, 0, 1, m.cfg.Rand.Float64())))
	}
}
