// SPDX-License-Identifier: BSD-3-Clause

package madcap

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/mcastalloc/malloc/scope"
)

// Opt is a value that may be absent where its zero value is legal on the wire.
type Opt[T any] struct {
	Value   T
	Present bool
}

// Some returns a present value.
func Some[T any](v T) Opt[T] { return Opt[T]{Value: v, Present: true} }

// Or returns the value if present, else def.
func (o Opt[T]) Or(def T) T {
	if o.Present {
		return o.Value
	}
	return def
}

// RawOption is an option kept as received: one this package does not know, or
// an address option of a family it does not know.
type RawOption struct {
	Code  OptionCode
	Value []byte // at most 65535 octets
}

// ServerIdentifier names a server by one of its IP addresses (option 2, RFC
// 2730, section 3.3). Its family is independent of the message's. The zero
// value means absent.
type ServerIdentifier struct {
	Addr netip.Addr // for families IPv4 and IPv6

	// For any other family Addr is the zero Addr, and these are kept as received.
	Family AddrFamily
	Opaque []byte // at least 1 octet
}

// ServerIdentifierOf returns the identifier of a server with address a.
func ServerIdentifierOf(a netip.Addr) ServerIdentifier { return ServerIdentifier{Addr: a} }

// IsZero reports whether s is absent.
func (s ServerIdentifier) IsZero() bool {
	return !s.Addr.IsValid() && s.Family == 0 && len(s.Opaque) == 0
}

// Equal reports whether s and t are the same octets on the wire.
func (s ServerIdentifier) Equal(t ServerIdentifier) bool {
	return s.Addr == t.Addr && s.Family == t.Family && bytes.Equal(s.Opaque, t.Opaque)
}

// String returns the address, or family and hex of an unknown family.
func (s ServerIdentifier) String() string {
	switch {
	case s.Addr.IsValid():
		return s.Addr.String()
	case s.IsZero():
		return "none"
	}
	return fmt.Sprintf("%v:%x", s.Family, s.Opaque)
}

// LeaseIdentifier is the opaque name of a lease, chosen by the client and
// unique over all clients (option 3, RFC 2730, section 2.4). Its first octet
// is a type; servers compare the whole and look no further. Empty means
// absent.
//
// Whoever knows the identifier of a shared lease may change that lease, so
// String shows only its type and length.
type LeaseIdentifier []byte

// The types of Lease Identifiers.
const (
	LeaseIdentifierRandom  = 0 // random octets follow (section 2.4.1)
	LeaseIdentifierAddress = 1 // family, address and a client's own octets follow (section 2.4.2)
)

// RandomLeaseIdentifier returns a type 0 identifier of 16 random octets (17 in
// all) from r. For a shared lease r must be cryptographically strong, for
// example a rand.ChaCha8 seeded from crypto/rand (section 2.4).
func RandomLeaseIdentifier(r *rand.Rand) LeaseIdentifier {
	id := make(LeaseIdentifier, 1, 17)
	id = binary.BigEndian.AppendUint64(id, r.Uint64())
	return binary.BigEndian.AppendUint64(id, r.Uint64())
}

// AddressLeaseIdentifier returns a type 1 identifier: the client's globally
// unique address a and octets that are unique among the leases of that
// address. It fails for a zero or zoned address.
func AddressLeaseIdentifier(a netip.Addr, specific []byte) (LeaseIdentifier, error) {
	if !a.IsValid() || a.Zone() != "" {
		return nil, fmt.Errorf("madcap: lease identifier: %q is not an address without zone", a)
	}
	id := LeaseIdentifier{LeaseIdentifierAddress}
	id = binary.BigEndian.AppendUint16(id, uint16(FamilyOf(a)))
	id = append(id, a.AsSlice()...)
	return append(id, specific...), nil
}

// Address returns the parts of a type 1 identifier. It reports false if the
// identifier is of another type, of an unknown family, or cut.
func (id LeaseIdentifier) Address() (a netip.Addr, specific []byte, ok bool) {
	if len(id) < 3 || id[0] != LeaseIdentifierAddress {
		return a, nil, false
	}
	n := AddrFamily(binary.BigEndian.Uint16(id[1:])).addrLen()
	if n == 0 || len(id) < 3+n {
		return a, nil, false
	}
	a, _ = netip.AddrFromSlice(id[3 : 3+n])
	return a, id[3+n:], true
}

