// SPDX-License-Identifier: BSD-3-Clause

package lease

import "sync/atomic"

// Counters say what a pool has done since it was made. They only grow.
type Counters struct {
	Requests uint64            // calls of Allocate, Resume and Offer
	Grants   uint64            // leases granted; a repeated request counts once
	Renewals uint64            // changes of start or end that succeeded
	Releases uint64            // leases given back
	Refusals map[string]uint64 // of all these calls, those that failed, by Reason
	Retries  uint64            // times that a call began anew, for what others have done to the store
	Clashes  uint64            // leases whose addresses turned out to be in use elsewhere, see Pool.Exclude
	Expiries uint64            // leases that ended unreleased; counted after their rest, and not if they are taken again in it
}

// Counters returns the counters as they are. It takes no lock, so they are of
// slightly different times on a busy pool.
func (p *Pool) Counters() Counters {
	c := &p.counted
	sum := Counters{
		Requests: c.requests.Load(), Grants: c.grants.Load(), Renewals: c.renewals.Load(), Releases: c.releases.Load(),
		Retries: c.retries.Load(), Clashes: c.clashes.Load(), Expiries: p.t.expired.Load(),
		Refusals: map[string]uint64{},
	}
	for i := range c.refusals {
		if n := c.refusals[i].Load(); n > 0 {
			sum.Refusals[wordOf(i)] = n
		}
	}
	return sum
}

// counters is what Counters is made of.
type counters struct {
	requests, grants, renewals, releases, retries, clashes atomic.Uint64

	refusals [len(reasons) + 1]atomic.Uint64 // by reasonOf
}

// outcome counts how a call has ended, which it may have tried several times:
// as one more of what succeeded, unless that is nil, or as a refusal.
func (c *counters) outcome(succeeded *atomic.Uint64, tries int, err error) {
	if tries > 1 {
		c.retries.Add(uint64(tries - 1))
	}
	switch {
	case err != nil:
		c.refusals[reasonOf(err)].Add(1)
	case succeeded != nil:
		succeeded.Add(1)
	}
}
