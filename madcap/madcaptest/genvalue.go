// SPDX-License-Identifier: BSD-3-Clause

package madcaptest

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"time"

	"github.com/mcastalloc/malloc/madcap"
	"github.com/mcastalloc/malloc/scope"
	"pgregory.net/rapid"
)

// Octets generates from least to most octets of any value.
func Octets(least, most int) *rapid.Generator[[]byte] {
	return rapid.SliceOfN(rapid.Byte(), least, most)
}

// Seconds generates times as long as an option can say: 0 to 2^32-1 seconds,
// small ones and the largest more often.
func Seconds() *rapid.Generator[time.Duration] {
	return rapid.Map(rapid.Uint32(), func(n uint32) time.Duration { return time.Duration(n) * time.Second })
}

// Time generates the instants an option can say: whole seconds from 1970 to
// 2106, in UTC.
func Time() *rapid.Generator[time.Time] {
	return rapid.Map(rapid.Uint32(), func(n uint32) time.Time { return time.Unix(int64(n), 0).UTC() })
}

// Address generates multicast addresses of family IPv4 or IPv6.
func Address(f madcap.AddrFamily) *rapid.Generator[netip.Addr] {
	return rapid.Custom(func(t *rapid.T) netip.Addr {
		if f == madcap.FamilyIPv4 {
			n := rapid.Uint32Range(0xE0000000, 0xEFFFFFFF).Draw(t, "address")
			return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, n)))
		}
		high := rapid.Uint64Range(0xFF00<<48, 1<<64-1).Draw(t, "high half")
		low := rapid.Uint64().Draw(t, "low half")
		return netip.AddrFrom16([16]byte(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, high), low)))
	})
}

// Block generates ranges of 1 to 65535 multicast addresses.
func Block(f madcap.AddrFamily) *rapid.Generator[scope.Range] {
	return rapid.Custom(func(t *rapid.T) scope.Range {
		first := Address(f).Draw(t, "first")
		all, _ := scope.NewRange(first, last(f))
		size := uint64(rapid.Uint16Range(1, 65535).Draw(t, "size"))
		if n := all.Size(); n.Hi == 0 {
			size = min(size, n.Lo)
		}
		end, _ := all.At(scope.U128(size - 1))
		r, _ := scope.NewRange(first, end)
		return r
	})
}

// last returns the last multicast address of a family.
func last(f madcap.AddrFamily) netip.Addr {
	if f == madcap.FamilyIPv4 {
		return netip.AddrFrom4([4]byte{239, 255, 255, 255})
	}
	return netip.AddrFrom16([16]byte(slices.Repeat([]byte{255}, 16)))
}

// Server generates Server Identifiers of IPv4, IPv6 and other families.
func Server() *rapid.Generator[madcap.ServerIdentifier] {
	return rapid.Custom(func(t *rapid.T) madcap.ServerIdentifier {
		switch rapid.SampledFrom([]int{4, 4, 16, 16, 0}).Draw(t, "octets") {
		case 4:
			return madcap.ServerIdentifierOf(netip.AddrFrom4([4]byte(Octets(4, 4).Draw(t, "IPv4 address"))))
		case 16:
			return madcap.ServerIdentifierOf(netip.AddrFrom16([16]byte(Octets(16, 16).Draw(t, "IPv6 address"))))
		}
		return madcap.ServerIdentifier{
			Family: rapid.SampledFrom([]madcap.AddrFamily{0, 3, 16389, 65535}).Draw(t, "family"),
			Opaque: Octets(1, 20).Draw(t, "address"),
		}
	})
}

// Zones generates scope lists of up to twelve zones, so that a row of a nesting
// matrix takes up to two octets, with up to three names each.
func Zones(f madcap.AddrFamily) *rapid.Generator[[]madcap.Zone] {
	return rapid.Custom(func(t *rapid.T) []madcap.Zone {
		n := rapid.IntRange(0, 12).Draw(t, "number of zones")
		var zones []madcap.Zone
		for _, first := range rapid.SliceOfNDistinct(Address(f), n, n, rapid.ID[netip.Addr]).Draw(t, "Scope IDs") {
			end := Address(f).Draw(t, "last address")
			if end.Less(first) {
				end = first
			}
			r, _ := scope.NewRange(first, end)
			zones = append(zones, madcap.Zone{
				Range: r,
				TTL:   rapid.Uint8().Draw(t, "TTL"),
				Names: rapid.SliceOfN(Name(), 0, 3).Draw(t, "names"),
			})
		}
		return zones
	})
}

// Name generates zone names as AppendBinary writes them.
func Name() *rapid.Generator[madcap.ZoneName] {
	return rapid.Custom(func(t *rapid.T) madcap.ZoneName {
		return madcap.ZoneName{
			Default: rapid.Bool().Draw(t, "default"),
			Tag:     []byte(rapid.StringMatching(`[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8}){0,2}`).Draw(t, "tag")),
			Text:    []byte(rapid.StringN(1, 20, 255).Draw(t, "text")),
		}
	})
}

// Nesting generates states of n zones.
func Nesting(n int) *rapid.Generator[madcap.NestingState] {
	return rapid.Custom(func(t *rapid.T) madcap.NestingState {
		s := madcap.NewNestingState(n)
		bits := rapid.SliceOfN(rapid.Bool(), n*n, n*n).Draw(t, "pairs")
		for i, nests := range bits {
			if i/n != i%n {
				_ = s.SetNests(i/n, i%n, nests)
			}
		}
		return s
	})
}

// Failure generates Error options of all codes, with extra data as the code
// demands.
func Failure() *rapid.Generator[madcap.ErrorOption] {
	return rapid.Custom(func(t *rapid.T) madcap.ErrorOption {
		e := madcap.ErrorOption{Code: rapid.SampledFrom([]madcap.ErrorCode{0, 1, 2, 3, 4, 5, 1023, 1024, 2047, 2048, 65535}).Draw(t, "code")}
		switch e.Code {
		case madcap.CodeNotCompleted, madcap.CodeInvalidRequest:
			e.Extra = Octets(2, 2).Draw(t, "option")
		case madcap.CodeClockSkew:
			e.Extra = Octets(4, 4).Draw(t, "server time")
		case madcap.CodeLeaseUnknown:
		case madcap.CodeFeatureUnsupported:
			n := 2 * rapid.IntRange(1, 4).Draw(t, "number of features")
			e.Extra = Octets(n, n).Draw(t, "features")
		default:
			e.Extra = Octets(0, 10).Draw(t, "extra data")
		}
		return e
	})
}
