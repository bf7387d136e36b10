// SPDX-License-Identifier: BSD-3-Clause

package masc

import (
	"encoding/binary"
	"fmt"
	"time"
)

// Decode reads one whole message into m, whose lists it reuses. What m holds
// aliases b until the next Decode. It is total: any b gives a message or an
// *Error with the NOTIFICATION to send, and checks in the order of RFC 2909,
// section 8, that decision MASC-D-8 fixes.
//
// On an error m is empty, with two exceptions that leave it usable: an UPDATE
// with an unknown required attribute (UnrecognizedRequiredAttribute), whose
// other attributes are to be processed, and a NOTIFICATION with an unknown
// reason. Whether the values of a claim are acceptable is for Rules to say.
func (m *Message) Decode(b []byte) error {
	m.Reset()
	t, err := checkHeader(b)
	if err != nil {
		return err
	}
	m.Type = t
	switch t {
	case TypeOpen:
		m.Open = Open{Params: m.Open.Params[:0]}
		err = m.Open.decode(b)
	case TypeUpdate:
		m.Update.Reset()
		err = m.Update.decode(b)
	case TypeNotification:
		err = m.Notification.decode(b)
	}
	if err == nil {
		return nil
	}
	if t == TypeOpen || t == TypeUpdate && err.Err != UnrecognizedRequiredAttribute {
		m.Reset()
	}
	return err
}

// Decode reads an OPEN, header included, as Message.Decode does.
func (o *Open) Decode(b []byte) error {
	*o = Open{Params: o.Params[:0]}
	err := expect(b, TypeOpen)
	if err == nil {
		err = o.decode(b)
	}
	if err != nil {
		*o = Open{Params: o.Params[:0]}
		return err
	}
	return nil
}

// Decode reads an UPDATE, header included, as Message.Decode does.
func (u *Update) Decode(b []byte) error {
	u.Reset()
	err := expect(b, TypeUpdate)
	if err == nil {
		err = u.decode(b)
	}
	if err != nil {
		if err.Err != UnrecognizedRequiredAttribute {
			u.Reset()
		}
		return err
	}
	return nil
}

// Decode reads a NOTIFICATION, header included, as Message.Decode does.
func (n *Notification) Decode(b []byte) error {
	*n = Notification{}
	err := expect(b, TypeNotification)
	if err == nil {
		err = n.decode(b)
	}
	if err != nil {
		return err
	}
	return nil
}

// Kind returns the type of the message in b, after checking the header and the
// length of b against it. It is all there is to decode of a KEEPALIVE.
func Kind(b []byte) (MessageType, error) {
	t, err := checkHeader(b)
	if err != nil {
		return 0, err
	}
	return t, nil
}

func expect(b []byte, want MessageType) *Error {
	t, err := checkHeader(b)
	if err == nil && t != want {
		err = fail(t, BadMessageType, 2, b, "expected %v", want)
	}
	return err
}

func fail(t MessageType, r Reason, at int, data []byte, format string, args ...any) *Error {
	return &Error{Message: t, Err: r, Offset: at, Data: data[:min(len(data), MaxNotificationData)], Detail: fmt.Sprintf(format, args...)}
}

// minLength holds the least length of each message type.
var minLength = [...]int{TypeOpen: minOpen, TypeUpdate: minUpdate, TypeNotification: minNotification, TypeKeepalive: headerLen}

// checkHeader checks what section 8.1 asks of the header of the message b.
func checkHeader(b []byte) (MessageType, *Error) {
	if len(b) < headerLen {
		return 0, fail(0, BadMessageLength, 0, b, "%d octets are no header", len(b))
	}
	n, t := int(binary.BigEndian.Uint16(b)), MessageType(b[2])
	switch {
	case n < headerLen || n > MaxMessage:
		return 0, fail(0, BadMessageLength, 0, b[:headerLen], "length %d is not 4 to 4096", n)
	case n != len(b):
		return 0, fail(0, BadMessageLength, 0, b[:headerLen], "length %d of a message of %d octets", n, len(b))
	case t < TypeOpen || t > TypeKeepalive:
		return 0, fail(0, BadMessageType, 2, b, "type %d", b[2])
	case n < minLength[t] || t == TypeKeepalive && n != headerLen:
		return 0, fail(t, BadMessageLength, 0, b, "length %d", n)
	}
	return t, nil
}

