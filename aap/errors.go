// SPDX-License-Identifier: BSD-3-Clause

package aap

import (
	"errors"
	"strconv"
)

// The causes an [Error] can have; test for them with errors.Is. The first nine
// are those [Message.Decode] finds, in the order in which it looks: the first one
// counts. AAP answers none of them. Whoever receives such a message drops it
// whole, changes nothing and counts it.
var (
	// ErrShort: fewer than the 12 octets that every message has (section 5.1).
	ErrShort = errors.New("message too short, want at least 12 octets")
	// ErrVersion: the version is not 0 (section 5.1.1).
	ErrVersion = errors.New("unknown version, want 0")
	// ErrType: the message type is none of the six (section 5.2).
	ErrType = errors.New("unknown message type, want 0 to 5")
	// ErrFamily: the address family is neither 1 (IPv4) nor 2 (IPv6), or an
	// address to be written is of another family than its message.
	ErrFamily = errors.New("wrong address family")
	// ErrLength: the message is longer or shorter than its contents (section
	// 5.4), or longer than a datagram.
	ErrLength = errors.New("length does not fit the contents")
	// ErrEmpty: an ACLM, AIU or AITU without a range.
	ErrEmpty = errors.New("no range, want at least one")
	// ErrNotMulticast: an address is not multicast.
	ErrNotMulticast = errors.New("not a multicast address")
	// ErrRangeOrder: a range ends before it starts.
	ErrRangeOrder = errors.New("range ends before it starts")
	// ErrZeroCount: a request for no addresses.
	ErrZeroCount = errors.New("request for no addresses, want at least 1")

	// ErrField: a field cannot be written: a time is not a whole second from 1970
	// to 2106, a number or list is too long, or messages of this type do not have
	// the field. Only messages to be written have this fault.
	ErrField = errors.New("field cannot be written")
)

// Error says why a message was rejected by [Message.Decode], or why it could not
// be written.
type Error struct {
	Type   Type   // the message's type; meaningless while Field is "msgtype" or an earlier one
	Field  string // the field at fault in the words of sections 5.1 and 5.4, e.g. "end-time"
	Offset int    // octets from the start of the message; -1 for a message to be written
	Err    error  // the cause, one of the errors above
	Detail string // the offending value and what was expected; may be empty
}

// Error describes the failure, with the field, its offset and its value.
func (e *Error) Error() string {
	s := "aap: " + e.Type.String() + " " + e.Field
	if e.Offset >= 0 {
		s += " at octet " + strconv.Itoa(e.Offset)
	}
	s += ": " + e.Err.Error()
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	return s
}

// Unwrap returns the cause, e.Err.
func (e *Error) Unwrap() error { return e.Err }
