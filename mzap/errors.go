// SPDX-License-Identifier: BSD-3-Clause

package mzap

import (
	"errors"
	"strconv"
)

// Error says why a message was rejected, by [Message.Decode] or before it could
// be written. MZAP answers nothing: whoever receives such a message drops it
// whole and counts it.
type Error struct {
	Type   Type   // the message's type; meaningless while Field is "PTYPE" or an earlier one
	Field  string // the field at fault in the words of RFC 2776 section 5, e.g. "Message Origin"
	Offset int    // octets from the start of the message; -1 for a message to be written
	Err    error  // the cause: ErrTruncated or another error of this package
	// Detail is the offending value, quoted or printed.
	Detail string
}

// The causes an [Error] can have; test for them with errors.Is.
var (
	// ErrTruncated: the message ends before the field does.
	ErrTruncated = errors.New("message too short")
	// ErrTrailing: octets are left over after the last field.
	ErrTrailing = errors.New("octets left over")
	// ErrVersion: the version is not 0.
	ErrVersion = errors.New("unknown version, want 0")
	// ErrType: the message type is none of the four.
	ErrType = errors.New("unknown message type, want 0 to 3")
	// ErrFamily: the address family is neither 1 (IPv4) nor 2 (IPv6), or an
	// address to be written is of another family than the range.
	ErrFamily = errors.New("wrong address family")
	// ErrAddress: a router or zone cannot have this address. It must be unicast
	// and neither unspecified, loopback, link-local nor reserved.
	ErrAddress = errors.New("not a usable unicast address")
	// ErrRange: the zone's range is not made of multicast addresses, or ends
	// before it starts.
	ErrRange = errors.New("not a range of multicast addresses")
	// ErrEmptyName: a zone name has no octets.
	ErrEmptyName = errors.New("empty zone name")
	// ErrNotUTF8: a zone name is not UTF-8.
	ErrNotUTF8 = errors.New("zone name is not UTF-8")
	// ErrTag: a language tag is not of the form of RFC 1766.
	ErrTag = errors.New("malformed language tag")
	// ErrNotInside: the second scope of a NIM is no multicast address, or it is
	// the same as the first.
	ErrNotInside = errors.New("not the start of another scope")
	// ErrField: a field cannot be written: a list or name has more than 255 items,
	// a hold time is not a whole number of seconds from 0 to 65535, or messages of
	// this type do not have the field. Only messages to be written have this fault.
	ErrField = errors.New("field cannot be written")
)

// Error describes the failure, with the field, its offset and its value.
func (e *Error) Error() string {
	s := "mzap: " + e.Type.String() + " " + e.Field
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
