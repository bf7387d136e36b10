// SPDX-License-Identifier: BSD-3-Clause

package xcast

import (
	"encoding/binary"
	"math/bits"
)

// A sum is a one's complement sum that is not folded yet. One's complement
// addition does not care about the width of its words (RFC 1071 section 2), so
// it runs over eight octets at a time; words are big-endian.
type sum uint64

// add adds a word of up to 64 bits, which must be aligned in what is summed.
func (s sum) add(v uint64) sum {
	r, carry := bits.Add64(uint64(s), v, 0)
	return sum(r + carry)
}

// replace accounts for a word that changed (RFC 1624, equation 3).
func (s sum) replace(old, new uint64) sum { return s.add(^old).add(new) }

// addBytes adds b, which starts at an even offset of what is summed; an odd
// last octet counts as if a zero followed.
func (s sum) addBytes(b []byte) sum {
	return s.add(bits.ReverseBytes64(uint64(swapped(b))))
}

// swapped returns the sum of b with its octets in reverse order: little-endian
// loads save a swap per word, as the sum of swapped words is the swapped sum
// (RFC 1071 section 2 (B)).
func swapped(b []byte) sum {
	var acc, carries, c uint64
	if len(b) >= 64 {
		i := 0
		for ; i <= len(b)-64; i += 64 {
			// Eight words by themselves, so that the next eight need not wait.
			w := b[i : i+64]
			block, c := bits.Add64(binary.LittleEndian.Uint64(w[0:8]), binary.LittleEndian.Uint64(w[8:16]), 0)
			block, c = bits.Add64(block, binary.LittleEndian.Uint64(w[16:24]), c)
			block, c = bits.Add64(block, binary.LittleEndian.Uint64(w[24:32]), c)
			block, c = bits.Add64(block, binary.LittleEndian.Uint64(w[32:40]), c)
			block, c = bits.Add64(block, binary.LittleEndian.Uint64(w[40:48]), c)
			block, c = bits.Add64(block, binary.LittleEndian.Uint64(w[48:56]), c)
			block, c = bits.Add64(block, binary.LittleEndian.Uint64(w[56:64]), c)
			acc, c = bits.Add64(acc, block, c)
			carries += c
		}
		b = b[i:]
	}
	i := 0
	for ; i <= len(b)-8; i += 8 {
		acc, c = bits.Add64(acc, binary.LittleEndian.Uint64(b[i:i+8]), 0)
		carries += c
	}
	if i == len(b) {
		return sum(acc).add(carries)
	}
	b = b[i:]
	if len(b) >= 4 {
		acc, c = bits.Add64(acc, uint64(binary.LittleEndian.Uint32(b)), 0)
		carries += c
		b = b[4:]
	}
	for i, o := range b {
		acc, c = bits.Add64(acc, uint64(o)<<(8*uint(i)), 0)
		carries += c
	}
	return sum(acc).add(carries)
}

// swappedIPv4 is swapped of an IPv4 header without options.
func swappedIPv4(b []byte) sum {
	h := (*[ipv4Len]byte)(b)
	acc, c := bits.Add64(binary.LittleEndian.Uint64(h[:]), binary.LittleEndian.Uint64(h[8:]), 0)
	acc, c = bits.Add64(acc, uint64(binary.LittleEndian.Uint32(h[16:])), c)
	return sum(acc + c)
}

// intact reports whether octets that hold their own checksum have the sum that
// it makes: all ones. As 2^16 is 1 modulo 0xffff, that is a multiple of 0xffff
// and not zero, also for a sum that is swapped or not folded.
func (s sum) intact() bool { return s != 0 && s%0xffff == 0 }

// fold returns the 16-bit one's complement sum.
func (s sum) fold() uint16 {
	v := uint64(s)
	v = v>>32 + v&0xffffffff
	v = v>>32 + v&0xffffffff
	v = v>>16 + v&0xffff
	v = v>>16 + v&0xffff
	return uint16(v)
}

// Checksum returns the Internet checksum of b (RFC 1071): the one's complement
// of the one's complement sum of its 16-bit words. Over octets that include a
// right checksum it returns 0.
func Checksum(b []byte) uint16 { return ^sum(0).addBytes(b).fold() }

// UpdateChecksum returns what a checksum becomes when old, a part of what it
// covers that starts at an even offset, turns into new of the same length (RFC
// 1624, equation 3). A checksum that was wrong stays wrong by as much.
func UpdateChecksum(checksum uint16, old, new []byte) uint16 {
	was, is := sum(0).addBytes(old).fold(), sum(0).addBytes(new).fold()
	return ^sum(^checksum).replace(uint64(was), uint64(is)).fold()
}

// headerChecksum maps the one value that a sum over a header, which is never
// all zero, cannot have to the one it stands for.
func headerChecksum(s sum) uint16 {
	if c := ^s.fold(); c != 0xffff {
		return c
	}
	return 0
}

// TransportChecksum returns the checksum of a UDP, TCP or ICMPv6 segment whose
// own checksum field holds zero, with the pseudo-header of RFC 768, RFC 9293
// or RFC 8200 section 8.1. Source and destination are 4 or 16 octets each. For
// UDP a zero is returned as 0xffff, as that protocol wants it.
func TransportChecksum(protocol uint8, source, destination, segment []byte) uint16 {
	s := sum(0).addBytes(source).addBytes(destination).add(uint64(protocol)).add(uint64(len(segment)))
	c := ^s.addBytes(segment).fold()
	if c == 0 && protocol == protoUDP {
		return 0xffff
	}
	return c
}
