// SPDX-License-Identifier: BSD-3-Clause

package aap

import (
	"net/netip"
	"slices"
	"time"

	"github.com/mcastalloc/malloc/scope"
)

// Message is one AAP message, the payload of one UDP datagram (section 5). All
// six types start with the same 12 octets; the fields below CurrentTime belong
// to some types only and must be left zero in the others.
//
//	 0                   1                   2                   3
//	 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//	+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//	|    version    |    msgtype    |          addrfamily           |
//	+---------------+---------------+---------------+---------------+
//	|                     rseq                      |     mseq      |
//	+-----------------------------------------------+---------------+
//	|                         current-time                          |
//	+---------------------------------------------------------------+
//	ACLM, AIU, AITU (at least one), ASA (after expiration-time, 4 octets):
//	|  any number of ranges: first, last (4 or 16 each), end-time   |
//	+---------------------------------------------------------------+
//	ASRP:
//	|  n (1), n reports: first, last, in-use-count (4),             |
//	|  m (1), m requests: addrs-requested (4), end-time-req. (4)    |
//	+---------------------------------------------------------------+
//	ANA:
//	|              address-count (4), end-time (4)                  |
//	+---------------------------------------------------------------+
//
// Counts and the version are no fields: they follow from the rest. Every octet
// of a message matters, so what was decoded is written back as it was.
//
// All times are whole seconds from 1970 to 2106 on the sender's clock; see
// [Message.Localize]. Messages are not comparable with ==; compare field by
// field.
type Message struct {
	Type   Type
	Family Family
	// RSeq is the request sequence number, 0 to 2^24-1: all messages about one
	// request of their sender bear the same one (section 5.1.4).
	RSeq uint32
	// MSeq numbers the messages of one request, repeats included (section 5.1.5).
	MSeq uint8
	// CurrentTime is the sender's clock when it sent the message (section 5.3.1).
	CurrentTime time.Time

	// Ranges of an ACLM, AIU or AITU are the addresses it claims, knows in use or
	// preallocates (sections 5.4.1 to 5.4.3); of an ASA the whole space available
	// (5.4.4), which may be nothing.
	Ranges []TimedRange
	// Expiration of an ASA is when servers that heard no newer one start to
	// repeat it.
	Expiration time.Time

	// Reports of an ASRP tell the use of each range of the last ASA, at most 255.
	Reports []Report
	// Requests of an ASRP are what could not be satisfied, at most 255.
	Requests []Request

	// Need of an ANA is what its sender lacks.
	Need Request
}

// TimedRange is a range of multicast addresses with the time until which
// something holds for them. It holds while the clock shows less than End.
type TimedRange struct {
	Range scope.Range
	End   time.Time
}

// Report says how many addresses of a range are in use (section 5.4.5).
type Report struct {
	Range scope.Range
	// InUse counts the addresses; 0xffffffff stands for that many or more.
	InUse uint32
}

// Request is an unmet need for addresses (sections 5.4.5 and 5.4.6).
type Request struct {
	Count uint32    // of addresses, at least 1
	End   time.Time // until when they are needed
}

// Compare orders by end, then count.
func (r Request) Compare(o Request) int {
	switch c := r.End.Compare(o.End); {
	case c != 0:
		return c
	case r.Count < o.Count:
		return -1
	case r.Count > o.Count:
		return 1
	}
	return 0
}

// IsResent reports whether m is an ASA that a server repeats for want of a
// prefix coordinator: its current time is past its expiration, as a
// coordinator's own never is. (Section 3.2.10.2 says so; section 4.2.1 has it the
// wrong way round.)
func (m *Message) IsResent() bool { return m.Type == ASA && m.CurrentTime.After(m.Expiration) }

// Bounds returns the smallest range that holds every address of m, and false
// if there is none in it. A message belongs to the scope that covers its
// bounds, as no field names one (section 2.1.3); if no scope does, the message
// is to be dropped.
func (m *Message) Bounds() (scope.Range, bool) {
	var low, high netip.Addr
	add := func(r scope.Range) {
		if !low.IsValid() || r.First().Less(low) {
			low = r.First()
		}
		if !high.IsValid() || high.Less(r.Last()) {
			high = r.Last()
		}
	}
	for i := range m.Ranges {
		add(m.Ranges[i].Range)
	}
	for i := range m.Reports {
		add(m.Reports[i].Range)
	}
	r, err := scope.NewRange(low, high)
	return r, err == nil
}

// Size returns the length of the encoded message in octets.
func (m *Message) Size() int {
	element := m.Family.elementLen()
	switch m.Type {
	case ASA:
		return 16 + element*len(m.Ranges)
	case ASRP:
		return 14 + element*len(m.Reports) + requestLen*len(m.Requests)
	case ANA:
		return headerLen + requestLen
	}
	return headerLen + element*len(m.Ranges)
}

// Reset empties m and keeps the capacity of its lists.
func (m *Message) Reset() {
	*m = Message{Ranges: m.Ranges[:0], Reports: m.Reports[:0], Requests: m.Requests[:0]}
}

// Clone returns a copy of m that shares no memory with it.
func (m *Message) Clone() *Message {
	c := *m
	c.Ranges, c.Reports, c.Requests = slices.Clone(m.Ranges), slices.Clone(m.Reports), slices.Clone(m.Requests)
	return &c
}
