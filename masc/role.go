// SPDX-License-Identifier: BSD-3-Clause

package masc

// illegal stands for the dashes of Table 1.
const illegal Role = 0xFF

// updatedRoles is Table 1 of section 11.1: the row is the role as received, the
// column the local role on the session it came over.
var updatedRoles = [4][4]Role{
	//          Internal  Child    Sibling  Parent
	Internal: {Internal, Parent, Sibling, Child},
	Child:    {Child, Sibling, illegal, illegal},
	Sibling:  {Sibling, illegal, Sibling, Child},
	Parent:   {Parent, illegal, Parent, illegal},
}

// Origin is what UpdatedOriginRole knows about a claim and its way here.
type Origin struct {
	Type     ClaimType
	Received Role // the claim's role as received
	Session  Role // the local role on the session it came over
	Local    bool // its Origin Domain is the local domain
	Children bool // its Origin Domain is the peer's or another child domain of the local one
}

// UpdatedOriginRole returns the role of a claim's origin towards the local
// domain (RFC 2909, section 11.1), which replaces the role received in the
// cache and in every copy sent on. Besides Table 1 it recognises what comes back
// to the domain that sent it. The error is IllegalOriginRole.
func UpdatedOriginRole(o Origin) (Role, error) {
	role := illegal
	if o.Received <= Parent && o.Session <= Parent {
		role = updatedRoles[o.Received][o.Session]
	}
	fromBelow := o.Session == Parent && o.Received == Parent
	switch {
	case role == Sibling && o.Local && o.Type != ClaimDenied: // decision MASC-D-30
		role = Internal // own, by way of a parent or a sibling
	case fromBelow && o.Local:
		role = Internal // own, by way of a child
	case fromBelow && o.Type == ClaimDenied && o.Children:
		role = Internal // own denial, by way of a child
	}
	if role == illegal || role == Internal && !o.Local && o.Type != ClaimDenied {
		return 0, IllegalOriginRole
	}
	return role, nil
}
