// SPDX-License-Identifier: BSD-3-Clause

package mzap_test

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/mcastalloc/malloc/mzap"
	"github.com/mcastalloc/malloc/mzap/mzaptest"
	"github.com/mcastalloc/malloc/scope"
)

// A datagram comes in, is looked at, and is written again.
func ExampleMessage() {
	in := []byte{
		0, 0x83, 1, 0, // version, B and type, family, no names
		192, 0, 2, 33, // origin
		192, 0, 2, 17, // zone ID
		239, 192, 0, 0, 239, 195, 255, 255, // range
		239, 130, 0, 0, // not inside
	}
	var m mzap.Message
	if err := m.Decode(in); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(m.Type, m.Range, "is not inside", m.NotInside)
	fmt.Println(m.Decode(in[:23]))
	// Output:
	// NIM 239.192.0.0/14 is not inside 239.130.0.0
	// mzap: NIM Not-Inside Zone Start Address at octet 23: message too short
}

// A listener learns a scope and forgets it again.
func ExampleListener() {
	l, err := mzap.NewListener(mzap.ListenerConfig{})
	if err != nil {
		panic(err)
	}
	zam := mzap.Message{
		Type: mzap.ZAM, Origin: netip.MustParseAddr("192.0.2.1"), ZoneID: netip.MustParseAddr("192.0.2.1"),
		Range: scope.MustRange("239.1.0.0", "239.1.255.255"),
		Names: []mzap.Name{{Default: true, Tag: []byte("en"), Text: []byte("Campus")}},
		Limit: mzap.DefaultLimit, HoldTime: 1860 * time.Second,
	}
	packet, err := zam.MarshalBinary()
	if err != nil {
		panic(err)
	}
	now := time.Date(2000, 2, 1, 12, 0, 0, 0, time.UTC)
	l.Receive(now, mzap.Packet{Payload: packet})
	for {
		for x := range l.Effects() {
			switch x := x.(type) {
			case mzap.Appeared:
				name, _ := x.Scope.Names.Lookup("en")
				fmt.Println(now.Format(time.TimeOnly), "appeared:", x.Scope.Range, name.Text)
			case mzap.Gone:
				fmt.Println(now.Format(time.TimeOnly), "gone:", x.Scope.Range)
			}
		}
		next, ok := l.Deadline()
		if !ok {
			break
		}
		now = next // here a real driver sleeps, or receives
		l.Advance(now)
	}
	// Output:
	// 12:00:00 appeared: 239.1.0.0/16 Campus
	// 12:31:00 gone: 239.1.0.0/16
}

// The routers of figure 5 of the RFC find the one among them that lacks a
// boundary; hours pass in a moment.
func ExampleRouter() {
	n := mzaptest.Figure5(1)
	if err := n.Start(); err != nil {
		panic(err)
	}
	n.Run(2 * time.Hour)
	fmt.Println(n.Findings[0])
	// Output:
	// E: leaky boundary: scope 239.130.0.0/16, ZAM of 10.1.0.3 came back from outside on interface 2; path 10.1.0.1 > 10.2.0.1 > 10.2.0.2 > 10.3.0.1 > 10.3.0.2 > 10.4.0.1 > ?
}

func ExampleNests() {
	heard := time.Date(2000, 2, 1, 12, 0, 0, 0, time.UTC)
	hold := mzap.DefaultTiming().NIMHold
	e := mzap.NestingEvidence{
		Inner: scope.MustRange("239.1.0.0", "239.1.255.255"), InnerHeard: heard,
		Outer: scope.MustRange("239.2.0.0", "239.2.255.255"), OuterHeard: heard,
	}
	fmt.Println(mzap.Nests(e, heard.Add(time.Hour), hold))
	fmt.Println(mzap.Nests(e, heard.Add(2*time.Hour), hold))
	e.NotInside = heard.Add(time.Hour)
	fmt.Println(mzap.Nests(e, heard.Add(2*time.Hour), hold))
	// Output:
	// unknown
	// yes
	// no
}
