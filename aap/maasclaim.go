// SPDX-License-Identifier: BSD-3-Clause

package aap

import (
	"slices"
	"time"

	"github.com/mcastalloc/malloc/scope"
)

// maxTries is how often a claim chooses addresses before it fails (AAP-D-24).
const maxTries = 16

// job is an allocation under way.
type job struct {
	want   Want
	claims []*claim
	got    *holding // what has been claimed successfully; nil for nothing
}

// claim is a part of a job that fits one ACLM (section 3.2.5).
type claim struct {
	job          *job
	addrs        scope.Set
	seq          sequence
	sent, tries  int
	repeat, done timer
}

// canAllocate reports whether there is a space to allocate from (section 3.2.4).
func (m *MAAS) canAllocate(now time.Time) bool {
	return m.state == running && (!m.cfg.Large || m.heardASA || len(m.Usable(now)) > 0)
}

// startWaiting starts the jobs that waited for the end of the listening, or for
// a space.
func (m *MAAS) startWaiting(now time.Time) {
	if len(m.waiting) == 0 || !m.canAllocate(now) {
		return
	}
	jobs := m.waiting
	m.waiting = nil
	for _, j := range jobs {
		m.startJob(now, j)
	}
}

// startJob grants addresses of the pool, or claims others.
func (m *MAAS) startJob(now time.Time, j *job) {
	if !j.want.End.After(now) {
		m.fail(now, j, ErrUnavailable)
		return
	}
	all := uint64(j.want.Count)
	if addrs := m.drawPool(now, j.want, all, all, false); !addrs.IsEmpty() {
		m.obtain(now, j, addrs)
		m.grant(now, j)
		return
	}
	m.openPool(now, j.want.Addrs)
	addrs := m.choose(now, j, all)
	if n, ok := addrs.Size().Uint64(); ok && n < uint64(j.want.Min) {
		m.blockSet(addrs, untaken)
		m.fail(now, j, ErrUnavailable)
		return
	}
	for _, part := range m.parts(addrs) {
		m.startClaim(now, j, part)
	}
}

// choose picks n more addresses for a job, among those it wants if it says so.
// Where there are not as many, the rest comes out of our own pool, unless the job
// would fail all the same.
func (m *MAAS) choose(now time.Time, j *job, n uint64) scope.Set {
	if j.want.Addrs.IsEmpty() {
		picked := m.pick(now, ACLM, n, j.want.End)
		found, _ := picked.Size().Uint64()
		least := uint64(j.want.Min)
		least -= min(least, m.total(j)+found)
		return union(picked, m.drawPool(now, j.want, n-found, least, true))
	}
	var free, weak scope.SetBuilder // what nobody preallocated goes first (section 3.2.7)
	for r := range j.want.Addrs.Ranges() {
		for a := range m.areas.in(r) {
			if a.v.end.Before(j.want.End) {
				continue
			}
			for gap := range m.blocks.gaps(a.r) {
				free.Add(gap)
			}
			for p := range m.blocks.in(a.r) {
				if p.v.isWeak() {
					weak.Add(p.r)
				}
			}
		}
	}
	best, _ := free.Set()
	other, _ := weak.Set()
	best = lowest(best, scope.U128(n))
	picked := union(best, lowest(other, scope.U128(n).Sub(best.Size())))
	m.blockSet(picked, taken)
	return picked
}

func setOfRange(r scope.Range) scope.Set {
	s, _ := scope.SetOf(r)
	return s
}

func (m *MAAS) startClaim(now time.Time, j *job, addrs scope.Set) {
	c := &claim{job: j, addrs: addrs}
	c.repeat.fire = func(now time.Time) { m.sendClaim(now, c) }
	c.done.fire = func(now time.Time) { m.winClaim(now, c) }
	j.claims = append(j.claims, c)
	m.indexClaim(c, c.addrs)
	m.restartClaim(now, c)
}

// restartClaim sends an ACLM and sets a new Claim Timer.
func (m *MAAS) restartClaim(now time.Time, c *claim) {
	c.sent = 0
	m.arm(&c.done, now.Add(m.cfg.Timing.AnnounceWait))
	m.sendClaim(now, c)
}

func (m *MAAS) sendClaim(now time.Time, c *claim) {
	m.send(now, &c.seq, Message{Type: ACLM, Ranges: timed(c.addrs, c.job.want.End)})
	c.sent++
	if gap, ok := m.cfg.Timing.ClaimGap(c.sent); ok {
		m.arm(&c.repeat, now.Add(gap))
	}
}

