// SPDX-License-Identifier: BSD-3-Clause

package xcastnet_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"

	"github.com/mcastalloc/malloc/xcast"
	"github.com/mcastalloc/malloc/xcast/xcastnet"
)

// On loopback there is no Xcast router, so everybody gets a copy of their own.
func Example() {
	var to []netip.AddrPort
	var receivers []*net.UDPConn
	for range 3 {
		r, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			fmt.Println(err)
			return
		}
		defer r.Close()
		receivers = append(receivers, r)
		to = append(to, r.LocalAddr().(*net.UDPAddr).AddrPort())
	}

	conn, err := xcastnet.Listen(context.Background(), netip.MustParseAddrPort("127.0.0.1:0"), xcastnet.Config{Code: xcast.Experimental()})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	sent, err := conn.WriteTo([]byte("hello"), to)
	fmt.Println(sent.Packets, sent.Mode, err)

	for _, r := range receivers {
		b := make([]byte, 10)
		n, _ := r.Read(b)
		fmt.Println(string(b[:n]))
	}
	// Output:
	// 3 unicast <nil>
	// hello
	// hello
	// hello
}
