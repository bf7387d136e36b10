// SPDX-License-Identifier: BSD-3-Clause

package madcapcodec

import (
	"bytes"
	"fmt"
	"net/netip"
	"time"

	"github.com/mcastalloc/malloc/madcap"
	"github.com/mcastalloc/malloc/scope"
)

var (
	identifier = madcap.LeaseIdentifier("\x00\xa1\xb2\xc3\xd4\xe5\xf6\x07\x18\x29\x3a\x4b\x5c\x6d\x7e\x8f\x90")
	server6    = netip.MustParseAddr("2001:db8:aa::1")
	server4    = netip.MustParseAddr("198.51.100.1")
	scope6     = netip.MustParseAddr("ff15::")
	scope4     = netip.MustParseAddr("239.192.0.0")
	start      = time.Unix(1700003600, 0).UTC()
	now        = time.Unix(1700000005, 0).UTC()
	retry      = time.Unix(1700007200, 0).UTC()
	features   = madcap.FeatureList{Supported: []madcap.Feature{0, 1, 2}}
)

// ack returns an ACK of ten options, nine of them known. It stands for what a
// server sends; Retry Time beside addresses is in it to make up the number.
func ack(family madcap.AddrFamily, server, id netip.Addr, ranges []scope.Range, unknown int) madcap.Message {
	return madcap.Message{
		Type: madcap.TypeAck, Family: family, XID: 0x1c0ffee2,
		ServerIdentifier: madcap.ServerIdentifierOf(server),
		LeaseIdentifier:  identifier,
		Scope:            id,
		LeaseTime:        madcap.Some(5400 * time.Second),
		StartTime:        start,
		CurrentTime:      now,
		RetryTime:        retry,
		Ranges:           madcap.Some(ranges),
		Features:         madcap.Some(features),
		Unknown:          []madcap.RawOption{{Code: 4097, Value: bytes.Repeat([]byte{7}, unknown)}},
		Order:            []madcap.OptionCode{2, 3, 4, 1, 6, 11, 13, 10, 12, 4097},
	}
}

// ack6 returns an IPv6 ACK with n ranges and an unknown option of so many
// octets.
func ack6(n, unknown int) madcap.Message {
	var ranges []scope.Range
	for i := range n {
		ranges = append(ranges, scope.MustRange(fmt.Sprintf("ff15::8000:%x00", i+1), fmt.Sprintf("ff15::8000:%xcf", i+1)))
	}
	return ack(madcap.FamilyIPv6, server6, scope6, ranges, unknown)
}

// ack4 returns an IPv4 ACK with fourteen ranges.
func ack4() madcap.Message {
	var ranges []scope.Range
	for i := range 14 {
		ranges = append(ranges, scope.MustRange(fmt.Sprintf("239.192.10.%d", 8*i), fmt.Sprintf("239.192.10.%d", 8*i+5)))
	}
	return ack(madcap.FamilyIPv4, server4, scope4, ranges, 8)
}

// subject is a message to be decoded and written, by the library and by the
// floor.
type subject struct {
	octets  []byte
	message madcap.Message // decoded into
	source  madcap.Message // written from
	built   madcap.Message
	buffer  []byte
	floor   floor
	sum     uint64 // of the values read, so that reading them is not optimised away
}

func newSubject(m madcap.Message) *subject {
	b, err := m.MarshalBinary()
	if err != nil {
		panic(err)
	}
	s := &subject{octets: b, source: m, buffer: make([]byte, 0, 1024)}
	s.decode()
	s.floorDecode()
	s.floorAppend()
	if !bytes.Equal(s.buffer, b) {
		panic("the floor writes other octets")
	}
	s.append()
	if !bytes.Equal(s.buffer, b) {
		panic("the message writes other octets")
	}
	s.buildAndAppend()
	return s
}

func (s *subject) decode() {
	if err := s.message.Decode(s.octets); err != nil {
		panic(err)
	}
}

// decodeAndRead also looks at every value of the message.
func (s *subject) decodeAndRead() {
	s.decode()
	m := &s.message
	s.sum += uint64(m.XID) + uint64(m.LeaseTime.Or(0)) + uint64(m.StartTime.Unix()) + uint64(m.CurrentTime.Unix()) + uint64(m.RetryTime.Unix())
	s.sum += uint64(len(m.LeaseIdentifier)) + uint64(m.ServerIdentifier.Addr.BitLen()) + uint64(m.Scope.BitLen())
	for _, r := range m.Ranges.Value {
		s.sum += r.Size().Lo
	}
	for _, f := range m.Features.Value.Supported {
		s.sum += uint64(f)
	}
	s.sum += uint64(len(m.Unknown[0].Value))
}

func (s *subject) append() {
	var err error
	if s.buffer, err = s.source.AppendBinary(s.buffer[:0]); err != nil {
		panic(err)
	}
}

// buildAndAppend makes the message anew from values and writes it.
func (s *subject) buildAndAppend() {
	s.built = madcap.Message{
		Type: madcap.TypeAck, Family: s.source.Family, XID: 0x1c0ffee2,
		ServerIdentifier: madcap.ServerIdentifierOf(server6),
		LeaseIdentifier:  identifier,
		Scope:            s.source.Scope,
		LeaseTime:        madcap.Some(5400 * time.Second),
		StartTime:        start,
		CurrentTime:      now,
		RetryTime:        retry,
		Ranges:           madcap.Some(s.source.Ranges.Value),
		Features:         madcap.Some(features),
		Unknown:          s.source.Unknown,
	}
	var err error
	if s.buffer, err = s.built.AppendBinary(s.buffer[:0]); err != nil {
		panic(err)
	}
}

func (s *subject) floorDecode() {
	if !s.floor.decode(s.octets) {
		panic("the floor cannot read the message")
	}
}

func (s *subject) floorAppend() { s.buffer = s.floor.append(s.buffer[:0]) }
