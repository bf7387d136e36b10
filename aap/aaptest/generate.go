// SPDX-License-Identifier: BSD-3-Clause

package aaptest

import (
	"math"
	"net/netip"
	"time"

	"github.com/mcastalloc/malloc/aap"
	"github.com/mcastalloc/malloc/scope"
	"pgregory.net/rapid"
)

// Message generates messages that can be written, of every type and both
// families, with 0 to 50 entries in a list.
func Message() *rapid.Generator[*aap.Message] {
	return rapid.Custom(func(t *rapid.T) *aap.Message {
		m := &aap.Message{
			Type:        rapid.SampledFrom([]aap.Type{aap.ACLM, aap.AIU, aap.AITU, aap.ASA, aap.ASRP, aap.ANA}).Draw(t, "type"),
			Family:      rapid.SampledFrom([]aap.Family{aap.IPv4, aap.IPv6}).Draw(t, "family"),
			RSeq:        rapid.Uint32Range(0, 1<<24-1).Draw(t, "rseq"),
			MSeq:        rapid.Uint8().Draw(t, "mseq"),
			CurrentTime: Time().Draw(t, "current-time"),
		}
		switch m.Type {
		case aap.ASA:
			m.Expiration = Time().Draw(t, "expiration-time")
			m.Ranges = rapid.SliceOfN(TimedRange(m.Family), 0, 50).Draw(t, "ranges")
		case aap.ASRP:
			m.Reports = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) aap.Report {
				return aap.Report{Range: Range(m.Family).Draw(t, "range"), InUse: rapid.Uint32().Draw(t, "in use")}
			}), 0, 50).Draw(t, "reports")
			m.Requests = rapid.SliceOfN(Request(), 0, 50).Draw(t, "requests")
		case aap.ANA:
			m.Need = Request().Draw(t, "need")
		default:
			m.Ranges = rapid.SliceOfN(TimedRange(m.Family), 1, 50).Draw(t, "ranges")
		}
		return m
	})
}

// Time generates what the wire can say: whole seconds from 1970 to 2106.
func Time() *rapid.Generator[time.Time] {
	return rapid.Custom(func(t *rapid.T) time.Time {
		return time.Unix(rapid.Int64Range(0, math.MaxUint32).Draw(t, "seconds"), 0).UTC()
	})
}

// Request generates a request.
func Request() *rapid.Generator[aap.Request] {
	return rapid.Custom(func(t *rapid.T) aap.Request {
		return aap.Request{Count: rapid.Uint32Range(1, math.MaxUint32).Draw(t, "count"), End: Time().Draw(t, "end")}
	})
}

// TimedRange generates a multicast range with an end.
func TimedRange(f aap.Family) *rapid.Generator[aap.TimedRange] {
	return rapid.Custom(func(t *rapid.T) aap.TimedRange {
		return aap.TimedRange{Range: Range(f).Draw(t, "range"), End: Time().Draw(t, "end")}
	})
}

// Range generates a multicast range of any size.
func Range(f aap.Family) *rapid.Generator[scope.Range] {
	return rapid.Custom(func(t *rapid.T) scope.Range {
		a, b := group(t, f), group(t, f)
		if b.Less(a) {
			a, b = b, a
		}
		r, err := scope.NewRange(a, b)
		if err != nil {
			t.Fatal(err)
		}
		return r
	})
}

// group draws a multicast address.
func group(t *rapid.T, f aap.Family) netip.Addr {
	if f == aap.IPv4 {
		b := [4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "address"))
		b[0] = 0xe0 | b[0]&0x0f
		return netip.AddrFrom4(b)
	}
	b := [16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "address"))
	b[0] = 0xff
	return netip.AddrFrom16(b)
}
