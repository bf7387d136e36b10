// SPDX-License-Identifier: BSD-3-Clause

package aap

import (
	"encoding/binary"
	"strconv"
	"time"

	"github.com/mcastalloc/malloc/scope"
)

// AppendBinary appends the encoded message to dst. It never touches
// dst[:len(dst)], and when dst has room for [Message.Size] more octets it
// allocates nothing. It refuses, with an [*Error] and dst unchanged, whatever
// [Message.Decode] would not read back as m; times that are not whole seconds
// are such, so truncate them first (time.Time.Truncate).
func (m *Message) AppendBinary(dst []byte) ([]byte, error) {
	if err := m.check(); err != nil {
		return dst, err
	}
	dst = append(dst, version, byte(m.Type))
	dst = binary.BigEndian.AppendUint16(dst, uint16(m.Family))
	dst = binary.BigEndian.AppendUint32(dst, m.RSeq<<8|uint32(m.MSeq))
	dst = appendTime(dst, m.CurrentTime)
	switch m.Type {
	case ASA:
		dst = appendTime(dst, m.Expiration)
	case ASRP:
		dst = append(dst, byte(len(m.Reports)))
		for i := range m.Reports {
			dst = appendRange(dst, &m.Reports[i].Range)
			dst = binary.BigEndian.AppendUint32(dst, m.Reports[i].InUse)
		}
		dst = append(dst, byte(len(m.Requests)))
		for _, r := range m.Requests {
			dst = r.append(dst)
		}
	case ANA:
		dst = m.Need.append(dst)
	}
	for i := range m.Ranges {
		dst = appendRange(dst, &m.Ranges[i].Range)
		dst = appendTime(dst, m.Ranges[i].End)
	}
	return dst, nil
}

// MarshalBinary returns the encoded message in a slice of its own.
func (m *Message) MarshalBinary() ([]byte, error) {
	return m.AppendBinary(make([]byte, 0, m.Size()))
}

func (r Request) append(dst []byte) []byte {
	return appendTime(binary.BigEndian.AppendUint32(dst, r.Count), r.End)
}

func appendTime(dst []byte, t time.Time) []byte {
	return binary.BigEndian.AppendUint32(dst, uint32(t.Unix()))
}

func appendRange(dst []byte, r *scope.Range) []byte {
	if first, last := r.First(), r.Last(); first.Is4() {
		a, b := first.As4(), last.As4()
		return append(append(dst, a[:]...), b[:]...)
	} else {
		a, b := first.As16(), last.As16()
		return append(append(dst, a[:]...), b[:]...)
	}
}

// check reports what keeps m from being written.
func (m *Message) check() error {
	switch {
	case m.Type > ANA:
		return m.refuse("msgtype", ErrType, strconv.Itoa(int(m.Type)))
	case !m.Family.isKnown():
		return m.refuse("addrfamily", ErrFamily, strconv.Itoa(int(m.Family))+", want 1 or 2")
	case m.RSeq > maxRSeq:
		return m.refuse("rseq", ErrField, strconv.Itoa(int(m.RSeq))+", want 24 bits")
	case m.Type > ASA && len(m.Ranges) != 0:
		return m.refuse("range", ErrField, "only an ACLM, AIU, AITU or ASA has any")
	case m.Type < ASA && len(m.Ranges) == 0:
		return m.refuse("range", ErrEmpty, "")
	case m.Type != ASA && !m.Expiration.IsZero():
		return m.refuse("expiration-time", ErrField, "only an ASA has one")
	case m.Type != ASRP && len(m.Reports)+len(m.Requests) != 0:
		return m.refuse("report", ErrField, "only an ASRP has reports and requests")
	case len(m.Reports) > 255 || len(m.Requests) > 255:
		return m.refuse("report count", ErrField, "more than 255 reports or requests")
	case m.Type != ANA && m.Need != Request{}:
		return m.refuse("address-count", ErrField, "only an ANA has one")
	case m.Size() > MaxDatagram:
		return m.refuse("body", ErrLength, strconv.Itoa(m.Size())+" octets, want at most 65507")
	}
	if err := m.checkTime("current-time", m.CurrentTime); err != nil {
		return err
	}
	if m.Type == ASA {
		if err := m.checkTime("expiration-time", m.Expiration); err != nil {
			return err
		}
	}
	return m.checkBody()
}

// checkBody checks what the lists hold.
func (m *Message) checkBody() error {
	for i := range m.Ranges {
		if err := m.checkRange(&m.Ranges[i].Range); err != nil {
			return err
		}
		if err := m.checkTime("end-time", m.Ranges[i].End); err != nil {
			return err
		}
	}
	for i := range m.Reports {
		if err := m.checkRange(&m.Reports[i].Range); err != nil {
			return err
		}
	}
	for _, r := range m.Requests {
		if err := m.checkRequest("addrs-requested", r); err != nil {
			return err
		}
	}
	if m.Type == ANA {
		return m.checkRequest("address-count", m.Need)
	}
	return nil
}

func (m *Message) refuse(field string, err error, detail string) error {
	return &Error{m.Type, field, -1, err, detail}
}

func (m *Message) checkTime(field string, t time.Time) error {
	if _, ok := seconds(t); !ok {
		return m.refuse(field, ErrField, t.String()+", want a whole second from 1970 to 2106")
	}
	return nil
}

func (m *Message) checkRange(r *scope.Range) error {
	switch first, last := r.First(), r.Last(); {
	case FamilyOf(first) != m.Family:
		return m.refuse("range", ErrFamily, r.String()+", want "+m.Family.String())
	case !first.IsMulticast() || !last.IsMulticast():
		return m.refuse("range", ErrNotMulticast, r.String())
	}
	return nil
}

func (m *Message) checkRequest(field string, r Request) error {
	if r.Count == 0 {
		return m.refuse(field, ErrZeroCount, "")
	}
	return m.checkTime("end-time", r.End)
}
