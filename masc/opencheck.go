// SPDX-License-Identifier: BSD-3-Clause

package masc

import (
	"slices"
	"time"
)

// OpenRules is what an OPEN is held against (RFC 2909, section 8.2): the local
// side of a session, as configured.
type OpenRules struct {
	Domain  ID         // the local domain
	Node    ID         // the local node
	Parents []ID       // the local domain's parents; none for a top-level domain
	Role    Role       // the local role towards the peer
	Parent  ID         // with role SIBLING: the common parent this connection is for, as the own OPEN says
	Family  AddrFamily // of the own OPEN, sizes the Data of answers

	PeerDomain ID // the peer's domain; the zero ID leaves it open
	PeerNode   ID // the peer's node; the zero ID leaves it open

	// Orphan says that the local domain has parents but knows none of them yet,
	// so that an empty Parents does not make it a top-level domain.
	Orphan bool

	// MinHoldTime refuses shorter hold times but 0. Less than 3 s is always
	// refused.
	MinHoldTime time.Duration
}

// Check returns the reason not to accept o as an *Error with the NOTIFICATION
// to send, or nil. Data that is the OPEN itself is left to the caller, who has
// the octets: the error then has none.
func (r *OpenRules) Check(o *Open) error {
	bad := func(reason Reason, data []byte) error {
		return &Error{Message: TypeOpen, Err: reason, Offset: -1, Data: data}
	}
	w := max(r.Family.width(), 4)
	tld := len(r.Parents) == 0 && !r.Orphan
	switch {
	case o.Domain.IsZero(), !r.PeerDomain.IsZero() && o.Domain != r.PeerDomain,
		(r.Role == Internal) != (o.Domain == r.Domain): // decision MASC-D-12
		return bad(BadPeerDomain, nil)
	case o.Node.IsZero(), o.Node == r.Node, !r.PeerNode.IsZero() && o.Node != r.PeerNode: // decision MASC-D-13
		return bad(BadPeerNode, nil)
	case o.HoldTime != 0 && o.HoldTime < max(3*time.Second, r.MinHoldTime):
		return bad(UnacceptableHoldTime, nil)
	case o.Role != r.Role.Opposite():
		return bad(InconsistentRole, []byte{byte(r.Role)})
	case o.Role == Internal && tld != o.Parent.IsZero():
		return bad(InvalidParentConfiguration, r.parents(w))
	case o.Role != Sibling:
		return nil
	case o.Parent == r.Domain, o.Parent == o.Domain: // decision MASC-D-10
		return bad(BadParentDomain, appendNumber(nil, o.Parent.n, w))
	case tld != o.Parent.IsZero(), !tld && !slices.Contains(r.Parents, o.Parent):
		return bad(NoCommonParent, r.parents(w))
	case o.Parent != r.Parent: // decision MASC-D-54
		return bad(BadParentDomain, appendNumber(nil, o.Parent.n, w))
	}
	return nil
}

// parents returns the parents one after the other, the zero ID for none
// (decision MASC-D-47).
func (r *OpenRules) parents(w int) []byte {
	if len(r.Parents) == 0 {
		return make([]byte, w)
	}
	var b []byte
	for _, p := range r.Parents {
		b = appendNumber(b, p.n, w)
	}
	return b
}
