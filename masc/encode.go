// SPDX-License-Identifier: BSD-3-Clause

package masc

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"time"
)

// AppendBinary appends the message to dst and leaves dst[:len(dst)] untouched.
// It refuses with an *Error what Decode could not give back. On error it
// returns dst.
func (m *Message) AppendBinary(dst []byte) ([]byte, error) {
	switch m.Type {
	case TypeOpen:
		return m.Open.AppendBinary(dst)
	case TypeUpdate:
		return m.Update.AppendBinary(dst)
	case TypeNotification:
		return m.Notification.AppendBinary(dst)
	case TypeKeepalive:
		return AppendKeepalive(dst), nil
	}
	return dst, refuse(0, ErrValue, "message type %d", m.Type)
}

// AppendKeepalive appends a KEEPALIVE, which is a header and nothing else (RFC
// 2909, section 7.4).
func AppendKeepalive(dst []byte) []byte {
	return append(dst, 0, headerLen, byte(TypeKeepalive), 0)
}

func refuse(t MessageType, err error, format string, args ...any) error {
	return &Error{Message: t, Err: err, Offset: -1, Detail: fmt.Sprintf(format, args...)}
}

// AppendBinary appends the OPEN, header included, to dst. It refuses a hold
// time that is not whole seconds or above 65535, and identifiers too large for
// the family.
func (o *Open) AppendBinary(dst []byte) ([]byte, error) {
	f := o.Family
	if f == 0 {
		f = FamilyIPv4
	}
	w := f.width()
	hold := o.HoldTime / time.Second
	switch {
	case w == 0:
		return dst, refuse(TypeOpen, ErrValue, "family %d", o.Family)
	case o.Role > Parent:
		return dst, refuse(TypeOpen, ErrValue, "role %d", o.Role)
	case o.HoldTime%time.Second != 0 || hold < 0 || hold > math.MaxUint16:
		return dst, refuse(TypeOpen, ErrValue, "hold time %v is not 0 to 65535 whole seconds", o.HoldTime)
	case !o.Domain.Fits(f) || !o.Node.Fits(f) || !o.Parent.Fits(f):
		return dst, refuse(TypeOpen, ErrValue, "identifiers %v, %v, %v of an %v OPEN", o.Domain, o.Node, o.Parent, f)
	}
	b := append(dst, 0, 0, byte(TypeOpen), 0, Version, byte(f)<<2|byte(o.Role), byte(hold>>8), byte(hold))
	b = appendNumber(b, o.Domain.n, w)
	b = appendNumber(b, o.Node.n, w)
	b = appendNumber(b, o.Parent.n, w)
	for _, p := range o.Params {
		if len(p.Value) > math.MaxUint8 {
			return dst, refuse(TypeOpen, ErrValue, "parameter of %d octets", len(p.Value))
		}
		b = append(b, byte(len(p.Value)), p.Type)
		b = append(b, p.Value...)
	}
	return finish(dst, b, TypeOpen)
}

// finish writes the length of the message that b adds to dst.
func finish(dst, b []byte, t MessageType) ([]byte, error) {
	n := len(b) - len(dst)
	if n > MaxMessage {
		return dst, refuse(t, ErrTooLong, "%d octets", n)
	}
	binary.BigEndian.PutUint16(b[len(dst):], uint16(n))
	return b, nil
}

func appendNumber(b []byte, n u128, w int) []byte {
	if w == 4 {
		return binary.BigEndian.AppendUint32(b, uint32(n.lo))
	}
	b = binary.BigEndian.AppendUint64(b, n.hi)
	return binary.BigEndian.AppendUint64(b, n.lo)
}

// size returns the octets of the attribute of a claim without parameters.
func (c *Claim) size() int { return claimFixed + 4*c.Prefix.family.width() }

// AppendBinary appends the UPDATE, header included, to dst. It refuses one
// without a claim or an attribute, claims of unknown types or families,
// identifiers too large for the family, and what does not fit in 4096 octets.
// Whether a claim makes sense it does not ask, so that tests can send any.
func (u *Update) AppendBinary(dst []byte) ([]byte, error) {
	b := append(dst, 0, 0, byte(TypeUpdate), 0)
	if len(u.Extra) == 0 && len(u.Claims) > 0 {
		if all, ok := appendPlain(b, u.Claims); ok { // as almost always
			return finish(dst, all, TypeUpdate)
		}
	}
	extra := u.Extra
	for i := range u.Claims {
		c := &u.Claims[i]
		if len(extra) > 0 {
			var err error
			if b, extra, err = appendAttributes(b, extra, i); err != nil {
				return dst, err
			}
		}
		if c.Type > Withdraw || c.Role > Parent || c.Prefix.family.width() == 0 ||
			!c.Domain.Fits(c.Prefix.family) || !c.Node.Fits(c.Prefix.family) {
			return dst, refuse(TypeUpdate, ErrValue, "claim %v", *c)
		}
		at := len(b)
		b = c.append(b)
		if len(extra) > 0 && extra[0].Claim == i && extra[0].Type == 0 {
			if len(extra[0].Data) == 0 || len(extra[0].Data)%4 != 0 || !paramsFit(extra[0].Data) || len(extra[0].Data) > MaxMessage {
				return dst, refuse(TypeUpdate, ErrValue, "parameters %x of claim %d are no list of a multiple of 4 octets", extra[0].Data, i)
			}
			b = append(b, extra[0].Data...)
			binary.BigEndian.PutUint16(b[at:], uint16(len(b)-at))
			extra = extra[1:]
		}
	}
	b, extra, err := appendAttributes(b, extra, len(u.Claims))
	if err != nil {
		return dst, err
	}
	if len(extra) > 0 {
		return dst, refuse(TypeUpdate, ErrValue, "attribute of type %d out of order", extra[0].Type)
	}
	if n := len(b) - len(dst); n < minUpdate {
		return dst, refuse(TypeUpdate, ErrValue, "an UPDATE of %d octets", n)
	}
	return finish(dst, b, TypeUpdate)
}

