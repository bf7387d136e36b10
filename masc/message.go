// SPDX-License-Identifier: BSD-3-Clause

package masc

import (
	"bytes"
	"slices"
	"time"
)

// Lengths of section 7. The minima of OPEN and UPDATE are those of IPv4; an
// IPv6 OPEN has at least 56 octets and an IPv6 attribute 84 (decision MASC-D-3).
const (
	headerLen          = 4
	minOpen            = 20
	minUpdate          = 40
	minNotification    = 6
	attributeHeaderLen = 4
	claimFixed         = 20 // of an attribute, before identifiers and prefix
)

// MaxNotificationData is how many octets of Data a NOTIFICATION has room for;
// what is longer is cut (decision MASC-D-6).
const MaxNotificationData = MaxMessage - minNotification

// Message is a message of any type, in the field that Type names; a KEEPALIVE
// has none, and the other fields mean nothing. Every message begins with the same header (RFC 2909, section 7.1):
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|          Length               |      Type     |   Reserved    |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// The zero Message is no message; decoding into a used one allocates nothing.
type Message struct {
	Type         MessageType
	Open         Open
	Update       Update
	Notification Notification
}

// Open is the first message of each side (RFC 2909, section 7.2):
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|    Version    |R| AddrFam |Rol|           Hold Time           |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|         Sender Domain Identifier    (4 or 16 octets)          |
//	|         Sender MASC Node Identifier (4 or 16 octets)          |
//	|         Parent's Domain Identifier  (4 or 16 octets)          |
//	|         Optional Parameters                                   |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
type Open struct {
	Family   AddrFamily    // sizes the identifiers; 0 is written as IPv4
	Role     Role          // of the sender towards the receiver
	HoldTime time.Duration // proposed, 0 or 3 to 65535 whole seconds
	Domain   ID            // of the sender
	Node     ID            // of the sender, the same in all its sessions
	Parent   ID            // domain of the sender's parent for this session; the zero ID for a top-level domain
	Params   []Param       // none are defined; receivers skip unknown ones
}

// Param is an optional parameter of an OPEN or an attribute: on the wire the
// length of the value, the type, the value (RFC 2909, section 7.2).
type Param struct {
	Type  uint8
	Value []byte // at most 255 octets
}

// Update carries claims (RFC 2909, section 7.3): a header and one or more
// attributes. At most 113 IPv4 or 48 IPv6 claims fit in one message.
type Update struct {
	// Claims are the attributes of types 0 to 5, in order.
	Claims []Claim

	// Extra is what else stood in the message, in order: attributes of the
	// optional types 128 to 255, and the optional parameters of claims. It is
	// written back in the same places; whoever passes a claim on leaves it out
	// (decision MASC-D-52).
	Extra []Extra
}

// Extra is a part of an UPDATE that this package does not interpret.
type Extra struct {
	// Claim is the claim the octets belong to or precede: an index into
	// Update.Claims, or its length for what follows the last one.
	Claim int
	// Type is the type of an attribute of its own, 128 to 255; 0 says that Data
	// holds the encoded parameters of the claim.
	Type uint8
	Data []byte // without an attribute's header; its length is a multiple of 4
}

// Notification reports an error (RFC 2909, section 7.5):
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|O| Error code  | Error subcode |           Data                |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+                               +
//
// It is an error too: the reason the other side gave.
type Notification struct {
	Stay   bool // the O bit: the sender keeps the connection open
	Reason Reason
	Data   []byte // what the reason is about, at most MaxNotificationData octets
}

// Error says that the peer reports n, and whether it closes the connection.
func (n Notification) Error() string {
	if n.Stay {
		return "masc: the peer reports: " + n.Reason.Error()
	}
	return "masc: the peer closes the connection: " + n.Reason.Error()
}

// Unwrap returns the reason.
func (n Notification) Unwrap() error { return n.Reason }

// Reset empties m but keeps the memory of its lists for the next Decode.
func (m *Message) Reset() {
	switch m.Type {
	case TypeOpen:
		m.Open = Open{Params: m.Open.Params[:0]}
	case TypeUpdate:
		m.Update.Reset()
	case TypeNotification:
		m.Notification = Notification{}
	}
	m.Type = 0
}

// Reset empties u but keeps the memory of its lists for the next Decode.
func (u *Update) Reset() { u.Claims, u.Extra = u.Claims[:0], u.Extra[:0] }

// UnmarshalBinary decodes one message as Decode does, but keeps nothing of b.
func (m *Message) UnmarshalBinary(b []byte) error { return m.Decode(bytes.Clone(b)) }

// MarshalBinary returns the message as octets; see AppendBinary.
func (m *Message) MarshalBinary() ([]byte, error) { return m.AppendBinary(nil) }

// UnmarshalBinary decodes an OPEN as Decode does, but keeps nothing of b.
func (o *Open) UnmarshalBinary(b []byte) error { return o.Decode(bytes.Clone(b)) }

// MarshalBinary returns the OPEN as octets; see AppendBinary.
func (o *Open) MarshalBinary() ([]byte, error) { return o.AppendBinary(nil) }

// UnmarshalBinary decodes an UPDATE as Decode does, but keeps nothing of b.
func (u *Update) UnmarshalBinary(b []byte) error { return u.Decode(bytes.Clone(b)) }

// MarshalBinary returns the UPDATE as octets; see AppendBinary.
func (u *Update) MarshalBinary() ([]byte, error) { return u.AppendBinary(nil) }

// UnmarshalBinary decodes a NOTIFICATION as Decode does, but keeps nothing of b.
func (n *Notification) UnmarshalBinary(b []byte) error { return n.Decode(bytes.Clone(b)) }

// MarshalBinary returns the NOTIFICATION as octets; see AppendBinary.
func (n *Notification) MarshalBinary() ([]byte, error) { return n.AppendBinary(nil) }

// Clone returns a copy of u that shares nothing with it.
func (u *Update) Clone() Update {
	c := Update{Claims: slices.Clone(u.Claims), Extra: slices.Clone(u.Extra)}
	for i := range c.Extra {
		c.Extra[i].Data = bytes.Clone(c.Extra[i].Data)
	}
	return c
}
