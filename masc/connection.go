// SPDX-License-Identifier: BSD-3-Clause

package masc

// Keep says which connections survive a collision.
type Keep uint8

// The outcomes of KeepConnection.
const (
	KeepBoth Keep = iota // no collision
	KeepOld              // close the new connection
	KeepNew              // close the existing connection
)

// Conn is what KeepConnection knows about a connection.
type Conn struct {
	State     State
	Initiated bool // by the local node
	Remote    ID   // the peer's Node Identifier, the zero ID while it is not known
	Parent    ID   // between siblings: the parent the connection is for
}

// KeepConnection decides between an existing connection and a new one on which
// an acceptable OPEN has just come in (RFC 2909, section 8.8). They collide if
// they lead to the same node for the same parent and the existing one is far
// enough: Established, which always stays, OpenConfirm, or OpenSent if its peer
// is known. Then the one stays that the node with the higher identifier
// initiated; if both were initiated by the same side, the existing one (decision
// MASC-D-44). The other is to be closed with a Cease.
func KeepConnection(local ID, existing, opened Conn) Keep {
	if existing.State < OpenSent || existing.Remote.IsZero() ||
		existing.Remote != opened.Remote || existing.Parent != opened.Parent {
		return KeepBoth
	}
	localWins := local.Compare(opened.Remote) > 0
	if existing.State != Established && opened.Initiated == localWins && existing.Initiated != localWins {
		return KeepNew
	}
	return KeepOld
}