// appendAttributes appends the attributes that precede claim i.
func appendAttributes(b []byte, extra []Extra, i int) ([]byte, []Extra, error) {
	for len(extra) > 0 && extra[0].Claim == i && extra[0].Type != 0 {
		e := extra[0]
		n := attributeHeaderLen + len(e.Data)
		if e.Type < 128 || n%4 != 0 || n > MaxMessage {
			return b, extra, refuse(TypeUpdate, ErrValue, "attribute of type %d with %d octets", e.Type, len(e.Data))
		}
		b = append(b, byte(n>>8), byte(n), e.Type, 0)
		b = append(b, e.Data...)
		extra = extra[1:]
	}
	return b, extra, nil
}

// appendPlain appends claims without parameters if they all are IPv4 claims that
// can be encoded.
func appendPlain(b []byte, claims []Claim) ([]byte, bool) {
	at := len(b)
	b = slices.Grow(b, claim4Len*len(claims))[:at+claim4Len*len(claims)]
	rest := b[at:]
	for i := range claims {
		c := &claims[i]
		if !c.plain() || len(rest) < claim4Len {
			return b[:at], false
		}
		c.put4((*[claim4Len]byte)(rest))
		rest = rest[claim4Len:]
	}
	return b, true
}

// plain reports whether c is an IPv4 claim that can be encoded.
func (c *Claim) plain() bool {
	return c.Prefix.family == FamilyIPv4 && c.Type <= Withdraw && c.Role <= Parent &&
		c.Domain.n.hi|c.Node.n.hi|(c.Domain.n.lo|c.Node.n.lo)>>32 == 0
}

// flags returns the octet with the D bit, the family and the role.
func (c *Claim) flags() byte {
	f := byte(c.Prefix.family)<<2 | byte(c.Role)
	if c.Deprecated {
		f |= 0x80
	}
	return f
}

// put4 writes an IPv4 claim as an attribute without parameters.
func (c *Claim) put4(a *[claim4Len]byte) {
	binary.BigEndian.PutUint64(a[:], claim4Len<<48|uint64(c.Type)<<40|uint64(c.flags())<<16)
	binary.BigEndian.PutUint64(a[8:], uint64(c.Timestamp)<<32|uint64(c.Lifetime))
	binary.BigEndian.PutUint64(a[16:], uint64(c.Holdtime)<<32|c.Domain.n.lo)
	binary.BigEndian.PutUint64(a[24:], c.Node.n.lo<<32|c.Prefix.addr.lo)
	binary.BigEndian.PutUint32(a[32:], uint32(c.Prefix.mask.lo))
}

// append appends the claim, which can be encoded, as an attribute without
// parameters.
func (c *Claim) append(b []byte) []byte {
	w := c.Prefix.family.width()
	b = append(b, 0, byte(c.size()), byte(c.Type), 0, 0, c.flags(), 0, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(c.Timestamp))
	b = binary.BigEndian.AppendUint32(b, uint32(c.Lifetime))
	b = binary.BigEndian.AppendUint32(b, uint32(c.Holdtime))
	b = appendNumber(b, c.Domain.n, w)
	b = appendNumber(b, c.Node.n, w)
	b = appendNumber(b, c.Prefix.addr, w)
	return appendNumber(b, c.Prefix.mask, w)
}

// AppendBinary appends the NOTIFICATION, header included, to dst. Data beyond
// MaxNotificationData octets is left out (decision MASC-D-6). A reason that no
// receiver would accept, unknown or closing with Stay set, is refused.
func (n *Notification) AppendBinary(dst []byte) ([]byte, error) {
	if !n.Reason.IsKnown() || n.Stay && !n.Reason.CanStay() {
		return dst, refuse(TypeNotification, ErrValue, "reason %v, stay %t", n.Reason, n.Stay)
	}
	code := n.Reason.Code()
	if n.Stay {
		code |= 0x80
	}
	b := append(dst, 0, 0, byte(TypeNotification), 0, code, n.Reason.Subcode())
	b = append(b, n.Data[:min(len(n.Data), MaxNotificationData)]...)
	return finish(dst, b, TypeNotification)
}
