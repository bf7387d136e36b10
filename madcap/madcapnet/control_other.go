// SPDX-License-Identifier: BSD-3-Clause

//go:build !linux

package madcapnet

// control reads where a datagram was sent and on which interface it came in.
func (s *socket) control(in *inbound, oob []byte) { s.parseControl(in, oob) }
