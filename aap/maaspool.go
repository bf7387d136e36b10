// SPDX-License-Identifier: BSD-3-Clause

package aap

import (
	"slices"
	"time"

	"github.com/mcastalloc/malloc/scope"
)

// setSize is how many addresses are preallocated by one AITU: a collision costs
// the whole set.
const setSize = 16

// pool keeps addresses preallocated (section 3.2.6).
type pool struct {
	sets   []*preallocation // oldest first
	mine   intervals[*preallocation]
	size   uint64
	filler timer // when to try again

	hour       time.Time // when the current one began
	last, this uint64    // addresses granted in the last hour and in this one
}

// preallocation is a set of addresses that we announce by an AITU. It is pending
// until the Preallocation Timer has expired.
type preallocation struct {
	addrs          scope.Set
	end            time.Time
	pending        bool
	seq            sequence
	sent, tries    int
	repeat, settle timer
}

// stake returns how we hold it.
func (x *preallocation) stake() Stake {
	if x.pending {
		return Pending
	}
	return Settled
}

// granted counts what the scope uses in an hour (section 2.2).
func (p *pool) granted(now time.Time, n scope.Uint128) {
	p.turn(now)
	more, ok := n.Uint64()
	if !ok || more > 1<<32 {
		more = 1 << 32
	}
	p.this += more
}

func (p *pool) turn(now time.Time) {
	switch passed := now.Sub(p.hour); {
	case passed < time.Hour:
		return
	case passed < 2*time.Hour:
		p.last = p.this
	default:
		p.last = 0
	}
	p.this, p.hour = 0, now
}

// fillPool preallocates what the pool lacks, and tries again later if that does
// not suffice.
func (m *MAAS) fillPool(now time.Time) {
	p := &m.pool
	if m.state != running || m.cfg.MaxPool < 0 {
		return
	}
	p.turn(now)
	target := min(max(uint64(m.cfg.Pool), p.last, p.this), uint64(m.cfg.MaxPool))
	for p.size < target && m.canAllocate(now) && m.poolEnd(now).After(now) {
		end := m.poolEnd(now)
		addrs := m.pick(now, AITU, min(setSize, target-p.size), end)
		if addrs.IsEmpty() {
			break
		}
		x := m.newPreallocation(addrs, end)
		m.startPreallocation(now, x)
	}
	if target > 0 && !p.filler.armed() {
		m.arm(&p.filler, now.Add(m.cfg.Timing.RepeatInterval))
	}
}

// poolEnd returns until when to preallocate: as far ahead as is configured, or as
// there is a space.
func (m *MAAS) poolEnd(now time.Time) time.Time {
	end := now.Add(m.cfg.PoolTime)
	if n := len(m.shelves); n > 0 {
		end = earlier(end, m.shelves[n-1].end)
	}
	return end.Truncate(time.Second).UTC()
}

func (m *MAAS) newPreallocation(addrs scope.Set, end time.Time) *preallocation {
	x := &preallocation{end: end}
	x.repeat.fire = func(now time.Time) { m.sendPreallocation(now, x) }
	x.settle.fire = func(now time.Time) { x.pending = false; m.learned(now) }
	m.pool.sets = append(m.pool.sets, x)
	m.setPreallocation(x, addrs)
	return x
}

// setPreallocation changes the addresses of a preallocation; they are blocked.
func (m *MAAS) setPreallocation(x *preallocation, addrs scope.Set) {
	for r := range x.addrs.Ranges() {
		m.pool.mine.take(r)
	}
	was, _ := x.addrs.Size().Uint64()
	is, _ := addrs.Size().Uint64()
	m.pool.size += is - was
	x.addrs = addrs
	for r := range addrs.Ranges() {
		m.pool.mine.put(r, x)
	}
}

// startPreallocation sends an AITU and sets the Preallocation Timer.
func (m *MAAS) startPreallocation(now time.Time, x *preallocation) {
	x.pending, x.sent = true, 0
	m.arm(&x.settle, now.Add(m.cfg.Timing.AnnounceWait))
	m.sendPreallocation(now, x)
}

func (m *MAAS) sendPreallocation(now time.Time, x *preallocation) {
	if end := m.poolEnd(now); x.end.Sub(now) < m.cfg.PoolTime/2 && end.After(x.end) && m.isAvailable(x.addrs, end) {
		x.end = end
	}
	if !x.end.After(now) {
		m.abandon(x)
		return
	}
	m.send(now, &x.seq, Message{Type: AITU, Ranges: timed(x.addrs, x.end)})
	x.sent++
	m.arm(&x.repeat, now.Add(m.cfg.Timing.AnnounceGap(x.sent, m.cfg.Rand.Float64())))
}

