// SPDX-License-Identifier: BSD-3-Clause

package mzap

// RouterStats counts what a router did since it started.
type RouterStats struct {
	Received [4]uint64 // messages taken in, by Type
	Sent     [4]uint64 // messages sent and relayed, by Type
	// Malformed counts datagrams that are no MZAP message (section 5).
	Malformed uint64
	// Foreign counts messages of another address family than the router's or their
	// datagram's, and from interfaces the router does not know.
	Foreign uint64
	// Own counts our own datagrams that came back.
	Own uint64
	// Unannounceable counts ZAMs and ZLEs for the Local Scope and anything but
	// NIMs for the link-local scope: no router should send these (sections 5.1 and
	// 5.3).
	Unannounceable uint64
	// Unheeded counts ZCMs for scopes this router does not bound, or from outside.
	Unheeded uint64
	// Dropped counts ZAMs and NIMs by what became of them; those relayed are at
	// index Forward.
	Dropped [6]uint64
	// Findings counts signals of misconfiguration.
	Findings uint64
	// Unsendable counts messages of ours that could not be encoded.
	Unsendable uint64
	// Evicted counts what a full table had to forget too early.
	Evicted uint64
}

// Stats returns the counters.
func (r *Router) Stats() RouterStats {
	s := r.stats
	s.Evicted = r.notInside.evicted + r.zams.evicted + r.nims.evicted
	for _, z := range r.zones {
		s.Evicted += z.routers.evicted + z.mismatches.evicted + z.silent.evicted
	}
	return s
}
