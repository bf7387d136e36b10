// SPDX-License-Identifier: BSD-3-Clause

package madcap

import (
	"net/netip"
	"strconv"
)

// Port is the UDP port MADCAP servers listen on (RFC 2730, section 2).
const Port = 2535

// Version is the protocol version every message carries (RFC 2730, section
// 2.1.1).
const Version = 0

// MaxDatagram is the longest message that fits a UDP datagram over IPv4, in
// octets. AppendBinary refuses to build a longer one; receive buffers should
// take 65535.
const MaxDatagram = 65507

// MessageType says what a message is for (RFC 2730, section 2.2). Legal values
// are 1 to 8.
type MessageType uint8

// The message types. Types 1, 3, 4, 7 and 8 come from clients, 2, 5 and 6 from
// servers.
const (
	TypeDiscover MessageType = 1 // who can serve me? (section 2.2.2, always multicast)
	TypeOffer    MessageType = 2 // I can (section 2.2.3)
	TypeRequest  MessageType = 3 // I want a new lease (section 2.2.4)
	TypeRenew    MessageType = 4 // I want to change the times of a lease (section 2.2.7)
	TypeAck      MessageType = 5 // granted, or here is what you asked (section 2.2.5)
	TypeNak      MessageType = 6 // refused (section 2.2.6)
	TypeRelease  MessageType = 7 // I no longer need a lease (section 2.2.8)
	TypeGetInfo  MessageType = 8 // tell me about scopes and features (section 2.2.1)
)

var typeNames = [...]string{
	TypeDiscover: "DISCOVER", TypeOffer: "OFFER", TypeRequest: "REQUEST", TypeRenew: "RENEW",
	TypeAck: "ACK", TypeNak: "NAK", TypeRelease: "RELEASE", TypeGetInfo: "GETINFO",
}

// String returns the document's name of t, or MessageType(n) for an unknown
// one.
func (t MessageType) String() string {
	if t.IsValid() {
		return typeNames[t]
	}
	return "MessageType(" + strconv.Itoa(int(t)) + ")"
}

// IsValid reports whether t is one of the eight defined types.
func (t MessageType) IsValid() bool { return t >= TypeDiscover && t <= TypeGetInfo }

// FromClient reports whether only clients send t: DISCOVER, REQUEST, RENEW,
// RELEASE and GETINFO.
func (t MessageType) FromClient() bool {
	return t.IsValid() && t != TypeOffer && t != TypeAck && t != TypeNak
}

// AddrFamily is an address family number as IANA assigns them. It says how long
// the addresses of options 4, 9 and 10 are (RFC 2730, section 2.1.3).
type AddrFamily uint16

// The two families with addresses this package reads. A message may carry any
// other number; its address options then stay uninterpreted in Message.Unknown.
const (
	FamilyIPv4 AddrFamily = 1
	FamilyIPv6 AddrFamily = 2
)

// FamilyOf returns the family of a, 0 for the zero Addr. An IPv4-mapped IPv6
// address is IPv6.
func FamilyOf(a netip.Addr) AddrFamily {
	switch {
	case a.Is4():
		return FamilyIPv4
	case a.Is6():
		return FamilyIPv6
	}
	return 0
}

// String returns IPv4, IPv6 or AddrFamily(n).
func (f AddrFamily) String() string {
	switch f {
	case FamilyIPv4:
		return "IPv4"
	case FamilyIPv6:
		return "IPv6"
	}
	return "AddrFamily(" + strconv.Itoa(int(f)) + ")"
}

// addrLen returns the number of octets of an address of f, 0 if unknown.
func (f AddrFamily) addrLen() int {
	switch f {
	case FamilyIPv4:
		return 4
	case FamilyIPv6:
		return 16
	}
	return 0
}

// OptionCode numbers the options of a message (RFC 2730, section 3, and RFC
// 2907, section 5).
type OptionCode uint16

