// SPDX-License-Identifier: BSD-3-Clause

package masc

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"
)

// Snapshot is what a Node must remember across a restart: the prefixes the
// domain has and what it has withdrawn (RFC 2909, section 13). Claims that wait
// are left out on purpose: their node cannot know what it missed while it was
// away, so it claims anew.
type Snapshot struct {
	Claims []Claim // PREFIX_MANAGED, PREFIX_IN_USE and WITHDRAW of the local domain
	Forced []bool  // of a WITHDRAW: because of a clash, or of a parent; as long as Claims

	// Children is until when the domain knows of claims of child domains: it is
	// no leaf before, whatever it hears of after the restart.
	Children time.Time
}

// Snapshot returns what to store, in a fixed order.
func (n *Node) Snapshot() Snapshot {
	var s Snapshot
	if n.parentUntil > n.sec {
		s.Children = time.Unix(n.parentUntil, 0).UTC()
	}
	d := n.cache.own
	var kept []entry
	for i := range d.entries {
		e := d.entries[i]
		if t := e.kind; e.counts(n.sec) && !e.is(single) && (t == PrefixInUse || t == PrefixManaged || t == Withdraw) {
			kept = append(kept, e)
		}
	}
	slices.SortFunc(kept, func(a, b entry) int { return SendOrder(Internal, d.claim(&a), d.claim(&b)) })
	for i := range kept {
		s.Claims = append(s.Claims, d.claim(&kept[i]))
		s.Forced = append(s.Forced, kept[i].is(forced))
	}
	return s
}

// restore fills an empty node. Every prefix is due to be claimed again at once.
func (n *Node) restore(s Snapshot) {
	for i, c := range s.Claims {
		sp := n.spaceOf(c.Prefix)
		if sp == nil || c.Domain != n.cfg.Domain {
			continue
		}
		if sp.TopLevel {
			n.restoreOne(sp, c, ID{}, i < len(s.Forced) && s.Forced[i])
			continue
		}
		var parent ID
		if len(n.parents) > 0 {
			parent = n.parents[0]
		}
		n.restoreOne(sp, c, parent, i < len(s.Forced) && s.Forced[i])
	}
	n.changed = len(s.Claims) > 0
	n.clashed = n.changed
	if n.changed || !s.Children.IsZero() {
		n.settled = 0
	}
	if !s.Children.IsZero() {
		n.parentUntil = s.Children.Unix()
	}
}

func (n *Node) restoreOne(sp *space, c Claim, parent ID, lost bool) {
	var to targets
	switch l := levelOf(c.Role); {
	case l == using:
		to = toInternal | toChildren
	case c.Type == PrefixManaged:
		to = toInternal | toChildren
	case c.Type == PrefixInUse:
		to = toParent | toSiblings
	default:
		to = toOwnSide | toChildren
	}
	if sp.TopLevel {
		to |= toSpace
	}
	e := entryOf(&c, NoPeer, n.parentNumber(parent), to)
	if lost {
		e.state |= forced
	}
	n.cache.put(c.Domain, e)
	if c.Type == PrefixManaged && !c.Deprecated || c.Type == PrefixInUse && c.Role == Child && !c.Deprecated {
		n.due(sp, levelOf(c.Role), c.Prefix, time.Unix(1, 0))
	}
}

// MarshalBinary encodes the snapshot for a file: a version octet, the time in
// Children as 8 octets, then each claim as an attribute of an UPDATE after an
// octet of flags.
func (s Snapshot) MarshalBinary() ([]byte, error) {
	children := int64(0)
	if !s.Children.IsZero() {
		children = s.Children.Unix()
	}
	b := binary.BigEndian.AppendUint64([]byte{Version}, uint64(children))
	for i := range s.Claims {
		c := &s.Claims[i]
		u := Update{Claims: s.Claims[i : i+1]}
		if _, err := u.AppendBinary(nil); err != nil {
			return nil, err
		}
		flag := byte(0)
		if i < len(s.Forced) && s.Forced[i] {
			flag = 1
		}
		b = c.append(append(b, flag))
	}
	return b, nil
}

// UnmarshalBinary decodes what MarshalBinary wrote.
func (s *Snapshot) UnmarshalBinary(b []byte) error {
	*s = Snapshot{}
	if len(b) < 9 || b[0] != Version {
		return fmt.Errorf("%w: this is no snapshot", ErrConfig)
	}
	if at := int64(binary.BigEndian.Uint64(b[1:])); at != 0 {
		s.Children = time.Unix(at, 0).UTC()
	}
	for b = b[9:]; len(b) > 0; {
		n := 0
		if len(b) >= 1+attributeHeaderLen {
			n = int(b[1])<<8 | int(b[2])
		}
		if n < attributeHeaderLen || n > len(b)-1 {
			*s = Snapshot{}
			return fmt.Errorf("%w: the snapshot is cut", ErrConfig)
		}
		var u Update
		m := append([]byte{0, 0, byte(TypeUpdate), 0}, b[1:1+n]...)
		if err := u.decode(m); err != nil || len(u.Claims) != 1 {
			*s = Snapshot{}
			return fmt.Errorf("%w: the snapshot is damaged", ErrConfig)
		}
		s.Claims = append(s.Claims, u.Claims[0])
		s.Forced = append(s.Forced, b[0]&1 != 0)
		b = b[1+n:]
	}
	return nil
}
