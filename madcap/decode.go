// SPDX-License-Identifier: BSD-3-Clause

package madcap

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"
)

// Decode reads a datagram into m, whose lists it reuses: they must not be
// shared with another message. What m holds aliases b until the next Decode. It
// is total: any b gives a message or an *Error.
//
// Two kinds of errors differ in what is left. If the framing is broken
// (ErrTruncated, ErrVersion, ErrEnd), m is empty and the datagram is to be
// ignored (RFC 2730, section 2.6). If an option is malformed or repeated
// (ErrLength, ErrValue, ErrRepeated), the error describes the first such
// option; all the others are in m, so that a server can answer: the first
// occurrence of a repeated option, and of a malformed one nothing.
//
// An option 17 that is malformed, repeated, without a Scope List of as many
// zones, or not in an ACK, is dropped without an error, as only the nesting
// information is lost (RFC 2907, section 5). Which options a message must or
// must not have is for Validate to say.
func (m *Message) Decode(b []byte) error {
	m.Reset()
	if len(b) < minLen || b[0] != Version {
		return m.unframed(b, headerLen)
	}
	m.Type = MessageType(b[1])
	m.Family = AddrFamily(binary.BigEndian.Uint16(b[2:]))
	m.XID = binary.BigEndian.Uint32(b[4:])

	var bad *Error  // the first malformed or repeated option
	var seen uint32 // known options met so far, malformed ones included
	at, end := headerLen, 0
	for ; len(b)-at >= 8; at = end { // so many octets, as End stands behind every other option
		head := binary.BigEndian.Uint64(b[at:]) // code, length and four more
		code, n := OptionCode(head>>48), uint32(head)
		end = at + 4 + int(head>>32&0xFFFF)
		if end > len(b) || code == OptEnd {
			break
		}
		m.Order = append(m.Order, code)
		if !code.isKnown() {
			m.Unknown = append(m.Unknown, RawOption{Code: code, Value: b[at+4 : end : end]})
			continue
		}
		bit := uint32(1) << (code & 31)
		before := seen & bit
		seen |= bit
		if numbers&^before&bit != 0 && end == at+8 { // a short way for these, as most options are
			switch code {
			case OptLeaseTime:
				m.LeaseTime = Some(time.Duration(n) * time.Second)
			case OptMinLeaseTime:
				m.MinLeaseTime = Some(time.Duration(n) * time.Second)
			default:
				*m.instant(code) = time.Unix(int64(n), 0).UTC()
			}
		} else if f := m.decodeOption(code, b[at+4:end:end], before == 0); f != nil {
			m.Order = m.Order[:len(m.Order)-1]
			if bad == nil && code != OptNestingState {
				bad = &Error{Type: m.Type, Option: code, Offset: at, Err: f.Err, Detail: f.Detail}
			}
		}
	}
	if len(b)-at != 4 || binary.BigEndian.Uint32(b[at:]) != 0 {
		return m.unframed(b, at)
	}
	if seen&(1<<OptNestingState) != 0 && !m.nestingFits() {
		m.dropNesting()
	}
	if bad != nil {
		bad.anonymous = len(m.LeaseIdentifier) == 0
		return bad
	}
	return nil
}

// numbers is the set of options that are one number of four octets.
const numbers = 1<<OptLeaseTime | 1<<OptStartTime | 1<<OptCurrentTime | 1<<OptRetryTime | 1<<OptMinLeaseTime | 1<<OptMaxStartTime

// instant returns the field of an option that is a point in time.
func (m *Message) instant(code OptionCode) *time.Time {
	switch code {
	case OptStartTime:
		return &m.StartTime
	case OptCurrentTime:
		return &m.CurrentTime
	case OptRetryTime:
		return &m.RetryTime
	}
	return &m.MaxStartTime
}

// unframed empties m and returns why b is to be ignored. Up to octet at its
// options are sound.
func (m *Message) unframed(b []byte, at int) *Error {
	m.Reset()
	for _, value := range rawOptions(b, at) {
		at += 4 + len(value)
	}
	e := &Error{Option: NoOption, Offset: at, Err: ErrTruncated}
	switch {
	case len(b) < minLen:
		e.Offset, e.Detail = len(b), "a message has at least 12 octets"
	case b[0] != Version:
		e.Offset, e.Err = 0, ErrVersion
	case len(b)-at < 4:
		e.Detail = "no End option"
	case b[at] == 0 && b[at+1] == 0:
		e.Err, e.Detail = ErrEnd, "End must have length 0 and nothing after it"
	default:
		e.Detail = "option is longer than the message"
	}
	return e
}

// fault is a defect of one value, before it is known where the value stands.
type fault struct {
	Err    error
	Detail string
}

func faultf(err error, format string, args ...any) *fault {
	return &fault{Err: err, Detail: fmt.Sprintf(format, args...)}
}

// decodeOption reads the value of a known option that is more than a number, or
// says what is wrong with it: that it is a number but not of four octets, or
// that it is not the first of its code.
func (m *Message) decodeOption(code OptionCode, v []byte, first bool) *fault {
	if !first {
		if code == OptNestingState {
			m.Nesting = Opt[NestingState]{} // neither of the two can be trusted
		}
		return &fault{Err: ErrRepeated}
	}
	switch code {
	case OptServerIdentifier:
		return m.ServerIdentifier.decode(v)
	case OptLeaseIdentifier:
		if len(v) == 0 {
			return faultf(ErrLength, "an identifier has at least 1 octet")
		}
		m.LeaseIdentifier = v
	case OptMulticastScope:
		return m.decodeScope(v)
	case OptOptionRequestList:
		return m.decodeRequestList(v)
	case OptNumberOfAddresses:
		return m.Addresses.decode(v)
	case OptRequestedLanguage:
		m.RequestedLanguage = Some(v)
	case OptScopeList:
		return m.decodeScopeList(v)
	case OptAddressRanges:
		return m.decodeRanges(v)
	case OptFeatureList:
		return m.decodeFeatures(v)
	case OptError:
		return m.decodeError(v)
	case OptNestingState:
		m.Nesting.Present = m.Nesting.Value.decode(v)
	default:
		return notFour(v)
	}
	return nil
}

func notFour(v []byte) *fault { return faultf(ErrLength, "%d octets instead of 4", len(v)) }

// keepOpaque keeps an address option of a family whose addresses are unknown.
func (m *Message) keepOpaque(code OptionCode, v []byte) {
	m.Unknown = append(m.Unknown, RawOption{Code: code, Value: v})
}

// nestingFits reports whether the nesting option may stay: in an ACK, beside a
// Scope List with as many zones.
func (m *Message) nestingFits() bool {
	return m.Nesting.Present && m.Type == TypeAck && m.ScopeList.Present &&
		len(m.ScopeList.Value) == m.Nesting.Value.Len()
}

// dropNesting removes the option and its place in Order.
func (m *Message) dropNesting() {
	m.Nesting = Opt[NestingState]{}
	if i := slices.Index(m.Order, OptNestingState); i >= 0 {
		m.Order = slices.Delete(m.Order, i, i+1)
	}
}
