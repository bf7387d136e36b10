// SPDX-License-Identifier: BSD-3-Clause

package madcap

import "net/netip"

// Effect is something a machine wants its driver to do: *Send for both
// machines, *Done for a Client, *Ask for a Server. A driver carries effects out
// in the order they come.
type Effect interface{ effect() }

// Send is a datagram to be sent. The driver must not keep Packet beyond the
// next call of the machine.
type Send struct {
	To       netip.AddrPort // a client, a server, or a server group
	From     netip.Addr     // local address to send from; the zero Addr leaves the choice to the system
	HopLimit int            // TTL or hop limit; 0 leaves the choice to the system
	Packet   []byte
}

func (*Send) effect() {}
