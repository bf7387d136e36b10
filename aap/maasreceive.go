// SPDX-License-Identifier: BSD-3-Clause

package aap

import (
	"net/netip"
	"slices"
	"time"

	"github.com/mcastalloc/malloc/scope"
)

// Receive takes a datagram that arrived at now on the AAP port. It returns the
// error of a malformed one; what else is to be ignored is only counted.
func (m *MAAS) Receive(now time.Time, d Datagram) error {
	msg := &m.msg
	if ok, err := m.gate.admit(now, d, msg, &m.stats.Drops, &m.effects); !ok {
		return err
	}
	if !m.cfg.Large && msg.Type > AITU {
		m.stats.Drops.Foreign++ // no space is announced in a small scope (AAP-D-18)
		return nil
	}
	m.stats.Received[msg.Type]++
	m.run(now) // what is due goes first
	raw := msg.Need
	var space spaceState
	if msg.Type == ASA {
		space = newSpace(msg, now)
	}
	msg.Localize(now)
	switch k := (request{d.From, msg.RSeq}); msg.Type {
	case ACLM:
		m.hearClaim(now, k, live(msg.Ranges, now))
	case AITU:
		m.hearPreallocation(now, k, live(msg.Ranges, now))
	case AIU:
		m.hearInUse(now, d.From, Normalize(msg.Ranges))
	case ASA:
		m.hearSpace(now, d.From, space)
	case ASRP:
		m.hearReport(now)
	case ANA:
		m.hearRequest(now, requestKey{k, raw.Count, raw.End.Unix()}, msg.Need.End)
	}
	m.run(now) // some defences are due at once
	return nil
}

// hearClaim takes an ACLM.
func (m *MAAS) hearClaim(now time.Time, k request, ranges []TimedRange) {
	addrs := Addrs(ranges)
	m.hearSet(now, &m.claims, k, ranges, m.cfg.Timing.AnnounceWait)
	m.collide(now, ACLM, addrs)
	m.endRuns(addrs)
	m.question(now, k, addrs)
}

// hearPreallocation takes an AITU.
func (m *MAAS) hearPreallocation(now time.Time, k request, ranges []TimedRange) {
	addrs := Addrs(ranges)
	m.hearSet(now, &m.others, k, ranges, 0)
	m.learned(now)
	m.collide(now, AITU, addrs)
	m.endRuns(addrs)
	m.question(now, k, addrs)
}

// collide gives up what another server names (see [Collide]).
func (m *MAAS) collide(now time.Time, heard Type, addrs scope.Set) {
	if Collide(Claimed, heard) == GiveUp {
		claims, lost := m.claimed.touched(addrs)
		for _, c := range claims {
			if m.jobs[c.job.want.Token] == c.job { // not if another part of the job has ended it
				m.loseClaim(now, c, common(lost[c], c.addrs))
			}
		}
	}
	sets, _ := m.pool.mine.touched(addrs)
	for _, x := range sets {
		if Collide(x.stake(), heard) == Abandon {
			m.losePreallocation(now, x, scope.Set{})
		}
	}
}

// endRuns: a question about an address explains more defences of it.
func (m *MAAS) endRuns(addrs scope.Set) {
	for _, t := range [...]*intervals[*holding]{&m.held, &m.deleted} {
		for r := range addrs.Ranges() {
			for p := range t.in(r) {
				p.v.runs = nil
			}
		}
	}
}

// hearInUse takes an AIU.
func (m *MAAS) hearInUse(now time.Time, from netip.AddrPort, ranges []TimedRange) {
	alive := Addrs(live(ranges, now))
	var ours scope.SetBuilder // what is not recorded as allocated by others
	for _, t := range ranges {
		if t.End.After(now) {
			m.compareOwn(now, from, t)
			ours.AddSet(m.compareDeleted(now, from, t))
		}
		ours.AddSet(m.undisputed(t.Range))
	}
	foreign := ranges
	if set, _ := ours.Set(); !set.IsEmpty() {
		foreign = without(ranges, set)
	}
	for _, t := range foreign {
		if m.hear(now, t.Range, t.End); !t.End.After(now) {
			m.settleConflict(t.Range)
		}
	}
	m.collide(now, AIU, alive)
	if !alive.IsEmpty() {
		m.suppress(now, from, alive)
	}
}

// settleConflict notes that nobody else announces r any more.
func (m *MAAS) settleConflict(r scope.Range) {
	for p := range m.held.in(r) {
		p.v.lost = minus(p.v.lost, setOfRange(p.r))
	}
}

// undisputed returns what of r is our own and nobody else's.
func (m *MAAS) undisputed(r scope.Range) scope.Set {
	var b scope.SetBuilder
	for p := range m.held.in(r) {
		b.AddSet(minus(setOfRange(p.r), p.v.lost))
	}
	s, _ := b.Set()
	return s
}

// compareOwn looks what an AIU means for our own allocations.
func (m *MAAS) compareOwn(now time.Time, from netip.AddrPort, t TimedRange) {
	var hit []piece[*holding]
	for p := range m.held.in(t.Range) {
		hit = append(hit, p)
	}
	for _, p := range hit {
		h := p.v
		if m.isOurs(now, h, p.r, t.End, from) && !m.contested(from, p.r) {
			if !near(t.End, h.end, m.cfg.Timing.Tolerance) {
				m.correct(now, h, p.r)
			}
			continue
		}
		fresh := minus(setOfRange(p.r), h.lost)
		h.lost = union(h.lost, fresh)
		if !fresh.IsEmpty() {
			m.stats.Conflicts++
			m.emit(Lost{Token: h.token, Addrs: fresh, From: from, Until: now})
		}
	}
}

// compareDeleted looks whether an AIU defends what we have deleted: then the true
// end is said again, and the AIU not recorded. Otherwise the addresses have been
// allocated anew. It returns those of the first kind.
func (m *MAAS) compareDeleted(now time.Time, from netip.AddrPort, t TimedRange) scope.Set {
	var hit []piece[*holding]
	for p := range m.deleted.in(t.Range) {
		if t.End.After(p.v.end.Add(m.cfg.Timing.Tolerance)) {
			hit = append(hit, p)
		}
	}
	var b scope.SetBuilder
	for _, p := range hit {
		// What we claim anew is in use in any case: or it would be claimed again at once.
		if m.isOurs(now, p.v, p.r, t.End, from) && !m.claimed.overlaps(p.r) && !m.claims.holds(from, p.r) && !m.others.holds(from, p.r) {
			m.correct(now, p.v, p.r)
			b.Add(p.r)
		} else {
			m.forgetDeleted(p.r)
		}
	}
	s, _ := b.Set()
	return s
}

// correct says the true end of addresses that somebody announces with a former
// one, at most once in RESEND-WAIT (section 3.2.8).
func (m *MAAS) correct(now time.Time, h *holding, r scope.Range) {
	if m.state != running || now.Sub(h.corrected) < m.cfg.Timing.ResendWait || !m.takeToken(now) {
		return
	}
	h.corrected = now
	addrs := setOfRange(r)
	for _, b := range slices.Concat(h.seqs, h.bursts) {
		if b.addrs.Equal(addrs) {
			m.sendBurst(now, b)
			return
		}
	}
	m.sendOne(now, Message{Type: AIU, Ranges: timed(addrs, h.end)})
}
