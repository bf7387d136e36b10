// SPDX-License-Identifier: BSD-3-Clause

package masc

import (
	"errors"
	"strconv"
)

// Reason is the code and subcode of a NOTIFICATION (RFC 2909, section 7.5):
// code*256 + subcode. It is also the sentinel an *Error wraps, so that
// errors.Is(err, masc.NonContiguousMask) works.
type Reason uint16

// The reasons. Those of code 1 are about the header (section 8.1), of 2 about
// an OPEN (8.2), of 3 about an UPDATE (8.3).
const (
	BadMessageLength Reason = 1<<8 | 1
	BadMessageType   Reason = 1<<8 | 2

	OpenUnspecific             Reason = 2 << 8
	UnsupportedVersion         Reason = 2<<8 | 1
	BadPeerDomain              Reason = 2<<8 | 2
	BadPeerNode                Reason = 2<<8 | 3
	UnacceptableHoldTime       Reason = 2<<8 | 6
	InvalidParentConfiguration Reason = 2<<8 | 7
	InconsistentRole           Reason = 2<<8 | 8
	BadParentDomain            Reason = 2<<8 | 9
	NoCommonParent             Reason = 2<<8 | 10
	OpenAddressFamily          Reason = 2<<8 | 13

	MalformedAttributeList        Reason = 3<<8 | 1
	UnrecognizedRequiredAttribute Reason = 3<<8 | 2
	AttributeLengthError          Reason = 3<<8 | 5
	InvalidAddress                Reason = 3<<8 | 10
	InvalidMask                   Reason = 3<<8 | 11
	NonContiguousMask             Reason = 3<<8 | 12
	UpdateAddressFamily           Reason = 3<<8 | 13
	ClaimTypeError                Reason = 3<<8 | 14
	OriginDomainError             Reason = 3<<8 | 15
	OriginNodeError               Reason = 3<<8 | 16
	LifetimeTooShort              Reason = 3<<8 | 17
	LifetimeTooLong               Reason = 3<<8 | 18
	TimestampTooOld               Reason = 3<<8 | 19
	TimestampTooNew               Reason = 3<<8 | 20
	PrefixTooSmall                Reason = 3<<8 | 21
	PrefixTooLarge                Reason = 3<<8 | 22
	IllegalOriginRole             Reason = 3<<8 | 23
	NoParentPrefix                Reason = 3<<8 | 24
	NoChildPrefix                 Reason = 3<<8 | 25
	NoInternalPrefix              Reason = 3<<8 | 26
	NoSiblingPrefix               Reason = 3<<8 | 27
	HoldtimeTooShort              Reason = 3<<8 | 28
	HoldtimeTooLong               Reason = 3<<8 | 29

	HoldTimerExpired  Reason = 4 << 8
	FSMError          Reason = 5 << 8
	OpenCloseFSMError Reason = 5<<8 | 1
	BadNotification   Reason = 6 << 8
	Cease             Reason = 7 << 8
)

