// SPDX-License-Identifier: BSD-3-Clause

package madcap_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/mcastalloc/malloc/madcap"
)

// A REQUEST for two addresses of the IPv4 local scope, for one hour.
func ExampleMessage_AppendBinary() {
	id, err := madcap.AddressLeaseIdentifier(netip.MustParseAddr("198.51.100.17"), []byte{42})
	if err != nil {
		fmt.Println(err)
		return
	}
	request := madcap.Message{
		Type:            madcap.TypeRequest,
		Family:          madcap.FamilyIPv4,
		XID:             7,
		LeaseIdentifier: id,
		Scope:           netip.MustParseAddr("239.255.0.0"),
		LeaseTime:       madcap.Some(time.Hour),
		Addresses:       madcap.NumberOfAddresses{Min: 1, Desired: 2},
	}
	datagram, err := request.AppendBinary(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(hex.EncodeToString(datagram[:8]))
	for code, value := range madcap.RawOptions(datagram) {
		fmt.Printf("%v %x\n", code, value)
	}
	// Output:
	// 0003000100000007
	// LeaseIdentifier 010001c63364112a
	// MulticastScope efff0000
	// LeaseTime 00000e10
	// NumberOfAddresses 00010002
}

// An ACK that grants two addresses.
func ExampleMessage_Decode() {
	datagram, _ := hex.DecodeString("0005000100000007" +
		"000200060001c6336401" + // Server Identifier
		"00030002002a" + // Lease Identifier
		"00040004efff0000" + // Multicast Scope
		"0001000400000e10" + // Lease Time
		"000a0006efff00110002" + // List of Address Ranges
		"00000000") // End
	var m madcap.Message
	if err := m.Decode(datagram); err != nil {
		fmt.Println(err)
		return
	}
	if err := m.Validate(madcap.TypeRequest, false); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(m.Type, "from", m.ServerIdentifier)
	for _, r := range m.Ranges.Value {
		fmt.Println(r, "for", m.LeaseTime.Value)
	}
	// Output:
	// ACK from 198.51.100.1
	// 239.255.0.17-239.255.0.18 for 1h0m0s
}

// A server judges what it receives, and says what is wrong.
func ExampleMessage_Validate() {
	datagram, _ := hex.DecodeString("0003000100000007" +
		"00030002002a" + // Lease Identifier
		"00040004efff0000" + // Multicast Scope
		"000600046553ff10" + // Start Time, but no Current Time
		"00000000") // End
	var m madcap.Message
	err := m.Decode(datagram)
	if err == nil {
		err = m.Validate(0, false)
	}
	var bad *madcap.Error
	if !errors.As(err, &bad) {
		return
	}
	fmt.Println(bad)
	reason, ok := bad.Answer()
	if !ok {
		return // the protocol wants silence
	}
	nak := madcap.Message{
		Type:             madcap.TypeNak,
		Family:           m.Family,
		XID:              m.XID,
		LeaseIdentifier:  m.LeaseIdentifier,
		ServerIdentifier: madcap.ServerIdentifierOf(netip.MustParseAddr("198.51.100.1")),
		Error:            madcap.Some(reason),
	}
	answer, err := nak.AppendValid(nil, 0, false)
	fmt.Printf("%v: %x %v\n", reason, answer, err)
	// Output:
	// madcap: REQUEST: option CurrentTime: option is missing: a message with an absolute time has it too
	// Invalid Request (option CurrentTime): 0006000100000007000200060001c633640100030002002a001000040001000b00000000 <nil>
}

// The scopes of a list, and which of them nest in which.
func ExampleNestingState() {
	s := madcap.NewNestingState(3) // building, campus, world
	for _, pair := range [][2]int{{0, 1}, {0, 2}, {1, 2}} {
		if err := s.SetNests(pair[0], pair[1], true); err != nil {
			fmt.Println(err)
		}
	}
	fmt.Println("the building is in the world:", s.Nests(0, 2))
	fmt.Println("the world is in the campus:", s.Nests(2, 1))
	// Output:
	// the building is in the world: true
	// the world is in the campus: false
}

// A Lease Identifier says what it is, but not what would let others use it.
func ExampleLeaseIdentifier() {
	id, err := madcap.AddressLeaseIdentifier(netip.MustParseAddr("2001:db8::5"), []byte("lease 1"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(id)
	client, specific, _ := id.Address()
	fmt.Printf("%v %q\n", client, specific)
	// Output:
	// address-specific(25 octets)
	// 2001:db8::5 "lease 1"
}