// winClaim takes what nobody disputed (section 3.2.5).
func (m *MAAS) winClaim(now time.Time, c *claim) {
	j := c.job
	m.endClaim(c)
	m.obtain(now, j, c.addrs)
	if len(j.claims) == 0 {
		m.finish(now, j, ErrContended)
	}
}

// endClaim forgets a claim; its addresses stay blocked.
func (m *MAAS) endClaim(c *claim) {
	m.disarm(&c.repeat)
	m.disarm(&c.done)
	m.close(&c.seq)
	for r := range c.addrs.Ranges() {
		m.claimed.take(r)
	}
	c.job.claims = slices.DeleteFunc(c.job.claims, func(x *claim) bool { return x == c })
}

func (m *MAAS) indexClaim(c *claim, addrs scope.Set) {
	for r := range addrs.Ranges() {
		m.claimed.put(r, c)
	}
}

// loseClaim gives up some of the addresses of a claim. The rest, with others in
// their stead, need a new ACLM and a full Claim Timer (AAP-D-23).
func (m *MAAS) loseClaim(now time.Time, c *claim, lost scope.Set) {
	j := c.job
	m.disarm(&c.repeat)
	m.disarm(&c.done)
	for r := range lost.Ranges() {
		m.claimed.take(r)
	}
	c.addrs = minus(c.addrs, lost)
	m.blockSet(lost, untaken)
	m.stats.Collisions++
	c.tries++
	if c.tries < maxTries {
		n, _ := lost.Size().Uint64()
		more := m.choose(now, j, n)
		all := m.parts(union(c.addrs, more))
		for _, part := range all[1:] { // what no longer fits one message
			for r := range part.Ranges() {
				m.claimed.take(r)
			}
			m.startClaim(now, j, part)
		}
		for r := range all[0].Ranges() {
			m.claimed.take(r)
		}
		c.addrs = all[0]
		m.indexClaim(c, c.addrs)
	}
	switch {
	case c.tries >= maxTries || m.total(j) < uint64(j.want.Min):
		reason := ErrContended
		if c.tries < maxTries && j.want.Addrs.IsEmpty() {
			reason = ErrUnavailable
		}
		m.finish(now, j, reason)
	case c.addrs.IsEmpty():
		m.endClaim(c)
		if len(j.claims) == 0 {
			m.finish(now, j, ErrContended)
		}
	default:
		m.restartClaim(now, c)
	}
}

// total returns how many addresses a job has or claims.
func (m *MAAS) total(j *job) uint64 {
	var n scope.Uint128
	for _, c := range j.claims {
		n = n.Add(c.addrs.Size())
	}
	if j.got != nil {
		n = n.Add(j.got.addrs.Size())
	}
	total, _ := n.Uint64()
	return total
}

// obtain adds addresses to what a job has got.
func (m *MAAS) obtain(now time.Time, j *job, addrs scope.Set) {
	if j.got == nil {
		j.got = &holding{token: j.want.Token, end: j.want.End}
	}
	m.hold(now, j.got, addrs)
}

// finish ends a job: it has got enough, or fails with a reason.
func (m *MAAS) finish(now time.Time, j *job, reason error) {
	for _, c := range slices.Clone(j.claims) {
		m.endClaim(c)
		m.blockSet(c.addrs, untaken)
	}
	if j.got != nil && m.total(j) >= uint64(j.want.Min) {
		m.grant(now, j)
		return
	}
	got := j.got
	j.got = nil
	if got != nil && !got.addrs.IsEmpty() {
		m.delete(now, got)
	}
	m.fail(now, j, reason)
}

func (m *MAAS) grant(now time.Time, j *job) {
	delete(m.jobs, j.want.Token)
	m.own[j.want.Token] = j.got
	m.persist()
	m.emit(Granted{j.got.Allocation()})
	m.fillPool(now)
}

func (m *MAAS) fail(now time.Time, j *job, reason error) {
	delete(m.jobs, j.want.Token)
	m.stats.Failed++
	if reason == ErrUnavailable {
		m.lack(now, j.want)
	}
	m.emit(Failed{j.want.Token, reason})
}

// cancel forgets a job without a word.
func (m *MAAS) cancel(now time.Time, j *job) {
	m.waiting = slices.DeleteFunc(m.waiting, func(x *job) bool { return x == j })
	for _, c := range slices.Clone(j.claims) {
		m.endClaim(c)
		m.blockSet(c.addrs, untaken)
	}
	delete(m.jobs, j.want.Token)
	if j.got != nil && !j.got.addrs.IsEmpty() {
		m.delete(now, j.got)
	}
}
