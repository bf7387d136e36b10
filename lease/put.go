// SPDX-License-Identifier: BSD-3-Clause

package lease

import (
	"slices"
	"time"
)

// put makes the record that the decision is about, in the place of q.self, and
// adds it.
func (p *Pool) put(s *sight, who Principal, req *Request, q *query, as state, hold time.Duration) (*record, *op) {
	old := q.self
	var were []earlier
	if old != nil {
		were = append(were, earlier{old, *old})
	}
	r := p.record(who, req, q, as)
	if as != leased {
		r.gone = min(q.now.add(hold), r.gone)
	}
	if p.j != nil && as != offered {
		r.stored = &stored{serial: newSerial(q.rnd)}
	}
	resting := p.keepResting(old, r, q.now)
	p.t.add(r, q.now, p.choice.fresh && old == nil)
	if r.stored == nil {
		return r, nil
	}
	return r, p.note(r, p.written(s, r), resting, were...)
}

// keepResting lets those addresses of old rest on, a lease that is over, that
// r does not take again.
func (p *Pool) keepResting(old, r *record, now instant) *record {
	if old == nil || old.state != leased && old.state != released {
		return nil
	}
	var left []span
	for s := range old.spans {
		parts := []span{s}
		for taken := range r.spans {
			parts = p.t.apart(parts, taken)
		}
		left = append(left, parts...)
	}
	if len(left) == 0 {
		return nil
	}
	rest := *old
	rest.key, rest.state = "", released
	rest.setRuns(left)
	if rest.stored != nil {
		rest.stored = &stored{serial: newSerial(p.cfg.Rand)}
	}
	rest.holder = p.t.holder(old.holder.Principal)
	p.t.add(&rest, now, false)
	return &rest
}

// restore puts back a record that was taken out, if it still counts.
func (p *Pool) restore(r *record) {
	if r.slot = -1; r.gone > p.latest {
		p.t.evict(r)
		r.holder = p.t.holder(r.holder.Principal)
		p.t.add(r, p.latest, false)
	}
}

// record makes the record that the decision is about and takes q.self out.
func (p *Pool) record(who Principal, req *Request, q *query, as state) *record {
	if q.self != nil {
		if req.ID == "" && q.self.state != leased && q.self.state != released {
			req.ID = q.self.id
		}
		p.t.remove(q.self)
	}
	r := &record{
		id: req.ID, holder: p.t.holder(who), key: req.Key, zone: q.zone, state: as, shared: req.Shared,
		start: p.choice.start, end: p.choice.end, rest: q.rest,
	}
	if r.id == "" {
		r.id = NewID(q.rnd)
	}
	r.gone = r.busy()
	picks := p.choice.picks
	if len(picks) == 1 {
		r.span = picks[0].span
		return r
	}
	slices.SortFunc(picks, func(a, b pick) int { return a.first.Cmp(b.first) })
	runs := make([]span, 0, len(picks))
	for _, k := range picks {
		if n := len(runs); n > 0 && runs[n-1].last.Add(one) == k.first {
			runs[n-1].last = k.last
		} else {
			runs = append(runs, k.span)
		}
	}
	r.setRuns(slices.Clip(runs))
	return r
}

// unsettled returns what is still to be written about r.
func (r *record) unsettled() *op {
	if r.stored == nil {
		return nil
	}
	return r.stored.op
}