// IsShareable reports whether the identifier is hard enough to guess for a
// shared lease: type 0 with at least 8 octets, which their maker must have
// drawn from a cryptographically strong source (section 2.4).
func (id LeaseIdentifier) IsShareable() bool {
	return len(id) >= 9 && id[0] == LeaseIdentifierRandom
}

// String returns type and length, never the octets.
func (id LeaseIdentifier) String() string {
	switch {
	case len(id) == 0:
		return "none"
	case id[0] == LeaseIdentifierRandom:
		return fmt.Sprintf("random(%d octets)", len(id)-1)
	case id[0] == LeaseIdentifierAddress:
		return fmt.Sprintf("address-specific(%d octets)", len(id)-1)
	}
	return fmt.Sprintf("type %d(%d octets)", id[0], len(id)-1)
}

// NumberOfAddresses is how many addresses a client wants: at least Min, at
// best Desired (option 7, RFC 2730, section 3.8). 1 <= Desired, Min <= Desired;
// a Min of 0 acts as 1. The zero value means absent, which asks for one.
type NumberOfAddresses struct {
	Min, Desired uint16
}

// IsZero reports whether n is absent.
func (n NumberOfAddresses) IsZero() bool { return n == NumberOfAddresses{} }

func (n NumberOfAddresses) isValid() bool { return n.Desired > 0 && n.Min <= n.Desired }

// Zone is one entry of a Multicast Scope List (option 9, RFC 2730, section
// 3.10): a scope in effect here, its addresses, and what people call it. The
// first address of Range is the Scope ID.
type Zone struct {
	Range scope.Range
	TTL   uint8 // or hop limit: the most a sender may use in this zone; 255 under administrative scoping
	Names []ZoneName
}

// ZoneName is the name of a zone in one language.
type ZoneName struct {
	Default bool   // to be used when no name fits the wanted language
	Tag     []byte // language tag, 1 to 255 ASCII octets
	Text    []byte // UTF-8, 1 to 255 octets
}

// FeatureList names the features a sender supports, a client requests, and a
// client requires or a server has applied (option 12, RFC 2730, section 3.13).
type FeatureList struct {
	Supported, Requested, Required []Feature
}

// ErrorOption is the reason of a NAK (option 16, RFC 2730, section 3.17).
type ErrorOption struct {
	Code  ErrorCode
	Extra []byte // its layout depends on Code
}

// Option returns the option code in the extra data of errors 0 and 1.
func (e ErrorOption) Option() (OptionCode, bool) {
	if e.Code > CodeInvalidRequest || len(e.Extra) != 2 {
		return NoOption, false
	}
	return OptionCode(binary.BigEndian.Uint16(e.Extra)), true
}

// ServerTime returns the server's clock in the extra data of error 2, to the
// second.
func (e ErrorOption) ServerTime() (time.Time, bool) {
	if e.Code != CodeClockSkew || len(e.Extra) != 4 {
		return time.Time{}, false
	}
	return unixTime(binary.BigEndian.Uint32(e.Extra)), true
}

// Features returns the unsupported features in the extra data of error 4.
func (e ErrorOption) Features() []Feature {
	if e.Code != CodeFeatureUnsupported || len(e.Extra)%2 != 0 {
		return nil
	}
	fs := make([]Feature, 0, len(e.Extra)/2)
	for i := 0; i < len(e.Extra); i += 2 {
		fs = append(fs, Feature(binary.BigEndian.Uint16(e.Extra[i:])))
	}
	return fs
}

// String returns the code's name and its extra data in words.
func (e ErrorOption) String() string {
	if at, ok := e.Option(); ok && at != NoOption {
		return fmt.Sprintf("%v (option %v)", e.Code, at)
	}
	if t, ok := e.ServerTime(); ok {
		return fmt.Sprintf("%v (server time %s)", e.Code, t.Format(time.RFC3339))
	}
	if fs := e.Features(); len(fs) > 0 {
		return fmt.Sprintf("%v %v", e.Code, fs)
	}
	return e.Code.String()
}

func unixTime(sec uint32) time.Time { return time.Unix(int64(sec), 0).UTC() }
