// SPDX-License-Identifier: BSD-3-Clause

package madcap

import (
	"bytes"
	"encoding/binary"
	"iter"
	"net/netip"
	"slices"
	"time"

	"github.com/mcastalloc/malloc/scope"
)

// Message is one MADCAP message, one datagram (RFC 2730, section 2.1):
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|   version     |    msgtype    |          addrfamily           |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|                              xid                              |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|  options: code (2), length (2), value (length) ... End (4)    |
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//
// Each option may occur once, so each has a field. An option is absent where
// its field is zero; where zero is a legal value the field is an Opt. Times
// have a resolution of one second and reach from 1970 to 2106, lengths of time
// from 0 to 2^32-1 seconds.
type Message struct {
	Type   MessageType
	Family AddrFamily // of the addresses in Scope, ScopeList and Ranges
	XID    uint32     // transaction identifier: chosen by the client, copied by the server

	LeaseTime         Opt[time.Duration] // option 1: how long, from the start of the lease
	ServerIdentifier  ServerIdentifier   // option 2
	LeaseIdentifier   LeaseIdentifier    // option 3
	Scope             netip.Addr         // option 4: the Scope ID, first address of the scope
	OptionRequestList []OptionCode       // option 5: what a GETINFO asks for
	StartTime         time.Time          // option 6: zero Time means absent
	Addresses         NumberOfAddresses  // option 7
	RequestedLanguage Opt[[]byte]        // option 8: a language tag, may be empty
	ScopeList         Opt[[]Zone]        // option 9: at most 255 zones
	Ranges            Opt[[]scope.Range] // option 10: at most 65535 addresses in each
	CurrentTime       time.Time          // option 11: the sender's clock, zero Time means absent
	Features          Opt[FeatureList]   // option 12
	RetryTime         time.Time          // option 13: zero Time means absent
	MinLeaseTime      Opt[time.Duration] // option 14
	MaxStartTime      time.Time          // option 15: zero Time means absent
	Error             Opt[ErrorOption]   // option 16
	Nesting           Opt[NestingState]  // option 17 (RFC 2907)

	// Unknown holds what has no field, in the order received: options this
	// package does not know, and options 4, 9 and 10 of a family it does not
	// know. They are written back unchanged.
	Unknown []RawOption

	// Order lists the codes of the options in the order they were received and
	// will be written. Options it does not name follow in an order of this
	// package's choosing, and names of absent options are skipped; so a message
	// built by hand can leave it empty. Those in Unknown keep their order among
	// themselves.
	Order []OptionCode
}

// headerLen is the length of the fixed header, minLen adds the End option.
const (
	headerLen = 8
	minLen    = headerLen + 4
)

// Has reports whether the message carries the option, as a field or, where its
// address family is unknown, in Unknown. Options without a field are not found.
func (m *Message) Has(c OptionCode) bool {
	return c.isKnown() && m.present()&(1<<c) != 0
}

// present returns the set of known options the message carries.
func (m *Message) present() uint32 {
	set := m.fields()
	for i := range m.Unknown {
		if c := m.Unknown[i].Code; c.isKnown() {
			set |= 1 << c
		}
	}
	return set
}

// fields returns the set of options whose field is present.
func (m *Message) fields() uint32 {
	var set uint32
	mark := func(c OptionCode, present bool) {
		if present {
			set |= 1 << c
		}
	}
	mark(OptLeaseTime, m.LeaseTime.Present)
	mark(OptServerIdentifier, !m.ServerIdentifier.IsZero())
	mark(OptLeaseIdentifier, len(m.LeaseIdentifier) > 0)
	mark(OptMulticastScope, m.Scope.IsValid())
	mark(OptOptionRequestList, len(m.OptionRequestList) > 0)
	mark(OptStartTime, !m.StartTime.IsZero())
	mark(OptNumberOfAddresses, !m.Addresses.IsZero())
	mark(OptRequestedLanguage, m.RequestedLanguage.Present)
	mark(OptScopeList, m.ScopeList.Present)
	mark(OptAddressRanges, m.Ranges.Present)
	mark(OptCurrentTime, !m.CurrentTime.IsZero())
	mark(OptFeatureList, m.Features.Present)
	mark(OptRetryTime, !m.RetryTime.IsZero())
	mark(OptMinLeaseTime, m.MinLeaseTime.Present)
	mark(OptMaxStartTime, !m.MaxStartTime.IsZero())
	mark(OptError, m.Error.Present)
	mark(OptNestingState, m.Nesting.Present)
	return set
}

// Names reports whether the message lists feature f anywhere in its Feature
// List. A server takes any such mention as a declaration of support (decision
// MADCAP-D-25).
func (m *Message) Names(f Feature) bool {
	l := &m.Features.Value
	return m.Features.Present &&
		(slices.Contains(l.Supported, f) || slices.Contains(l.Requested, f) || slices.Contains(l.Required, f))
}

// Reset empties m but keeps the memory of its lists for the next Decode. It
// goes field by field, as Decode begins with it: clearing the struct as a whole
// would take longer than reading a short message.
func (m *Message) Reset() {
	m.Type, m.Family, m.XID = 0, 0, 0
	m.LeaseTime = Opt[time.Duration]{}
	m.ServerIdentifier = ServerIdentifier{}
	m.LeaseIdentifier = nil
	m.Scope = netip.Addr{}
	m.OptionRequestList = m.OptionRequestList[:0]
	m.StartTime = time.Time{}
	m.Addresses = NumberOfAddresses{}
	m.RequestedLanguage = Opt[[]byte]{}
	m.ScopeList.Value, m.ScopeList.Present = m.ScopeList.Value[:0], false
	m.Ranges.Value, m.Ranges.Present = m.Ranges.Value[:0], false
	m.CurrentTime = time.Time{}
	m.Features.Value.clear()
	m.Features.Present = false
	m.RetryTime = time.Time{}
	m.MinLeaseTime = Opt[time.Duration]{}
	m.MaxStartTime = time.Time{}
	m.Error = Opt[ErrorOption]{}
	m.Nesting = Opt[NestingState]{}
	m.Unknown = m.Unknown[:0]
	m.Order = m.Order[:0]
}

// UnmarshalBinary decodes a datagram into m as Decode does, but keeps nothing
// of b.
func (m *Message) UnmarshalBinary(b []byte) error { return m.Decode(bytes.Clone(b)) }

// MarshalBinary returns the message as a datagram; see AppendBinary.
func (m *Message) MarshalBinary() ([]byte, error) { return m.AppendBinary(nil) }

// RawOptions yields the options of a datagram as they stand in it, without
// judging them, up to End or to the first one that does not fit. It is for
// sniffers and relays; the values alias b.
func RawOptions(b []byte) iter.Seq2[OptionCode, []byte] { return rawOptions(b, headerLen) }

// rawOptions does so from octet at on.
func rawOptions(b []byte, at int) iter.Seq2[OptionCode, []byte] {
	return func(yield func(OptionCode, []byte) bool) {
		for at := at; at+4 <= len(b); {
			code := OptionCode(binary.BigEndian.Uint16(b[at:]))
			end := at + 4 + int(binary.BigEndian.Uint16(b[at+2:]))
			if code == OptEnd || end > len(b) || !yield(code, b[at+4:end:end]) {
				return
			}
			at = end
		}
	}
}
