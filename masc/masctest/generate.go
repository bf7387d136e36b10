// SPDX-License-Identifier: BSD-3-Clause

package masctest

import (
	"net/netip"
	"time"

	"pgregory.net/rapid"

	"github.com/mcastalloc/malloc/masc"
)

// Prefixes generates contiguous multicast prefixes of both families.
func Prefixes() *rapid.Generator[masc.Prefix] {
	return rapid.Custom(func(t *rapid.T) masc.Prefix {
		if rapid.IntRange(0, 3).Draw(t, "family") == 0 {
			var a [16]byte
			copy(a[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "address"))
			a[0] = 0xff
			return masc.PrefixOf(netip.PrefixFrom(netip.AddrFrom16(a), rapid.IntRange(8, 128).Draw(t, "length")))
		}
		return IPv4Prefixes(4).Draw(t, "prefix")
	})
}

// IPv4Prefixes generates prefixes of 224.0.0.0/4 that are at least so long.
func IPv4Prefixes(length int) *rapid.Generator[masc.Prefix] {
	return rapid.Custom(func(t *rapid.T) masc.Prefix {
		n := rapid.Uint32().Draw(t, "address")>>4 | 0xE0000000
		a := netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
		return masc.PrefixOf(netip.PrefixFrom(a, rapid.IntRange(max(length, 4), 32).Draw(t, "length")))
	})
}

// IDs generates identifiers that messages of the family can carry.
func IDs(f masc.AddrFamily) *rapid.Generator[masc.ID] {
	return rapid.Custom(func(t *rapid.T) masc.ID {
		if f == masc.FamilyIPv6 && rapid.Bool().Draw(t, "wide") {
			return masc.AddrID(netip.AddrFrom16([16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "octets"))))
		}
		return masc.NumberID(uint64(rapid.OneOf(rapid.Uint32Range(0, 3), rapid.Uint32()).Draw(t, "number")))
	})
}

// Claims generates claims of all types and roles that can be encoded. Their
// fields take few values often enough to be equal.
func Claims() *rapid.Generator[masc.Claim] {
	return rapid.Custom(func(t *rapid.T) masc.Claim {
		p := Prefixes().Draw(t, "prefix")
		few := rapid.OneOf(rapid.Uint32Range(0, 2), rapid.Uint32())
		return masc.Claim{
			Type:       masc.ClaimType(rapid.Uint8Range(0, 5).Draw(t, "type")),
			Role:       masc.Role(rapid.Uint8Range(0, 3).Draw(t, "role")),
			Deprecated: rapid.Bool().Draw(t, "deprecated"),
			Timestamp:  masc.Timestamp(few.Draw(t, "timestamp")),
			Lifetime:   masc.Seconds(few.Draw(t, "lifetime")),
			Holdtime:   masc.Seconds(few.Draw(t, "holdtime")),
			Domain:     IDs(p.Family()).Draw(t, "domain"),
			Node:       IDs(p.Family()).Draw(t, "node"),
			Prefix:     p,
		}
	})
}

// Messages generates messages of all types that can be encoded.
func Messages() *rapid.Generator[masc.Message] {
	return rapid.Custom(func(t *rapid.T) masc.Message {
		m := masc.Message{Type: masc.MessageType(rapid.Uint8Range(1, 4).Draw(t, "type"))}
		switch m.Type {
		case masc.TypeOpen:
			m.Open = opens().Draw(t, "open")
		case masc.TypeUpdate:
			m.Update = updates().Draw(t, "update")
		case masc.TypeNotification:
			r := rapid.SampledFrom([]masc.Reason{masc.BadMessageLength, masc.BadMessageType, masc.UnsupportedVersion,
				masc.NonContiguousMask, masc.IllegalOriginRole, masc.HoldTimerExpired, masc.Cease}).Draw(t, "reason")
			m.Notification = masc.Notification{Reason: r, Stay: r.CanStay() && rapid.Bool().Draw(t, "stay"),
				Data: rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "data")}
		}
		return m
	})
}

func opens() *rapid.Generator[masc.Open] {
	return rapid.Custom(func(t *rapid.T) masc.Open {
		f := masc.AddrFamily(rapid.Uint8Range(1, 2).Draw(t, "family"))
		o := masc.Open{Family: f, Role: masc.Role(rapid.Uint8Range(0, 3).Draw(t, "role")),
			HoldTime: time.Duration(rapid.Uint16().Draw(t, "hold")) * time.Second,
			Domain:   IDs(f).Draw(t, "domain"), Node: IDs(f).Draw(t, "node"), Parent: IDs(f).Draw(t, "parent")}
		for range rapid.IntRange(0, 3).Draw(t, "parameters") {
			o.Params = append(o.Params, masc.Param{Type: rapid.Byte().Draw(t, "type"),
				Value: rapid.SliceOfN(rapid.Byte(), 0, 255).Draw(t, "value")})
		}
		return o
	})
}

func updates() *rapid.Generator[masc.Update] {
	return rapid.Custom(func(t *rapid.T) masc.Update {
		var u masc.Update
		u.Claims = rapid.SliceOfN(Claims(), 1, 20).Draw(t, "claims")
		for i := range u.Claims {
			if rapid.IntRange(0, 4).Draw(t, "attribute") == 0 {
				n := 4 * rapid.IntRange(0, 5).Draw(t, "words")
				u.Extra = append(u.Extra, masc.Extra{Claim: i, Type: rapid.ByteRange(128, 255).Draw(t, "type"),
					Data: rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, "data")})
			}
			if rapid.IntRange(0, 4).Draw(t, "parameter") == 0 {
				n := 4*rapid.IntRange(0, 5).Draw(t, "words") + 2
				u.Extra = append(u.Extra, masc.Extra{Claim: i, Data: append([]byte{byte(n), 7},
					rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, "value")...)})
			}
		}
		return u
	})
}
