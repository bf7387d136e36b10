// SPDX-License-Identifier: BSD-3-Clause

package madcap

import (
	"encoding/binary"
	"errors"
	"strconv"
)

// What can be wrong with a message. Every *Error wraps exactly one of these.
//
// The first four break the framing: RFC 2730 wants such a datagram ignored by
// clients and servers alike (section 2.6), and nothing of it can be used. The
// others are about one option of a message whose framing is sound; a server
// answers them with Invalid Request, a client ignores the message.
var (
	ErrTruncated = errors.New("message is cut short")                       // below 12 octets, a cut option, no End
	ErrVersion   = errors.New("version is not 0")                           // section 2.1.1
	ErrEnd       = errors.New("the last option is not an empty End")        // section 3.1
	ErrTooLong   = errors.New("message does not fit a datagram")            // encoding only
	ErrLength    = errors.New("length does not fit the option")             // value cut, or octets left over
	ErrValue     = errors.New("value is not allowed")                       // the layout is right, the content is not
	ErrRepeated  = errors.New("option is repeated")                         // section 2.1.5
	ErrType      = errors.New("message type is unknown or from no client")  // sections 2.2 and 1.5
	ErrForbidden = errors.New("option is not allowed in this message")      // Table 5
	ErrMissing   = errors.New("option is missing")                          // Table 5
	ErrCompanion = errors.New("option contradicts another of this message") // sections 2.12, 2.13.2, 3.13
	ErrFamily    = errors.New("address is of another family")               // encoding only
)

// Error says what is wrong with a message, and where.
type Error struct {
	Type   MessageType // of the message, 0 if it has none
	Option OptionCode  // the option at fault or missing, NoOption if none in particular
	Offset int         // octets from the start of the datagram to the option, -1 if no octets are concerned
	Err    error       // one of the sentinels above
	Detail string      // what was found and what was expected, may be empty

	anonymous bool // the message has no Lease Identifier that an answer could repeat
}

// Error names message, option and place.
func (e *Error) Error() string {
	b := make([]byte, 0, 96)
	b = append(b, "madcap: "...)
	if e.Type != 0 {
		b = append(b, e.Type.String()...)
		b = append(b, ": "...)
	}
	if e.Option != NoOption {
		b = append(b, "option "...)
		b = append(b, e.Option.String()...)
		b = append(b, ": "...)
	}
	b = append(b, e.Err.Error()...)
	if e.Detail != "" {
		b = append(b, ": "...)
		b = append(b, e.Detail...)
	}
	if e.Offset >= 0 {
		b = append(b, " (at octet "...)
		b = strconv.AppendInt(b, int64(e.Offset), 10)
		b = append(b, ')')
	}
	return string(b)
}

// Unwrap returns the sentinel.
func (e *Error) Unwrap() error { return e.Err }

// Answer returns the Error option of the NAK a server sends for e: Invalid
// Request with the option at fault, or with none in particular if the message
// is of a type that only servers send or nobody knows. It reports false where
// the protocol wants silence: for broken framing, for a NAK (a NAK is never
// answered, section 2.6), and for a message without a Lease Identifier, which a
// NAK would have to repeat.
func (e *Error) Answer() (ErrorOption, bool) {
	switch {
	case e.anonymous, e.Type == TypeNak, e.Err == ErrTruncated, e.Err == ErrVersion, e.Err == ErrEnd,
		e.Err == ErrTooLong, e.Err == ErrFamily:
		return ErrorOption{}, false
	case !e.Type.FromClient():
		return InvalidRequest(NoOption), true
	}
	return InvalidRequest(e.Option), true
}

// InvalidRequest returns error 1 with the option at fault, NoOption for none
// in particular (RFC 2730, section 3.17.2).
func InvalidRequest(at OptionCode) ErrorOption {
	return ErrorOption{Code: CodeInvalidRequest, Extra: binary.BigEndian.AppendUint16(nil, uint16(at))}
}

// NotCompleted returns error 0 with the option that could not be satisfied,
// NoOption for none in particular (RFC 2730, section 3.17.1).
func NotCompleted(at OptionCode) ErrorOption {
	return ErrorOption{Code: CodeNotCompleted, Extra: binary.BigEndian.AppendUint16(nil, uint16(at))}
}
