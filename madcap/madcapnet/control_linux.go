// SPDX-License-Identifier: BSD-3-Clause

package madcapnet

import (
	"encoding/binary"
	"net/netip"
	"syscall"
)

// control reads where a datagram was sent and on which interface it came in.
// It walks the control messages of Linux itself, since the portable parser
// allocates memory for every datagram:
//
//	length (8 octets, or 4 on 32-bit machines), level (4), type (4), data
func (s *socket) control(in *inbound, oob []byte) {
	const header, word = syscall.SizeofCmsghdr, syscall.SizeofCmsghdr - 8
	for len(oob) >= header {
		var size int
		if word == 8 {
			size = int(binary.NativeEndian.Uint64(oob))
		} else {
			size = int(binary.NativeEndian.Uint32(oob))
		}
		if size < header || size > len(oob) {
			return
		}
		level := binary.NativeEndian.Uint32(oob[word:])
		typ := binary.NativeEndian.Uint32(oob[word+4:])
		data := oob[header:size]
		switch {
		case level == syscall.IPPROTO_IP && typ == syscall.IP_PKTINFO && len(data) >= 12:
			in.ifIndex = int(binary.NativeEndian.Uint32(data))
			in.local = netip.AddrFrom4([4]byte(data[4:8]))
			in.to = netip.AddrFrom4([4]byte(data[8:12]))
		case level == syscall.IPPROTO_IPV6 && typ == syscall.IPV6_PKTINFO && len(data) >= 20:
			in.to = netip.AddrFrom16([16]byte(data[:16]))
			in.ifIndex = int(binary.NativeEndian.Uint32(data[16:]))
		}
		oob = oob[min(len(oob), (size+word-1)&^(word-1)):]
	}
}
