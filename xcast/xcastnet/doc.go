// SPDX-License-Identifier: BSD-3-Clause

// Package xcastnet sends Xcast (RFC 5058) from an application: a [Conn] is a
// UDP socket whose WriteTo takes a list of destinations. Where the process may
// open a raw socket it sends one Xcast packet, which the first Xcast router
// takes apart; where it may not it sends ordinary UDP, one datagram for each
// destination, and says so. Receivers need nothing: they get ordinary UDP.
//
//	conn, err := xcastnet.Listen(ctx, netip.MustParseAddrPort("192.0.2.10:4000"), xcastnet.Config{
//		Code: xcast.Experimental(),
//	})
//	sent, err := conn.WriteTo([]byte("hello"), destinations)
//	log.Printf("%d packets by %v", sent.Packets, sent.Mode)
package xcastnet
