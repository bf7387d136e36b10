// SPDX-License-Identifier: BSD-3-Clause

package madcapnet

import (
	"net"
	"net/netip"

	"golang.org/x/net/ipv4"
)

// batch reads and writes several datagrams with one system call. It saves
// system calls where many clients ask at once and costs two small allocations
// for each datagram read, so a server uses it only when told to.
type batch struct {
	s     *socket
	in    []ipv4.Message // the same type as ipv6.Message
	out   []ipv4.Message
	addrs []net.UDPAddr // of out
	used  int           // of out
}

// newBatch returns buffers for n datagrams each way, nil if the socket cannot.
func newBatch(s *socket, n int) *batch {
	if n < 2 || s.udp == nil {
		return nil
	}
	b := &batch{s: s, in: make([]ipv4.Message, n), out: make([]ipv4.Message, n), addrs: make([]net.UDPAddr, n)}
	for i := range b.in {
		b.in[i].Buffers = [][]byte{make([]byte, maxDatagram)}
		b.in[i].OOB = make([]byte, len(s.oob))
		b.out[i].Buffers = [][]byte{nil}
		b.out[i].Addr = &b.addrs[i]
	}
	return b
}

// read waits for datagrams and returns how many there are.
func (b *batch) read() (int, error) {
	if b.s.p4 != nil {
		return b.s.p4.ReadBatch(b.in, 0)
	}
	return b.s.p6.ReadBatch(b.in, 0)
}

// datagram returns the i-th datagram read.
func (b *batch) datagram(i int) (inbound, error) {
	m := &b.in[i]
	from, err := addrPortOf(m.Addr)
	in := inbound{from: netip.AddrPortFrom(from.Addr().Unmap(), from.Port()), payload: m.Buffers[0][:m.N]}
	if err == nil && b.s.dst {
		b.s.control(&in, m.OOB[:m.NN])
	}
	return in, err
}

// add copies a datagram to those to be written; flush first if it is full.
func (b *batch) add(payload []byte, to netip.AddrPort, from netip.Addr) error {
	if b.used == len(b.out) {
		if err := b.flush(); err != nil {
			return err
		}
	}
	m, a := &b.out[b.used], &b.addrs[b.used]
	b.used++
	m.Buffers[0] = append(m.Buffers[0][:0], payload...)
	m.OOB = b.s.source(from)
	ip := to.Addr().As16()
	a.IP, a.Port, a.Zone = append(a.IP[:0], ip[:]...), int(to.Port()), to.Addr().Zone()
	return nil
}

// flush writes what was added. A datagram that cannot be sent is dropped, and
// the rest goes out; the first error is returned.
func (b *batch) flush() error {
	var first error
	for rest := b.out[:b.used]; len(rest) > 0; {
		var n int
		var err error
		if b.s.p4 != nil {
			n, err = b.s.p4.WriteBatch(rest, 0)
		} else {
			n, err = b.s.p6.WriteBatch(rest, 0)
		}
		if err != nil {
			if first == nil {
				first = err
			}
			n = 1
		}
		rest = rest[n:]
	}
	b.used = 0
	return first
}
