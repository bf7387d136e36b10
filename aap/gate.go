// SPDX-License-Identifier: BSD-3-Clause

package aap

import (
	"net/netip"
	"slices"
	"time"

	"github.com/mcastalloc/malloc/scope"
)

// gate decides which datagrams concern a machine.
type gate struct {
	scope          scope.Range
	group          netip.Addr
	self           []netip.AddrPort
	sole, fallback bool // see CoordinatorConfig.Sole and Default
	policy         Authentication
	maxSkew        time.Duration
}

// admit reads a datagram into m, times still on the sender's clock, and reports
// whether it is to be processed. Its error is that of a malformed one; anything
// else is only counted.
func (g *gate) admit(now time.Time, d Datagram, m *Message, drops *Drops, news *effects) (bool, error) {
	if slices.Contains(g.self, d.From) {
		drops.Own++
		return false, nil
	}
	if err := m.Decode(d.Payload); err != nil {
		drops.malformed(err)
		return false, err
	}
	skew := skewOf(now, m.CurrentTime)
	switch {
	case !g.policy.accepts(m.Type, d.Authenticated):
		drops.Unauthenticated++
	case d.To.IsValid() && d.To != g.group || !g.concerns(m):
		drops.Foreign++
	case g.maxSkew > 0 && skew.Abs() > g.maxSkew:
		drops.Skewed++
	default:
		if skew.Abs() > absurdSkew && !m.IsResent() { // a server repeats an ASA on the clock of a coordinator
			news.emit(Skewed{d.From, skew})
		}
		return true, nil
	}
	return false, nil
}

// concerns reports whether a message is about our scope (section 2.1.3). As no
// field says so, its addresses do; where it has none, the configuration does.
func (g *gate) concerns(m *Message) bool {
	if m.Family != FamilyOf(g.scope.First()) {
		return false
	}
	if r, ok := m.Bounds(); ok {
		return g.scope.Covers(r)
	}
	return g.sole || m.Type == ANA && g.fallback
}
