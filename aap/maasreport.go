// SPDX-License-Identifier: BSD-3-Clause

package aap

import (
	"slices"
	"time"

	"github.com/mcastalloc/malloc/scope"
)

// requestKey tells one ANA from another, repeats aside (AAP-D-44).
type requestKey struct {
	request
	count uint32
	end   int64 // on the sender's clock
}

// requests are the unmet ones, of us and others, oldest first.
type requests struct {
	list  []Request
	keys  []requestKey // of each
	known map[requestKey]struct{}
}

// add records a request, unless there are too many.
func (q *requests) add(now time.Time, k requestKey, end time.Time, limit int) bool {
	if _, ok := q.known[k]; ok || !end.After(now) {
		return true
	}
	if len(q.list) >= limit {
		q.keep(func(r Request) bool { return r.End.After(now) })
	}
	if len(q.list) >= limit {
		return false
	}
	q.list, q.keys = append(q.list, Request{k.count, end}), append(q.keys, k)
	q.known[k] = struct{}{}
	return true
}

// keep removes requests.
func (q *requests) keep(f func(Request) bool) {
	n := 0
	for i, r := range q.list {
		if f(r) {
			q.list[n], q.keys[n] = r, q.keys[i]
			n++
		} else {
			delete(q.known, q.keys[i])
		}
	}
	q.list, q.keys = q.list[:n], q.keys[:n]
}

// live returns the requests in force.
func (q *requests) live(now time.Time) []Request {
	q.keep(func(r Request) bool { return r.End.After(now) })
	return slices.Clone(q.list)
}

// satisfy removes the requests that a space which has grown can satisfy.
func (q *requests) satisfy(now time.Time, space []TimedRange, allocated scope.Set, tolerance time.Duration) {
	left := unmet(q.live(now), space, allocated, tolerance) // in order
	q.keep(func(r Request) bool {
		if len(left) > 0 && left[0] == r {
			left = left[1:]
			return true
		}
		return false
	})
}

// hearRequest takes an ANA.
func (m *MAAS) hearRequest(now time.Time, k requestKey, end time.Time) {
	if !m.requests.add(now, k, end, m.cfg.MaxRequests) {
		m.stats.Overflows++
	}
	m.learned(now)
}

// lack tells by an ANA that addresses are missing (section 3.2.9), and repeats it
// like a claim.
func (m *MAAS) lack(now time.Time, w Want) {
	if !m.cfg.Large || m.state != running || !w.End.After(now) {
		return
	}
	need := Request{w.Count, w.End}
	var seq sequence
	sent := 0
	var repeat timer
	repeat.fire = func(now time.Time) {
		m.send(now, &seq, Message{Type: ANA, Need: need})
		if sent++; sent == 1 {
			m.hearRequest(now, requestKey{request{rseq: seq.rseq}, need.Count, need.End.Unix()}, need.End)
		}
		if gap, ok := m.cfg.Timing.ClaimGap(sent); ok {
			m.arm(&repeat, now.Add(gap))
		} else {
			m.close(&seq)
		}
	}
	repeat.fire(now)
}

// waitReport waits for the ASRP of another server.
func (m *MAAS) waitReport(now time.Time) {
	m.arm(&m.reporter, now.Add(m.cfg.Timing.Report(m.cfg.Rand.Float64())))
}

// hearReport takes an ASRP: this round is done.
func (m *MAAS) hearReport(now time.Time) {
	if m.reporter.armed() {
		m.waitReport(now)
	}
}

// report sends an ASRP: how much of each range of the last ASA is in use, and what
// is lacking (section 3.2.10.3). It counts all that is allocated, which takes time
// in proportion.
func (m *MAAS) report(now time.Time) {
	m.waitReport(now)
	if announced := m.space.Announcement.Ranges; !m.cfg.NoReports && !m.space.Received.IsZero() && len(announced) <= MaxSpaceRanges {
		inUse := common(m.allocated(now), Addrs(live(m.space.Ranges, now)))
		m.sendOne(now, Message{
			Type: ASRP, Reports: reportsOn(announced, inUse),
			Requests: MergeRequests(m.requests.live(now), maxRequests(m.family(), len(announced))),
		})
	}
}
