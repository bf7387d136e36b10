// SPDX-License-Identifier: BSD-3-Clause

package mzap

import (
	"net/netip"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/mcastalloc/malloc/scope"
)

// AppendBinary appends the encoded message to dst. It never touches
// dst[:len(dst)], and when dst has room for [Message.Size] more octets it
// allocates nothing. It refuses, with an [*Error] and dst unchanged, whatever
// [Message.Decode] would not read back as m.
func (m *Message) AppendBinary(dst []byte) ([]byte, error) {
	if err := m.check(); err != nil {
		return dst, err
	}
	is4, start := m.Is4(), len(dst)
	family, flags := byte(familyIPv6), byte(m.Type)
	if is4 {
		family = familyIPv4
	}
	if m.Divisible {
		flags |= 0x80
	}
	dst = append(dst, 0, flags, family, byte(len(m.Names)))
	dst = appendAddr(dst, m.Origin, is4)
	dst = appendAddr(dst, m.ZoneID, is4)
	dst = appendAddr(dst, m.Range.First(), is4)
	dst = appendAddr(dst, m.Range.Last(), is4)
	for i := range m.Names {
		dst = m.Names[i].append(dst)
	}
	for (len(dst)-start)%4 != 0 {
		dst = append(dst, 0)
	}
	switch m.Type {
	case ZAM, ZLE:
		dst = appendHold(append(dst, byte(len(m.Path)), m.Limit), m.HoldTime)
		dst = appendAddr(dst, m.LocalZone, is4)
		for _, h := range m.Path {
			dst = h.append(dst, is4)
		}
	case ZCM:
		dst = appendHold(append(dst, byte(len(m.Routers)), 0), m.HoldTime)
		for _, a := range m.Routers {
			dst = appendAddr(dst, a, is4)
		}
	case NIM:
		dst = appendAddr(dst, m.NotInside, is4)
	}
	return dst, nil
}

// MarshalBinary returns the encoded message in a slice of its own.
func (m *Message) MarshalBinary() ([]byte, error) {
	return m.AppendBinary(make([]byte, 0, m.Size()))
}

func (n *Name) append(dst []byte) []byte {
	var flags byte
	if n.Default {
		flags = 0x80
	}
	dst = append(append(dst, flags, byte(len(n.Tag))), n.Tag...)
	return append(append(dst, byte(len(n.Text))), n.Text...)
}

func (h Hop) append(dst []byte, is4 bool) []byte {
	return appendAddr(appendAddr(dst, h.Router, is4), h.LocalZone, is4)
}

func appendHold(dst []byte, hold time.Duration) []byte {
	s := uint16(hold / time.Second)
	return append(dst, byte(s>>8), byte(s))
}

// check reports what keeps m from being written.
func (m *Message) check() error {
	if m.Type > NIM {
		return m.refuse("PTYPE", ErrType, strconv.Itoa(int(m.Type)))
	}
	if err := m.checkRange(m.Range); err != nil {
		return err
	}
	if err := m.checkRouter("Message Origin", m.Origin); err != nil {
		return err
	}
	if err := m.checkRouter("Zone ID Address", m.ZoneID); err != nil {
		return err
	}
	if len(m.Names) > 255 {
		return m.refuse("Name Count", ErrField, tooMany(len(m.Names)))
	}
	for i := range m.Names {
		if err := m.checkName(&m.Names[i]); err != nil {
			return err
		}
	}
	return m.checkBody()
}

// checkBody checks the fields below the header.
func (m *Message) checkBody() error {
	announcement := m.Type == ZAM || m.Type == ZLE
	switch {
	case !announcement && (m.Limit != 0 || m.LocalZone.IsValid() || len(m.Path) != 0):
		return m.refuse("Zone Path", ErrField, "only a ZAM or ZLE has one")
	case m.Type != ZCM && len(m.Routers) != 0:
		return m.refuse("ZBR Address", ErrField, "only a ZCM has any")
	case m.Type != NIM && m.NotInside.IsValid():
		return m.refuse("Not-Inside Zone Start Address", ErrField, "only a NIM has one")
	case m.Type == NIM && m.HoldTime != 0:
		return m.refuse("Hold Time", ErrField, "a NIM has none")
	case m.HoldTime < 0 || m.HoldTime > maxHold || m.HoldTime%time.Second != 0:
		return m.refuse("Hold Time", ErrField, m.HoldTime.String()+", want whole seconds up to 65535")
	case len(m.Path) > 255:
		return m.refuse("Zones Traveled", ErrField, tooMany(len(m.Path)))
	case len(m.Routers) > 255:
		return m.refuse("ZNUM", ErrField, tooMany(len(m.Routers)))
	}
	if m.Type == NIM {
		if m.NotInside.Is4() != m.Is4() {
			return m.refuse("Not-Inside Zone Start Address", ErrFamily, m.NotInside.String())
		}
		if !isGroup(m.NotInside) || m.NotInside == m.Range.First() {
			return m.refuse("Not-Inside Zone Start Address", ErrNotInside, m.NotInside.String())
		}
	}
	if err := m.checkZone(m.LocalZone); err != nil {
		return err
	}
	for _, h := range m.Path {
		if err := m.checkRouter("Router Address", h.Router); err != nil {
			return err
		}
		if err := m.checkZone(h.LocalZone); err != nil {
			return err
		}
	}
	for _, a := range m.Routers {
		if err := m.checkRouter("ZBR Address", a); err != nil {
			return err
		}
	}
	return nil
}

// maxHold is the longest hold time the wire can say.
const maxHold = 65535 * time.Second

func (m *Message) refuse(field string, err error, detail string) error {
	return &Error{m.Type, field, -1, err, detail}
}

func tooMany(n int) string { return strconv.Itoa(n) + ", want at most 255" }

func (m *Message) checkRange(r scope.Range) error {
	if !r.IsValid() || !isGroup(r.First()) || !isGroup(r.Last()) {
		return m.refuse("Zone Start Address", ErrRange, r.String())
	}
	return nil
}

func (m *Message) checkRouter(field string, a netip.Addr) error {
	switch {
	case !UsableUnicast(a):
		return m.refuse(field, ErrAddress, a.String())
	case a.Is4() != m.Is4():
		return m.refuse(field, ErrFamily, a.String())
	}
	return nil
}

func (m *Message) checkZone(a netip.Addr) error {
	if !a.IsValid() {
		return nil
	}
	return m.checkRouter("Local Zone ID Address", a)
}

func (m *Message) checkName(n *Name) error {
	switch {
	case len(n.Tag) > 255:
		return m.refuse("Language Tag", ErrField, tooMany(len(n.Tag)))
	case !validTag(n.Tag):
		return m.refuse("Language Tag", ErrTag, strconv.Quote(string(n.Tag)))
	case len(n.Text) == 0:
		return m.refuse("Zone Name", ErrEmptyName, "")
	case len(n.Text) > 255:
		return m.refuse("Zone Name", ErrField, tooMany(len(n.Text)))
	case !utf8.Valid(n.Text):
		return m.refuse("Zone Name", ErrNotUTF8, strconv.Quote(string(n.Text)))
	}
	return nil
}
