// SPDX-License-Identifier: BSD-3-Clause

package madcap

import (
	"slices"
	"time"
)

// rule is a column of Table 5 of RFC 2730: the sets of options a message must
// have and may have besides. Everything else known it must not have.
type rule struct {
	required, allowed uint32
}

func set(codes ...OptionCode) uint32 {
	var s uint32
	for _, c := range codes {
		s |= 1 << c
	}
	return s
}

// What every message of a direction has or may have, and the options in which
// clients and servers express when, how long and how many.
var (
	terms   = set(OptLeaseTime, OptStartTime, OptCurrentTime, OptFeatureList, OptMinLeaseTime, OptMaxStartTime)
	choice  = set(OptNumberOfAddresses, OptAddressRanges)
	granted = set(OptServerIdentifier, OptLeaseIdentifier, OptLeaseTime, OptMulticastScope)
	told    = set(OptStartTime, OptCurrentTime, OptFeatureList)
)

// table5 says which option may stand in which message.
var table5 = [...]rule{
	TypeGetInfo:  {set(OptLeaseIdentifier, OptOptionRequestList), set(OptRequestedLanguage, OptFeatureList)},
	TypeDiscover: {set(OptLeaseIdentifier, OptMulticastScope), terms | choice},
	TypeOffer:    {granted, told | set(OptAddressRanges)},
	TypeRequest:  {set(OptLeaseIdentifier, OptMulticastScope), terms | choice | set(OptServerIdentifier)},
	TypeRenew:    {set(OptLeaseIdentifier), terms},
	TypeRelease:  {set(OptLeaseIdentifier), set(OptFeatureList)},
	TypeNak:      {set(OptServerIdentifier, OptLeaseIdentifier, OptError), set(OptFeatureList)},
}

// ackTo says the same of an ACK, by the type of the message it answers.
var ackTo = [...]rule{
	TypeGetInfo: {set(OptServerIdentifier, OptLeaseIdentifier), set(OptScopeList, OptCurrentTime, OptFeatureList, OptNestingState)},
	TypeRequest: {granted | set(OptAddressRanges), told | set(OptRetryTime)},
	TypeRenew:   {granted | set(OptAddressRanges), told | set(OptRetryTime)},
	TypeRelease: {set(OptServerIdentifier, OptLeaseIdentifier), set(OptFeatureList)},
}

// Validate checks what one message alone can violate beyond the layout of its
// options: Table 5 of RFC 2730 (which option may, must, must not stand in which
// message) and the rules across options. Decode has checked the rest.
//
// answers is the type of the message an ACK answers, which decides what it may
// hold; for other messages it is ignored. multicast says whether the message
// came, or will be sent, by multicast: a multicast REQUEST must name a server.
//
// The error is an *Error about the first violation in this order: a missing
// Lease Identifier, without which nobody can answer; an unknown type; options
// not allowed, by ascending code; missing options, by ascending code; options
// that contradict each other. Its Answer is the NAK to send.
func (m *Message) Validate(answers MessageType, multicast bool) error {
	if len(m.LeaseIdentifier) == 0 {
		return m.invalid(OptLeaseIdentifier, ErrMissing, "")
	}
	r, ok := m.column(answers)
	if !ok {
		return m.invalid(NoOption, ErrType, "")
	}
	if m.Type == TypeRequest && multicast {
		r.required |= set(OptServerIdentifier)
	}
	has := m.present()
	if not := has &^ (r.required | r.allowed); not != 0 {
		return m.invalid(lowest(not), ErrForbidden, "")
	}
	if missing := r.required &^ has; missing != 0 {
		return m.invalid(lowest(missing), ErrMissing, "")
	}
	if m.CurrentTime.IsZero() && has&set(OptStartTime, OptRetryTime, OptMaxStartTime) != 0 {
		return m.invalid(OptCurrentTime, ErrMissing, "a message with an absolute time has it too")
	}
	if m.Type.FromClient() {
		return m.validateRequest()
	}
	return m.validateAnswer()
}

// column returns the column of Table 5 for m.
func (m *Message) column(answers MessageType) (rule, bool) {
	table, t := table5[:], m.Type
	if t == TypeAck {
		table, t = ackTo[:], answers
	}
	if int(t) >= len(table) || table[t].required == 0 {
		return rule{}, false
	}
	return table[t], true
}

func (m *Message) invalid(at OptionCode, err error, detail string) error {
	return &Error{
		Type: m.Type, Option: at, Offset: -1, Err: err, Detail: detail,
		anonymous: len(m.LeaseIdentifier) == 0,
	}
}

// validateRequest checks the options of a client's message against each other.
func (m *Message) validateRequest() error {
	features := &m.Features.Value
	switch {
	case m.LeaseTime == Some(time.Duration(0)):
		return m.invalid(OptLeaseTime, ErrCompanion, "a lease of 0 seconds")
	case slices.Contains(features.Requested, RetryAfter), slices.Contains(features.Required, RetryAfter):
		return m.invalid(OptFeatureList, ErrCompanion, "a client may only support RetryAfter")
	case m.LeaseTime.Present && m.MinLeaseTime.Present && m.MinLeaseTime.Value > m.LeaseTime.Value:
		return m.invalid(OptMinLeaseTime, ErrCompanion, "it exceeds the lease time")
	case !m.StartTime.IsZero() && !m.MaxStartTime.IsZero() && m.MaxStartTime.Before(m.StartTime):
		return m.invalid(OptMaxStartTime, ErrCompanion, "it is before the start time")
	}
	return nil
}

// validateAnswer checks the options of a server's message against each other.
// An ACK that puts a request off has no addresses, a Retry Time, and Retry
// After among the features applied (RFC 2730, section 2.13.2).
func (m *Message) validateAnswer() error {
	empty := m.noAddresses()
	deferred := !m.RetryTime.IsZero()
	switch {
	case len(m.Features.Value.Requested) > 0:
		return m.invalid(OptFeatureList, ErrCompanion, "a server requests no features")
	case deferred && !empty:
		return m.invalid(OptAddressRanges, ErrCompanion, "a deferred lease has no addresses yet")
	case deferred && !slices.Contains(m.Features.Value.Required, RetryAfter):
		return m.invalid(OptFeatureList, ErrCompanion, "a deferred lease needs RetryAfter")
	case empty && !deferred:
		return m.invalid(OptRetryTime, ErrMissing, "a lease without addresses must be deferred")
	case m.LeaseTime == Some(time.Duration(0)) && !deferred:
		return m.invalid(OptLeaseTime, ErrCompanion, "a lease of 0 seconds")
	}
	return nil
}

// noAddresses reports whether m has an empty list of address ranges, of a
// family this package knows or any other.
func (m *Message) noAddresses() bool {
	if m.Ranges.Present {
		return len(m.Ranges.Value) == 0
	}
	return slices.ContainsFunc(m.Unknown, func(o RawOption) bool {
		return o.Code == OptAddressRanges && len(o.Value) == 0
	})
}

// Deferred reports whether m is an ACK that puts the lease off until RetryTime
// (RFC 2730, section 2.13.2).
func (m *Message) Deferred() bool { return m.Type == TypeAck && !m.RetryTime.IsZero() }