// reasons lists the defined ones: whether the connection may stay open (CC in
// section 7.5, otherwise MC) and the document's name.
var reasons = map[Reason]struct {
	canStay bool
	name    string
}{
	1 << 8:           {false, "Message Header Error"},
	BadMessageLength: {false, "Bad Message Length"},
	BadMessageType:   {true, "Bad Message Type"},

	OpenUnspecific:             {false, "OPEN Message Error"},
	UnsupportedVersion:         {false, "Unsupported Version Number"},
	BadPeerDomain:              {false, "Bad Peer Domain ID"},
	BadPeerNode:                {false, "Bad Peer MASC Node ID"},
	UnacceptableHoldTime:       {false, "Unacceptable Hold Time"},
	InvalidParentConfiguration: {false, "Invalid Parent Configuration"},
	InconsistentRole:           {false, "Inconsistent Role"},
	BadParentDomain:            {false, "Bad Parent Domain ID"},
	NoCommonParent:             {false, "No Common Parent"},
	OpenAddressFamily:          {false, "Unrecognized Address Family"},

	3 << 8:                        {false, "UPDATE Message Error"},
	MalformedAttributeList:        {false, "Malformed Attribute List"},
	UnrecognizedRequiredAttribute: {true, "Unrecognized Required Attribute"},
	AttributeLengthError:          {false, "Attribute Length Error"},
	InvalidAddress:                {true, "Invalid Address field"},
	InvalidMask:                   {true, "Invalid Mask field"},
	NonContiguousMask:             {true, "Non-Contiguous Mask"},
	UpdateAddressFamily:           {false, "Unrecognized Address Family"},
	ClaimTypeError:                {true, "Claim Type Error"},
	OriginDomainError:             {true, "Origin Domain ID Error"},
	OriginNodeError:               {true, "Origin Node ID Error"},
	LifetimeTooShort:              {true, "Claim Lifetime Too Short"},
	LifetimeTooLong:               {true, "Claim Lifetime Too Long"},
	TimestampTooOld:               {true, "Claim Timestamp Too Old"},
	TimestampTooNew:               {true, "Claim Timestamp Too New"},
	PrefixTooSmall:                {true, "Claim Prefix Size Too Small"},
	PrefixTooLarge:                {true, "Claim Prefix Size Too Large"},
	IllegalOriginRole:             {true, "Illegal Origin Role Error"},
	NoParentPrefix:                {true, "No Appropriate Parent Prefix"},
	NoChildPrefix:                 {true, "No Appropriate Child Prefix"},
	NoInternalPrefix:              {true, "No Appropriate Internal Prefix"},
	NoSiblingPrefix:               {true, "No Appropriate Sibling Prefix"},
	HoldtimeTooShort:              {true, "Claim Holdtime Too Short"},
	HoldtimeTooLong:               {true, "Claim Holdtime Too Long"},

	HoldTimerExpired:  {false, "Hold Timer Expired"},
	FSMError:          {false, "Finite State Machine Error"},
	OpenCloseFSMError: {false, "Open/Close MASC Connection FSM Error"},
	5<<8 | 2:          {false, "Unexpected Message Type FSM Error"}, // defined, never sent (decision MASC-D-42)
	BadNotification:   {false, "NOTIFICATION Message Error"},
	Cease:             {false, "Cease"},
}

// Code returns the error code, 1 to 7 for the defined reasons.
func (r Reason) Code() uint8 { return uint8(r >> 8) }

// Subcode returns the error subcode; 0 means Unspecific.
func (r Reason) Subcode() uint8 { return uint8(r) }

// IsKnown reports whether the document defines r.
func (r Reason) IsKnown() bool { _, ok := reasons[r]; return ok }

// CanStay reports whether the connection may be kept after r. Every other
// reason, unknown ones included, must close it.
func (r Reason) CanStay() bool { return reasons[r].canStay }

// Error returns the name of r with its numbers, such as "Non-Contiguous Mask
// (3/12)".
func (r Reason) Error() string {
	name := "unknown reason"
	if d, ok := reasons[r]; ok {
		name = d.name
	}
	return name + " (" + strconv.Itoa(int(r.Code())) + "/" + strconv.Itoa(int(r.Subcode())) + ")"
}

// What AppendBinary refuses, and a configuration that cannot be used. An *Error
// that wraps one of the first two has no NOTIFICATION.
var (
	ErrValue   = errors.New("value cannot be encoded")
	ErrTooLong = errors.New("message is longer than 4096 octets")
	ErrConfig  = errors.New("masc: bad configuration")
)

// Error says what is wrong with a message and carries the NOTIFICATION with
// which the protocol wants it answered.
type Error struct {
	Message MessageType // of the message at fault, 0 if that cannot be told
	Err     error       // a Reason, ErrValue or ErrTooLong
	Offset  int         // octets from the start of the message to the fault, -1 if it has no place
	Detail  string      // what was found and what was expected, may be empty
	Data    []byte      // of the NOTIFICATION; after a Decode it aliases the input

	// silent keeps an error in a NOTIFICATION that already closed the
	// connection from being answered (section 8.6).
	silent bool
}

// Error names message, reason and place.
func (e *Error) Error() string {
	b := append(make([]byte, 0, 96), "masc: "...)
	if e.Message != 0 {
		b = append(append(b, e.Message.String()...), ": "...)
	}
	b = append(b, e.Err.Error()...)
	if e.Detail != "" {
		b = append(append(b, ": "...), e.Detail...)
	}
	if e.Offset >= 0 {
		b = append(strconv.AppendInt(append(b, " (at octet "...), int64(e.Offset), 10), ')')
	}
	return string(b)
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// Notification returns what to send in answer to e: with the O bit set where
// the connection may stay open, the choice for the Established state (decision
// MASC-D-7). It reports false where nothing is to be sent: for errors of
// encoding, and for an error in a NOTIFICATION whose sender has closed the
// connection (section 8.6).
func (e *Error) Notification() (Notification, bool) {
	r, ok := e.Err.(Reason)
	if !ok || e.silent {
		return Notification{}, false
	}
	return Notification{Stay: r.CanStay(), Reason: r, Data: e.Data[:min(len(e.Data), MaxNotificationData)]}, true
}