func number(b []byte, w int) u128 {
	if w == 4 {
		return u128{0, uint64(binary.BigEndian.Uint32(b))}
	}
	return read128(b)
}

// decode reads an OPEN whose header has been checked. The version comes first,
// as another version may have another layout after it.
func (o *Open) decode(b []byte) *Error {
	if b[4] != Version {
		return fail(TypeOpen, UnsupportedVersion, 4, supported[:], "version %d, supported is %d", b[4], Version)
	}
	o.Family, o.Role = AddrFamily(b[5]>>2&0x1F), Role(b[5]&3)
	w := o.Family.width()
	if w == 0 {
		return fail(TypeOpen, OpenAddressFamily, 5, b[headerLen:], "%v", o.Family)
	}
	if len(b) < 8+3*w {
		return fail(TypeOpen, BadMessageLength, 0, b, "length %d of an %v OPEN", len(b), o.Family)
	}
	o.HoldTime = time.Duration(binary.BigEndian.Uint16(b[6:])) * time.Second
	o.Domain = ID{number(b[8:], w)}
	o.Node = ID{number(b[8+w:], w)}
	o.Parent = ID{number(b[8+2*w:], w)}
	for at := 8 + 3*w; at < len(b); {
		if len(b)-at < 2 || len(b)-at-2 < int(b[at]) {
			return fail(TypeOpen, OpenUnspecific, at, b[headerLen:], "a parameter is cut")
		}
		end := at + 2 + int(b[at])
		o.Params = append(o.Params, Param{Type: b[at+1], Value: b[at+2 : end : end]})
		at = end
	}
	return nil
}

// supported is the Data of an Unsupported Version: the largest version below
// the one offered, or the lowest there is (decision MASC-D-45).
var supported = [1]byte{Version}

// decode reads an UPDATE whose header has been checked: the whole list, as a
// fault that closes the connection rejects all of it (decision MASC-D-18).
func (u *Update) decode(m []byte) *Error {
	body := m[headerLen:]
	var deferred *Error
	for at := 0; at < len(body); {
		rest := body[at:]
		if len(rest) < attributeHeaderLen {
			return fail(TypeUpdate, MalformedAttributeList, headerLen+at, rest, "%d octets are no attribute", len(rest))
		}
		n, t := int(binary.BigEndian.Uint16(rest)), ClaimType(rest[2])
		if n == claim4Len && len(rest) >= claim4Len && t <= Withdraw && rest[5]>>2&0x1F == byte(FamilyIPv4) {
			u.Claims = grow(u.Claims) // as almost all are
			u.Claims[len(u.Claims)-1].decode4((*[claim4Len]byte)(rest))
			at += claim4Len
			continue
		}
		if n < attributeHeaderLen || n > len(rest) || n%4 != 0 {
			return u.lengthFault(body, at, n, t)
		}
		a := rest[:n:n]
		at += n
		if t > Withdraw {
			if t >= 128 {
				u.Extra = append(u.Extra, Extra{Claim: len(u.Claims), Type: uint8(t), Data: a[attributeHeaderLen:]})
			} else if deferred == nil {
				deferred = fail(TypeUpdate, UnrecognizedRequiredAttribute, headerLen+at-n, body, "type %d", t)
			}
			continue
		}
		if n < 8 {
			return fail(TypeUpdate, AttributeLengthError, headerLen+at-n, body, "%d octets of %v", n, t)
		}
		f := AddrFamily(a[5] >> 2 & 0x1F)
		w := f.width()
		if w == 0 {
			return fail(TypeUpdate, UpdateAddressFamily, headerLen+at-n+5, body, "%v", f)
		}
		fixed := claimFixed + 4*w
		if n < fixed {
			return fail(TypeUpdate, AttributeLengthError, headerLen+at-n, body, "%d octets of an %v %v", n, f, t)
		}
		if n > fixed {
			if !paramsFit(a[fixed:]) {
				return fail(TypeUpdate, MalformedAttributeList, headerLen+at-n+fixed, a, "a parameter is cut")
			}
			u.Extra = append(u.Extra, Extra{Claim: len(u.Claims), Data: a[fixed:]})
		}
		u.Claims = grow(u.Claims)
		u.Claims[len(u.Claims)-1].decode(a, t, f)
	}
	return deferred
}