// The option codes. Which message may carry which is Table 5 of RFC 2730; see
// Message.Validate.
const (
	OptEnd               OptionCode = 0  // closes every message (section 3.1)
	OptLeaseTime         OptionCode = 1  // section 3.2
	OptServerIdentifier  OptionCode = 2  // section 3.3
	OptLeaseIdentifier   OptionCode = 3  // section 3.4
	OptMulticastScope    OptionCode = 4  // section 3.5
	OptOptionRequestList OptionCode = 5  // section 3.6
	OptStartTime         OptionCode = 6  // section 3.7
	OptNumberOfAddresses OptionCode = 7  // section 3.8
	OptRequestedLanguage OptionCode = 8  // section 3.9
	OptScopeList         OptionCode = 9  // section 3.10
	OptAddressRanges     OptionCode = 10 // section 3.11
	OptCurrentTime       OptionCode = 11 // section 3.12
	OptFeatureList       OptionCode = 12 // section 3.13
	OptRetryTime         OptionCode = 13 // section 3.14
	OptMinLeaseTime      OptionCode = 14 // section 3.15
	OptMaxStartTime      OptionCode = 15 // section 3.16
	OptError             OptionCode = 16 // section 3.17
	OptNestingState      OptionCode = 17 // RFC 2907, section 5

	// NoOption stands for "no particular option" in the extra data of errors 0
	// and 1 (sections 3.17.1 and 3.17.2), and in Error.Option.
	NoOption OptionCode = 0xFFFF
)

var optionNames = [...]string{
	"End", "LeaseTime", "ServerIdentifier", "LeaseIdentifier", "MulticastScope", "OptionRequestList",
	"StartTime", "NumberOfAddresses", "RequestedLanguage", "ScopeList", "AddressRanges", "CurrentTime",
	"FeatureList", "RetryTime", "MinLeaseTime", "MaxStartTime", "Error", "NestingState",
}

// String returns the option's name, or OptionCode(n) for an unknown one.
func (c OptionCode) String() string {
	if c.isKnown() {
		return optionNames[c]
	}
	if c == NoOption {
		return "NoOption"
	}
	return "OptionCode(" + strconv.Itoa(int(c)) + ")"
}

// isKnown reports whether c has a field of its own in Message, End included.
func (c OptionCode) isKnown() bool { return c <= OptNestingState }

// Feature numbers the optional abilities a message can name (RFC 2730, section
// 2.13).
type Feature uint16

// The features of RFC 2730.
const (
	ServerMobility        Feature = 0 // a lease may be renewed or released at another server (section 2.13.1)
	RetryAfter            Feature = 1 // the server may answer "ask again later" (section 2.13.2)
	SharedLeaseIdentifier Feature = 2 // whoever knows the identifier may change the lease (section 2.13.3)
)

// String returns the feature's name, or Feature(n) for an unknown one.
func (f Feature) String() string {
	switch f {
	case ServerMobility:
		return "ServerMobility"
	case RetryAfter:
		return "RetryAfter"
	case SharedLeaseIdentifier:
		return "SharedLeaseIdentifier"
	}
	return "Feature(" + strconv.Itoa(int(f)) + ")"
}

// ErrorCode says why a server refuses (RFC 2730, section 3.17). 1024 to 2047
// are for experiments, the rest beyond 4 is unassigned.
type ErrorCode uint16

// The error codes of RFC 2730 with the extra data each carries.
const (
	CodeNotCompleted       ErrorCode = 0 // valid, but impossible; the option that prevented it (2 octets)
	CodeInvalidRequest     ErrorCode = 1 // malformed or out of place; the option at fault (2 octets)
	CodeClockSkew          ErrorCode = 2 // clocks too far apart; the server's time (4 octets)
	CodeLeaseUnknown       ErrorCode = 3 // Lease Identifier Not Recognized; nothing
	CodeFeatureUnsupported ErrorCode = 4 // required features the server lacks (2 octets each, at least one)
)

// String returns the document's name of the code, or ErrorCode(n).
func (c ErrorCode) String() string {
	switch c {
	case CodeNotCompleted:
		return "Valid Request Could Not Be Completed"
	case CodeInvalidRequest:
		return "Invalid Request"
	case CodeClockSkew:
		return "Excessive Clock Skew"
	case CodeLeaseUnknown:
		return "Lease Identifier Not Recognized"
	case CodeFeatureUnsupported:
		return "Required Feature Not Supported"
	}
	return "ErrorCode(" + strconv.Itoa(int(c)) + ")"
}
