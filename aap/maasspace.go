// SPDX-License-Identifier: BSD-3-Clause

package aap

import (
	"net/netip"
	"slices"
	"time"

	"github.com/mcastalloc/malloc/scope"
)

// hearSpace takes an ASA (sections 3.2.10.1 and 3.2.10.2).
func (m *MAAS) hearSpace(now time.Time, from netip.AddrPort, s spaceState) {
	first := !m.heardASA
	m.heardASA = true
	if !s.NewerThan(&m.space) {
		if m.resend.armed() && !now.Before(m.space.Expires) {
			m.waitResend(now)
		}
	} else {
		m.setSpace(now, from, s)
	}
	if first {
		m.startWaiting(now)
		m.fillPool(now)
	}
}

// setSpace processes a newer ASA.
func (m *MAAS) setSpace(now time.Time, from netip.AddrPort, s spaceState) {
	tolerance := m.cfg.Timing.Tolerance
	old := m.space.Ranges
	m.space = s
	m.learned(now)
	m.watchSpace(now)
	withdrawn, gained := Invalidated(old, s.Ranges, now, tolerance), grown(old, s.Ranges, now, tolerance)
	m.setShelves(s.Ranges)
	if len(withdrawn) > 0 {
		m.stats.Withdrawals++
		m.loseSpace(now, withdrawn)
	}
	if len(gained) > 0 {
		m.requests.satisfy(now, s.Ranges, m.allocated(now), tolerance)
	}
	if len(withdrawn)+len(gained) > 0 {
		m.emit(Available{Space: live(s.Ranges, now), Withdrawn: withdrawn, From: from})
	}
	m.startWaiting(now)
	if len(gained) > 0 {
		m.fillPool(now)
	}
}

// loseSpace gives up claims and preallocations that the space no longer covers,
// and tells of allocations.
func (m *MAAS) loseSpace(now time.Time, withdrawn []TimedRange) {
	gone, heard := Addrs(withdrawn), Message{Type: ASA, Ranges: m.space.Ranges}
	resolve := func(mine Stake, addrs scope.Set, end time.Time) Resolution {
		return Resolve(mine, timed(addrs, end), &heard, now, m.cfg.Timing.Tolerance)
	}
	claims, _ := m.claimed.touched(gone)
	sets, _ := m.pool.mine.touched(gone)
	holdings, _ := m.held.touched(gone)
	for _, c := range claims {
		if m.jobs[c.job.want.Token] != c.job { // another part of the job has ended it
			continue
		}
		if r := resolve(Claimed, c.addrs, c.job.want.End); r.Outcome == GiveUp {
			m.loseClaim(now, c, r.Lost)
		}
	}
	for _, x := range sets {
		if r := resolve(x.stake(), x.addrs, x.end); r.Outcome != Untouched {
			m.losePreallocation(now, x, Addrs(r.Kept))
		}
	}
	for _, h := range holdings {
		for _, t := range m.curtailed(h) {
			m.emit(Lost{Token: h.token, Addrs: setOfRange(t.Range), Until: later(t.End, now)})
		}
	}
}

// curtailed returns the addresses of an allocation that are not available until
// its end, with the ends they are available until, the year 1970 for never.
func (m *MAAS) curtailed(h *holding) []TimedRange {
	gone := uncovered(timed(h.addrs, h.end), m.space.Ranges, m.cfg.Timing.Tolerance)
	return overlay(timed(gone, h.end), m.space.Ranges, func(end, limit time.Time) time.Time {
		switch {
		case end.IsZero():
			return end
		case limit.IsZero():
			return time.Unix(0, 0).UTC()
		}
		return limit
	})
}

// watchSpace sets the timer for when an expired ASA must be repeated.
func (m *MAAS) watchSpace(now time.Time) {
	m.disarm(&m.resend)
	switch {
	case m.state != running || m.space.Received.IsZero():
	case now.Before(m.space.Expires):
		m.resendAt = time.Time{}
		m.arm(&m.resend, m.space.Expires)
	default:
		m.waitResend(now)
	}
}

// waitResend waits for another server to repeat the ASA.
func (m *MAAS) waitResend(now time.Time) {
	m.resendAt = now.Add(m.cfg.Timing.LeadASA(m.cfg.Rand.Float64()))
	m.arm(&m.resend, m.resendAt)
}

// resendASA repeats the ASA for want of a coordinator, as long as it says that
// anything is available.
func (m *MAAS) resendASA(now time.Time) {
	if m.resendAt.IsZero() { // it has only just expired
		m.waitResend(now)
		return
	}
	if len(live(m.space.Ranges, now)) == 0 {
		return
	}
	m.post(m.space.Resend(now))
	m.waitResend(now)
}

// allocated returns what is allocated at now, by us and others.
func (m *MAAS) allocated(now time.Time) scope.Set {
	var list []TimedRange
	for p := range m.heard.all() {
		list = append(list, TimedRange{p.r, p.v})
	}
	for p := range m.held.all() {
		list = append(list, TimedRange{p.r, p.v.end})
	}
	slices.SortFunc(list, func(a, b TimedRange) int { return a.Range.Compare(b.Range) })
	var b scope.SetBuilder
	for _, t := range list {
		if t.End.After(now) {
			b.Add(t.Range)
		}
	}
	s, _ := b.Set()
	return s
}
