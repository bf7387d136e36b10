// SPDX-License-Identifier: BSD-3-Clause

package masc

// Effect is something a machine wants its driver to do. A driver carries
// effects out in the order they come; what they point to is valid until the
// next call of the machine.
//
// A Session yields *Dial, *Write, *Close, *Up, *Down, *Received and *Alert; a
// Node *Persist, *Advertise, *Allotted and *Alert; a Speaker *Dial, *Write,
// *Close, *Up, *Down, *Persist, *Allotted and *Alert.
type Effect interface{ effect() }

// ConnID names a transport connection between a Speaker and its driver. It is
// not used again.
type ConnID uint32

// Dial asks for a transport connection to the peer. The driver answers with
// Connected or ConnectFailed.
type Dial struct {
	Conn ConnID
	Peer PeerID
}

// Write asks for octets to be sent: one message.
type Write struct {
	Conn   ConnID
	Packet []byte
}

// Close asks for the transport connection to be closed, after everything
// written before has been sent. An attempt that is still under way is given up.
// The driver reports nothing more about the connection.
type Close struct{ Conn ConnID }

// Up says that a session is Established.
type Up struct {
	Peer PeerID
	Open Open // what the peer said of itself
}

// Down says that a session is no longer Established.
type Down struct {
	Peer PeerID
	Err  error // what ended it, nil for Stop
}

// Received is an UPDATE that came in on an Established session. Claims that are
// not acceptable are reported with Session.Reject.
type Received struct{ Update *Update }

// Persist asks for the Snapshot of the node to be stored, before anything that
// follows is done.
type Persist struct{}

// Advertise asks for one claim to be sent to peers, as an UPDATE of its own or
// with others.
type Advertise struct {
	Peers []PeerID
	Claim Claim
}

// Allotted says that what the domain may use has changed: see Node.Allotments.
type Allotted struct{}

// Alert is for a log and for whoever runs the node: something that the protocol
// leaves to people.
type Alert struct {
	Peer PeerID // the session it came over, NoPeer if none
	Err  error
}

func (*Dial) effect()      {}
func (*Write) effect()     {}
func (*Close) effect()     {}
func (*Up) effect()        {}
func (*Down) effect()      {}
func (*Received) effect()  {}
func (*Persist) effect()   {}
func (*Advertise) effect() {}
func (*Allotted) effect()  {}
func (*Alert) effect()     {}
