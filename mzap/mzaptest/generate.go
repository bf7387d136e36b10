// SPDX-License-Identifier: BSD-3-Clause

package mzaptest

import (
	"net/netip"
	"time"

	"github.com/mcastalloc/malloc/mzap"
	"github.com/mcastalloc/malloc/scope"
	"pgregory.net/rapid"
)

// Message generates every kind of message that can be written, of both
// families, with lists of up to a few entries.
func Message() *rapid.Generator[*mzap.Message] {
	return rapid.Custom(func(t *rapid.T) *mzap.Message {
		is4 := rapid.Bool().Draw(t, "is4")
		unicast, r := Unicast(is4), rapid.Custom(func(t *rapid.T) scope.Range { return drawRange(t, is4) })
		m := &mzap.Message{
			Type:      mzap.Type(rapid.IntRange(0, 3).Draw(t, "type")),
			Divisible: rapid.Bool().Draw(t, "divisible"),
			Origin:    unicast.Draw(t, "origin"), ZoneID: unicast.Draw(t, "zone ID"),
			Range: r.Draw(t, "range"),
			Names: rapid.SliceOfN(rapid.Custom(drawName), 0, 4).Draw(t, "names"),
		}
		hold := func() time.Duration {
			return time.Duration(rapid.IntRange(0, 65535).Draw(t, "hold time")) * time.Second
		}
		zone := func(t *rapid.T) netip.Addr {
			if rapid.Bool().Draw(t, "known") {
				return unicast.Draw(t, "local zone")
			}
			return netip.Addr{}
		}
		switch m.Type {
		case mzap.ZAM, mzap.ZLE:
			m.Limit = rapid.Uint8().Draw(t, "limit")
			m.HoldTime, m.LocalZone = hold(), zone(t)
			m.Path = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) mzap.Hop {
				return mzap.Hop{Router: unicast.Draw(t, "router"), LocalZone: zone(t)}
			}), 0, 6).Draw(t, "path")
		case mzap.ZCM:
			m.HoldTime = hold()
			m.Routers = rapid.SliceOfN(unicast, 0, 6).Draw(t, "routers")
		case mzap.NIM:
			m.NotInside = rapid.Custom(func(t *rapid.T) netip.Addr { return drawGroup(t, is4, "not inside") }).
				Filter(func(a netip.Addr) bool { return a != m.Range.First() }).Draw(t, "not inside")
		}
		return m
	})
}

// Unicast generates addresses that routers and zones can have.
func Unicast(is4 bool) *rapid.Generator[netip.Addr] {
	return rapid.Custom(func(t *rapid.T) netip.Addr {
		if is4 {
			return netip.AddrFrom4([4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "octets")))
		}
		return netip.AddrFrom16([16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "octets")))
	}).Filter(mzap.UsableUnicast)
}

func drawGroup(t *rapid.T, is4 bool, label string) netip.Addr {
	if is4 {
		b := [4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, label))
		b[0] = 0xe0 | b[0]&0x0f
		return netip.AddrFrom4(b)
	}
	b := [16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, label))
	b[0] = 0xff
	return netip.AddrFrom16(b)
}

func drawRange(t *rapid.T, is4 bool) scope.Range {
	a, b := drawGroup(t, is4, "first"), drawGroup(t, is4, "last")
	if b.Less(a) {
		a, b = b, a
	}
	r, err := scope.NewRange(a, b)
	if err != nil {
		t.Fatalf("range %v-%v: %v", a, b, err)
	}
	return r
}

func drawName(t *rapid.T) mzap.Name {
	return mzap.Name{
		Default: rapid.Bool().Draw(t, "default"),
		Tag:     []byte(rapid.StringMatching(`([A-Za-z]{1,8}(-[A-Za-z0-9]{1,8}){0,3})?`).Draw(t, "tag")),
		Text:    []byte(rapid.StringN(1, -1, 255).Draw(t, "text")),
	}
}