// grow returns claims with one more, whose fields the caller sets.
func grow(claims []Claim) []Claim {
	if len(claims) < cap(claims) {
		return claims[:len(claims)+1]
	}
	return append(claims, Claim{})
}

// decode sets every field of c from an attribute of a known type and family
// that is long enough.
func (c *Claim) decode(a []byte, t ClaimType, f AddrFamily) {
	if f == FamilyIPv4 {
		c.decode4((*[claim4Len]byte)(a))
		return
	}
	_ = a[claimFixed+63]
	c.Type, c.Role, c.Deprecated = t, Role(a[5]&3), a[5]&0x80 != 0
	c.Timestamp = Timestamp(binary.BigEndian.Uint32(a[8:]))
	c.Lifetime = Seconds(binary.BigEndian.Uint32(a[12:]))
	c.Holdtime = Seconds(binary.BigEndian.Uint32(a[16:]))
	c.Prefix.family = f
	c.Domain.n = read128(a[20:])
	c.Node.n = read128(a[36:])
	c.Prefix.addr = read128(a[52:])
	c.Prefix.mask = read128(a[68:])
}

// claim4Len is the length of an IPv4 claim without parameters.
const claim4Len = claimFixed + 4*4

// decode4 is decode for an IPv4 claim.
func (c *Claim) decode4(a *[claim4Len]byte) {
	c.Type, c.Role, c.Deprecated = ClaimType(a[2]), Role(a[5]&3), a[5]&0x80 != 0
	x, y, z := binary.BigEndian.Uint64(a[8:]), binary.BigEndian.Uint64(a[16:]), binary.BigEndian.Uint64(a[24:])
	c.Timestamp, c.Lifetime, c.Holdtime = Timestamp(x>>32), Seconds(x), Seconds(y>>32)
	c.Domain.n = u128{0, y & 0xFFFFFFFF}
	c.Node.n = u128{0, z >> 32}
	c.Prefix.addr = u128{0, z & 0xFFFFFFFF}
	c.Prefix.mask = u128{0, uint64(binary.BigEndian.Uint32(a[32:]))}
	c.Prefix.family = FamilyIPv4
}

// lengthFault describes an attribute whose length cannot be (decision
// MASC-D-17).
func (u *Update) lengthFault(body []byte, at, n int, t ClaimType) *Error {
	rest := body[at:]
	if t <= Withdraw {
		return fail(TypeUpdate, AttributeLengthError, headerLen+at, body, "length %d of %v", n, t)
	}
	if n >= attributeHeaderLen && n <= len(rest) {
		rest = rest[:n]
	}
	return fail(TypeUpdate, MalformedAttributeList, headerLen+at, rest, "length %d of an attribute of type %d", n, t)
}

// paramsFit reports whether b is a list of parameters that ends with b.
func paramsFit(b []byte) bool {
	for len(b) > 0 {
		if len(b) < 2 || len(b)-2 < int(b[0]) {
			return false
		}
		b = b[2+int(b[0]):]
	}
	return true
}

// decode reads a NOTIFICATION whose header has been checked. An error in it is
// described by one that is only answered if the sender kept the connection
// (section 8.6).
func (n *Notification) decode(b []byte) *Error {
	n.Stay = b[4]&0x80 != 0
	n.Reason = Reason(b[4]&0x7F)<<8 | Reason(b[5])
	n.Data = b[minNotification:len(b):len(b)]
	switch {
	case !n.Reason.IsKnown():
		err := fail(TypeNotification, BadNotification, 4, b, "code %d, subcode %d", n.Reason.Code(), n.Reason.Subcode())
		err.silent = !n.Stay
		return err
	case n.Stay && !n.Reason.CanStay():
		return fail(TypeNotification, BadNotification, 4, b, "the connection cannot be kept after %q", n.Reason.Error())
	}
	return nil
}
