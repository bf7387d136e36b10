// SPDX-License-Identifier: BSD-3-Clause

package lease

import (
	"crypto/subtle"
	"encoding/hex"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"time"

	"github.com/mcastalloc/malloc/scope"
)

// Family is an address family, by its IANA address family number. The zero
// value stands for "the scope's", where a scope is given.
type Family uint16

// The families there are. Every other value is [ErrFamily].
const (
	IPv4 Family = 1
	IPv6 Family = 2
)

// FamilyOf returns the family of a, 0 for the zero address.
func FamilyOf(a netip.Addr) Family {
	switch {
	case a.Is4():
		return IPv4
	case a.IsValid():
		return IPv6
	}
	return 0
}

// String returns "IPv4", "IPv6" or the number.
func (f Family) String() string {
	switch f {
	case IPv4:
		return "IPv4"
	case IPv6:
		return "IPv6"
	}
	return "Family(" + strconv.Itoa(int(f)) + ")"
}

func (f Family) valid() bool { return f == IPv4 || f == IPv6 }

// ID identifies a lease, for ever and everywhere: it is what later calls name
// the lease by. It is a string of octets, not text. Over MADCAP it is the
// Lease Identifier (RFC 2730 section 3.4).
//
// An ID is a capability, as whoever knows it may be taken for the lease's
// owner (a MADCAP server has nothing else to go by when leases are shared).
// So String and LogValue hide it; MarshalText gives it away, as a lease must
// survive being stored.
type ID string

// NewID returns a fresh random identifier of 17 octets: the MADCAP lease
// identifier type 0 ("random") and 16 octets from rnd.
func NewID(rnd *rand.Rand) ID {
	b := [1 + len(serial{})]byte{}
	random := newSerial(rnd)
	copy(b[1:], random[:])
	return ID(b[:])
}

// String returns a placeholder, the same for every identifier but the empty
// one.
func (id ID) String() string {
	if id == "" {
		return ""
	}
	return "[redacted]"
}

// GoString returns a placeholder too, so that %#v shows nothing either.
func (id ID) GoString() string { return strconv.Quote(id.String()) }

// LogValue returns the placeholder of [ID.String].
func (id ID) LogValue() slog.Value { return slog.StringValue(id.String()) }

// Equal compares in a time that does not depend on where two identifiers of
// one length differ.
func (id ID) Equal(other ID) bool {
	return subtle.ConstantTimeCompare([]byte(id), []byte(other)) == 1
}

// MarshalText returns the octets in hexadecimal digits.
func (id ID) MarshalText() ([]byte, error) {
	return hex.AppendEncode(nil, []byte(id)), nil
}

// UnmarshalText reads what MarshalText wrote.
func (id *ID) UnmarshalText(text []byte) error {
	b, err := hex.AppendDecode(nil, text)
	if err != nil {
		return &Error{Op: "read lease identifier", Param: ParamID, Want: "an even number of hexadecimal digits", Err: ErrNotLeased}
	}
	*id = ID(b)
	return nil
}

// Lease is what an allocation grants (RFC 2771 section 2): addresses of one
// family and one scope, all of them from Start until End. It is a plain
// value: it can be marshalled, stored, and given back to the allocator after
// a restart or from another process. Holding one keeps nothing alive, and
// dropping one releases nothing.
type Lease struct {
	ID     ID         `json:"id"`
	Family Family     `json:"family"`
	Scope  scope.ID   `json:"scope"`
	Addrs  scope.Set  `json:"addrs"`
	Start  time.Time  `json:"start"`
	End    time.Time  `json:"end"`
	Server netip.Addr `json:"server,omitzero"` // who granted it; zero: this process
}

// Addr returns the lowest address, the zero address if there is none: handy
// for a lease of one address, which is the usual one.
func (l Lease) Addr() netip.Addr {
	if l.Addrs.IsEmpty() {
		return netip.Addr{}
	}
	return l.Addrs.Range(0).First()
}

// Live reports whether the lease is in force at now: from Start on, End
// excluded.
func (l Lease) Live(now time.Time) bool { return !now.Before(l.Start) && now.Before(l.End) }

// Equal reports whether l and m are the same lease in every part. Instants
// are compared with [time.Time.Equal].
func (l Lease) Equal(m Lease) bool {
	return l.ID.Equal(m.ID) && l.Family == m.Family && l.Scope == m.Scope && l.Addrs.Equal(m.Addrs) &&
		l.Start.Equal(m.Start) && l.End.Equal(m.End) && l.Server == m.Server
}

// String describes the lease for a person, without its identifier.
func (l Lease) String() string {
	return l.Addrs.String() + " from " + l.Start.Format(time.RFC3339) + " until " + l.End.Format(time.RFC3339)
}

// LogValue gives a structured log the lease without its identifier.
func (l Lease) LogValue() slog.Value {
	attrs := []slog.Attr{
		slog.String("addrs", l.Addrs.String()),
		slog.String("scope", l.Scope.String()),
		slog.Time("start", l.Start),
		slog.Time("end", l.End),
	}
	if l.Server.IsValid() {
		attrs = append(attrs, slog.String("server", l.Server.String()))
	}
	return slog.GroupValue(attrs...)
}

// ScopeName returns the name of a scope in a language (RFC 2771 section 3.5):
// the one with that very tag, without regard to case; otherwise the default
// name; otherwise its only name if it has one; otherwise none. For a list of
// preferred languages use the method Lookup of the scope's Names. The error is
// [ErrScope] for the zero Scope.
func ScopeName(s scope.Scope, tag string) (scope.Name, error) {
	if !s.Range.IsValid() {
		return scope.Name{}, &Error{Op: "name of scope", Param: ParamScope, Want: "a scope", Err: ErrScope}
	}
	if n, ok := s.Names.Name(tag); ok {
		return n, nil
	}
	n, ok := s.Names.Lookup() // the default
	if !ok && s.Names.Len() == 1 {
		for n = range s.Names.All() {
		}
	}
	return n, nil
}
