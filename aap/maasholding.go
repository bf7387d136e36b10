// SPDX-License-Identifier: BSD-3-Clause

package aap

import (
	"net/netip"
	"slices"
	"time"

	"github.com/mcastalloc/malloc/scope"
)

// holding is an allocation of ours, or what is left of one that we deleted or let
// end: others may still defend it with an end that we announced.
type holding struct {
	token     Token
	addrs     scope.Set
	end       time.Time   // the true one
	gone      bool        // deleted or ended
	announced []time.Time // ends that we announced and that have not passed
	lost      scope.Set   // of addrs: announced by another server too
	runs      map[netip.AddrPort]run
	corrected time.Time // when we last answered a false end
	bursts    []*burst
	seqs      []*burst // of a deleted one: what announced its end
	over      timer
}

// Limits of what a holding remembers.
const (
	maxEnds = 64 // the earliest go first
	maxRuns = 8  // the oldest go first
)

// Allocation returns what the application is to know.
func (h *holding) Allocation() Allocation { return Allocation{h.token, h.addrs, h.end} }

// promise notes that an end is announced.
func (h *holding) promise(now, end time.Time) {
	h.announced = slices.DeleteFunc(h.announced, func(e time.Time) bool { return e.Equal(end) || !e.After(now) })
	if h.announced = append(h.announced, end); len(h.announced) > maxEnds {
		h.announced = slices.Delete(h.announced, 0, 1)
	}
}

// latest returns the latest end ever announced.
func (h *holding) latest() (end time.Time) {
	for _, e := range h.announced {
		end = later(end, e)
	}
	return end
}

// hold makes addresses that are blocked already a part of an allocation, and
// announces it.
func (m *MAAS) hold(now time.Time, h *holding, addrs scope.Set) {
	h.addrs = union(h.addrs, addrs)
	before, _ := m.deleted.touched(addrs)
	for _, old := range before { // others may still defend them as what we had before
		for _, end := range old.announced {
			h.promise(now, end)
		}
	}
	h.promise(now, h.end)
	for r := range addrs.Ranges() {
		m.forgetDeleted(r)
		m.setOwn(r, h)
	}
	for _, part := range m.parts(addrs) {
		m.startBurst(now, h, part, sequence{})
	}
	h.over.fire = func(now time.Time) { m.endHolding(now, h) }
	m.arm(&h.over, h.end)
	m.pool.granted(now, addrs.Size())
}

// moveEnd changes the end of an allocation and announces that.
func (m *MAAS) moveEnd(now time.Time, h *holding, end time.Time) {
	if end.Equal(h.end) {
		return
	}
	h.end = end
	h.promise(now, end)
	m.arm(&h.over, end)
	m.persist()
	if m.state == running {
		for _, b := range h.bursts {
			m.sendBurst(now, b)
		}
	}
	steady := h.addrs
	for _, b := range h.bursts {
		steady = minus(steady, b.addrs)
	}
	for r := range steady.Ranges() {
		m.announcer.move(m, TimedRange{r, end})
		if m.state == running {
			m.announceNow(now, r)
		}
	}
}

// drop takes addresses out of an allocation, and the allocation out of the record
// if nothing is left.
func (m *MAAS) drop(now time.Time, h *holding, addrs scope.Set) {
	h.addrs, h.lost = minus(h.addrs, addrs), minus(h.lost, addrs)
	for _, b := range slices.Clone(h.bursts) {
		m.shrinkBurst(b, addrs)
	}
	for r := range addrs.Ranges() {
		m.announcer.remove(m, r)
		m.setOwn(r, nil)
		m.block(r, untaken)
	}
	if h.addrs.IsEmpty() {
		m.disarm(&h.over)
		if m.own[h.token] == h {
			delete(m.own, h.token)
		}
	}
}

// yield gives up addresses without a word.
func (m *MAAS) yield(now time.Time, h *holding, addrs scope.Set) {
	m.drop(now, h, common(addrs, h.addrs))
	m.persist()
}

// endHolding forgets an allocation that has ended, or remembers it if others may
// believe in a later end.
func (m *MAAS) endHolding(now time.Time, h *holding) {
	addrs := h.addrs
	m.drop(now, h, addrs)
	if h.latest().After(now) {
		m.bury(now, h, addrs)
	}
	m.learned(now)
}

// delete ends an allocation before its time, and announces that.
func (m *MAAS) delete(now time.Time, h *holding) {
	addrs := h.addrs
	var last []burst
	for _, part := range m.parts(addrs) {
		last = append(last, burst{addrs: part, seq: m.takeSequence(h, part)})
	}
	m.drop(now, h, addrs)
	h.end = now.Truncate(time.Second).UTC()
	m.bury(now, h, addrs)
	for _, b := range last {
		m.startBurst(now, h, b.addrs, b.seq)
	}
	m.persist()
	m.startWaiting(now)
}

// bury moves what was an allocation to the deletions.
func (m *MAAS) bury(now time.Time, h *holding, addrs scope.Set) {
	h.addrs, h.gone, h.runs, h.lost = addrs, true, nil, scope.Set{}
	for r := range addrs.Ranges() {
		m.forgetDeleted(r)
		m.deleted.put(r, h)
	}
	h.over.fire = func(time.Time) { m.unbury(h, h.addrs) }
	m.arm(&h.over, later(now, h.latest()))
}

// forgetDeleted removes a range from the deletions: the addresses are allocated
// anew, by us or others.
func (m *MAAS) forgetDeleted(r scope.Range) {
	var gone []piece[*holding]
	for p := range m.deleted.in(r) {
		gone = append(gone, p)
	}
	for _, p := range gone {
		one, _ := scope.SetOf(p.r)
		m.unbury(p.v, one)
	}
}

// unbury forgets a deletion, or a part of it.
func (m *MAAS) unbury(h *holding, addrs scope.Set) {
	for r := range addrs.Ranges() {
		m.deleted.take(r)
	}
	h.addrs = minus(h.addrs, addrs)
	for _, b := range slices.Clone(h.bursts) {
		m.shrinkBurst(b, addrs)
	}
	if h.addrs.IsEmpty() {
		m.disarm(&h.over)
		for _, b := range h.seqs {
			m.close(&b.seq)
		}
		h.seqs = nil
	}
}

// isOurs reports whether an AIU with this end, for an address of h, can be a
// defence of what we announced, by a server that is no rival (AAP-D-30).
func (m *MAAS) isOurs(now time.Time, h *holding, r scope.Range, end time.Time, from netip.AddrPort) bool {
	var limit time.Time
	if m.cfg.Large {
		for _, s := range m.space.Ranges {
			if s.Range.Overlaps(r) {
				limit = s.End
			}
		}
	}
	if m.cfg.Strict || !echoes(end, h.announced, limit, m.cfg.Timing.Tolerance) {
		return false
	}
	if h.runs == nil {
		h.runs = map[netip.AddrPort]run{}
	}
	if _, ok := h.runs[from]; !ok && len(h.runs) >= maxRuns {
		delete(h.runs, oldestRun(h.runs))
	}
	h.runs[from] = h.runs[from].Next(now, m.cfg.Timing)
	return !h.runs[from].IsRival(m.cfg.Timing)
}

func oldestRun(runs map[netip.AddrPort]run) (oldest netip.AddrPort) {
	for from, r := range runs {
		if o := runs[oldest]; !oldest.IsValid() || r.Last.Before(o.Last) || r.Last.Equal(o.Last) && from.Compare(oldest) < 0 {
			oldest = from
		}
	}
	return oldest
}
