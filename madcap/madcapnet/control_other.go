// SPDX-License-Identifier: BSD-3-Clause

//go:build !linux

package madcapnet

import (
	"net/netip"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// control reads where a datagram was sent and on which interface it came in.
func (s *socket) control(in *inbound, oob []byte) {
	if s.p4 != nil {
		var cm ipv4.ControlMessage
		if cm.Parse(oob) == nil {
			in.to, _ = netip.AddrFromSlice(cm.Dst)
			in.to = in.to.Unmap()
			in.ifIndex = cm.IfIndex
		}
		return
	}
	var cm ipv6.ControlMessage
	if cm.Parse(oob) == nil {
		in.to, _ = netip.AddrFromSlice(cm.Dst)
		in.ifIndex = cm.IfIndex
	}
}
