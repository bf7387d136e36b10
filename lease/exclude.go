// SPDX-License-Identifier: BSD-3-Clause

package lease

import (
	"slices"
	"time"

	"github.com/mcastalloc/malloc/scope"
)

// Exclude keeps addresses from being granted until an instant, because
// somebody else uses them: another allocation server of the domain, say, as
// its announcements tell (RFC 2908 section 5). Later calls add to earlier
// ones. It returns the leases here that these addresses clash with; they stay
// as they are, as it is for their holders to judge. The error is [ErrScope] if
// the scope is not served here.
func (p *Pool) Exclude(id scope.ID, addrs scope.Set, until time.Time) (clashes []Lease, err error) {
	now, _ := p.begin()
	defer p.mu.Unlock()
	z := p.zoneOf[id]
	if z == nil {
		return nil, &Error{Op: "exclude", Param: ParamScope, Got: id.String(), Want: "a scope that is served here", Err: ErrScope}
	}
	end := instantOf(until)
	type stay struct {
		span
		start instant
	}
	var stays []stay
	var others []*record
	for r := range addrs.Ranges() {
		for _, src := range z.sources {
			src.shared(spanOf(r), func(s span) bool {
				return p.t.room(s, now, now, nil, func(sub span, until instant, _ bool) bool {
					start := now
					if until < end { // from when the last of us has gone
						for c := range p.t.cellsIn(p.t.fold(sub)) {
							for i := range c.len() {
								if o := c.at(i); o.gone > now && o.start < end {
									start = max(start, o.busy())
									if !slices.Contains(others, o) {
										others = append(others, o)
									}
								}
							}
						}
					}
					if start < end {
						stays = append(stays, stay{sub, start})
					}
					return true
				})
			})
		}
	}
	for _, o := range others {
		if o.live(now) {
			l := o.lease()
			clashes = append(clashes, l)
			p.counted.clashes.Add(1)
			p.clash(l, addrs)
		}
	}
	for _, s := range stays {
		p.t.add(&record{
			id: NewID(p.cfg.Rand), holder: p.t.holder(Principal{}), zone: z, span: s.span,
			start: s.start, end: end, gone: end, state: excluded,
		}, now, false)
	}
	return clashes, nil
}
