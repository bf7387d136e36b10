// SPDX-License-Identifier: BSD-3-Clause

// Package xcast implements Explicit Multicast (RFC 5058): a packet carries the
// list of its unicast destinations, up to 127 of them, in place of a group
// address. Every Xcast router looks each destination up in its unicast table,
// sends one copy per next hop with the list shortened, and turns a copy for
// one destination into an ordinary unicast packet (X2U). There is no group, no
// membership and no state in the routers, so it suits very many very small
// sessions: calls, games, conferences. Receivers need nothing.
//
// The package has both encodings, Xcast4 (a header between IPv4 and the
// transport) and Xcast6 (an IPv6 Routing header, and a destination option for
// ports), and all that a router or host decides:
//
//   - [Header4] and [Header6] are the headers as values.
//   - [Packet] is a view of a whole packet, checked once, with accessors and
//     mutators on its octets; [Copy] and [X2U] make the packets of a branch.
//   - [Partition] and [SplitDSCP] group destinations; [Forwarder] is the whole
//     algorithm, with tunnels to Xcast peers (RFC 5058 section 11.1),
//     semi-permeable tunnels (11.3), relaying hosts (11.4) and the special
//     address of a few routers in a large network (11.5).
//   - [Prober] finds out which neighbours speak Xcast (11.2).
//   - [Datagram] builds what a sender sends, in several packets if need be.
//   - [IPv4] and [IPv6] are views of IP headers, [Checksum] and
//     [UpdateChecksum] the arithmetic of RFC 1071 and RFC 1624.
//
// Nothing here opens a socket, reads a clock or starts a goroutine: package
// xcastnet sends, package xcasttest tests.
//
// # Code points
//
// IANA assigned no numbers to Xcast. A program says which ones it uses, in a
// [CodePoints]; [Experimental] has those of RFC 4727 for trials.
//
// # A router
//
//	f, err := xcast.NewForwarder(xcast.Config{
//		Code:  xcast.Experimental(),
//		Local: func(a netip.Addr) bool { return a == myAddress },
//		Route: table.Lookup,
//	})
//	for {
//		in, packet := receive()
//		result, _ := f.Forward(in, packet)
//		for _, out := range result.Outputs {
//			transmit(out.Kind, out.Interface, out.NextHop, out.Head, out.Tail)
//		}
//	}
//
// # Where RFC 5058 is open
//
// The document is Experimental and says that it is not a complete
// specification. This package fixes one reading: the first destination is the
// most significant bit of the bitmap; the DS octets follow all addresses and
// hold the codepoint in their upper six bits; LENGTH covers the whole header;
// the checksum is always there, and in Xcast6 covers the Routing header;
// Xcast6 lists at most 125 destinations, 118 with DS octets, because that is
// what fits in a Routing header; every Xcast hop takes 1 from the TTL;
// [CompareDSCP] says which codepoint is more demanding. It is not compatible
// with the XCAST6 2.0 drafts, which have another header.
package xcast