// isAvailable reports whether the space is available until a time.
func (m *MAAS) isAvailable(addrs scope.Set, end time.Time) bool {
	return !m.cfg.Large || uncovered(timed(addrs, end), m.space.Ranges, 0).IsEmpty()
}

// abandon gives up a preallocation without a word (AAP-D-53).
func (m *MAAS) abandon(x *preallocation) {
	addrs := x.addrs
	m.forget(x)
	m.blockSet(addrs, untaken)
}

// forget ends a preallocation; its addresses stay blocked.
func (m *MAAS) forget(x *preallocation) {
	m.setPreallocation(x, scope.Set{})
	m.disarm(&x.repeat)
	m.disarm(&x.settle)
	m.close(&x.seq)
	m.pool.sets = slices.DeleteFunc(m.pool.sets, func(y *preallocation) bool { return x == y })
}

// losePreallocation gives up a set that another server names. While it was
// pending, another set may be chosen for the same request.
func (m *MAAS) losePreallocation(now time.Time, x *preallocation, kept scope.Set) {
	m.stats.Collisions++
	if x.tries++; m.state != running || !x.pending || x.tries >= maxTries {
		m.abandon(x)
		return
	}
	n, _ := x.addrs.Size().Uint64()
	k, _ := kept.Size().Uint64()
	gone := minus(x.addrs, kept)
	m.setPreallocation(x, scope.Set{})
	m.blockSet(gone, untaken)
	x.end = m.poolEnd(now)
	if !kept.IsEmpty() && !m.isAvailable(kept, x.end) {
		m.blockSet(kept, untaken)
		kept, k = scope.Set{}, 0
	}
	addrs := union(kept, m.pick(now, AITU, n-k, x.end))
	m.setPreallocation(x, addrs)
	if addrs.IsEmpty() {
		m.forget(x)
		return
	}
	m.startPreallocation(now, x)
}

// drawPool takes up to n addresses that an application wants from the settled
// sets, and from the pending ones too if they are to be claimed; none if there are
// not at least so many.
func (m *MAAS) drawPool(now time.Time, w Want, n, least uint64, pending bool) scope.Set {
	var picked scope.SetBuilder
	need := scope.U128(n)
	type draw struct {
		from *preallocation
		part scope.Set
	}
	var draws []draw
	for _, x := range m.pool.sets {
		if x.pending && !pending || need.IsZero() || !x.end.After(now) || !m.isAvailable(x.addrs, w.End) {
			continue
		}
		part := x.addrs
		if !w.Addrs.IsEmpty() {
			part = common(part, w.Addrs)
		}
		if part = lowest(part, need); !part.IsEmpty() {
			draws = append(draws, draw{x, part})
			picked.AddSet(part)
			need = need.Sub(part.Size())
		}
	}
	if lacking, _ := need.Uint64(); n-lacking < least {
		return scope.Set{}
	}
	for _, d := range draws {
		m.takeFrom(now, d.from, d.part)
	}
	s, _ := picked.Set()
	return s
}

// takeFrom takes addresses out of a preallocation; what remains is announced
// under the same request (section 3.2.6.1, AAP-D-52).
func (m *MAAS) takeFrom(now time.Time, x *preallocation, part scope.Set) {
	if part.Equal(x.addrs) {
		m.forget(x)
		return
	}
	m.setPreallocation(x, minus(x.addrs, part))
	m.arm(&x.repeat, now)
}

// openPool gives up preallocations of addresses that are wanted in particular.
func (m *MAAS) openPool(now time.Time, wanted scope.Set) {
	for r := range wanted.Ranges() {
		var hit []piece[*preallocation]
		for p := range m.pool.mine.in(r) {
			hit = append(hit, p)
		}
		for _, p := range hit {
			m.takeFrom(now, p.v, setOfRange(p.r))
			m.block(p.r, untaken)
		}
	}
}

// lowest returns the n lowest addresses of a set.
func lowest(s scope.Set, n scope.Uint128) scope.Set {
	if s.Size().Cmp(n) <= 0 {
		return s
	}
	var b scope.SetBuilder
	for r := range s.Ranges() {
		if r.Size().Cmp(n) >= 0 {
			if !n.IsZero() {
				last, _ := r.At(n.Sub(scope.U128(1)))
				b.Add(rangeOf(r.First(), last))
			}
			break
		}
		b.Add(r)
		n = n.Sub(r.Size())
	}
	low, _ := b.Set()
	return low
}

// startPool announces what was stored anew: it is pending again (section 5.2).
func (m *MAAS) startPool(now time.Time) {
	for _, x := range slices.Clone(m.pool.sets) {
		m.startPreallocation(now, x)
	}
}
