// SPDX-License-Identifier: BSD-3-Clause

package aap

import (
	"net/netip"

	"github.com/mcastalloc/malloc/scope"
)

// Group returns the group that AAP traffic in a scope goes to by default, and
// whether the scope has one (section 2, AAP-D-15). Traffic about a small scope
// goes to its own group; that about all large ones to the group of the domain's
// Allocation Scope (section 2.1.1).
//
// For IPv4 that is the eighth address from the end of the scope, 239.255.255.248
// for the Local Scope: relative address 7 is assigned to AAP. For IPv6 none is
// assigned, so it is ff1X::fd00:b3e, with the scope's X: a transient group from
// the block for private use. A domain can agree on others.
func Group(r scope.Range) (netip.Addr, bool) {
	switch {
	case !r.IsValid() || !r.First().IsMulticast() || !r.Last().IsMulticast():
		return netip.Addr{}, false
	case r.Is4():
		a, err := scope.Scope{Range: r}.Relative(scope.OffsetAAP)
		return a, err == nil
	}
	scop := r.First().As16()[1] & 0x0f
	return netip.AddrFrom16([16]byte{0: 0xff, 1: 0x10 | scop, 12: 0xfd, 14: 0x0b, 15: 0x3e}), true
}
