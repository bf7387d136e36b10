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
	// Little-endian loads save a swap per word: the sum of swapped words is
	// the swapped sum (RFC 1071 section 2 (B)).
	var acc, carries, carry uint64
	for len(b) >= 64 {
		// Eight words by themselves, so that the next eight need not wait.
		block, c := bits.Add64(binary.LittleEndian.Uint64(b[0:8]), binary.LittleEndian.Uint64(b[8:16]), 0)
		block, c = bits.Add64(block, binary.LittleEndian.Uint64(b[16:24]), c)
		block, c = bits.Add64(block, binary.LittleEndian.Uint64(b[24:32]), c)
		block, c = bits.Add64(block, binary.LittleEndian.Uint64(b[32:40]), c)
		block, c = bits.Add64(block, binary.LittleEndian.Uint64(b[40:48]), c)
		block, c = bits.Add64(block, binary.LittleEndian.Uint64(b[48:56]), c)
		block, c = bits.Add64(block, binary.LittleEndian.Uint64(b[56:64]), c)
		acc, c = bits.Add64(acc, block, c)
		carries += c
		b = b[64:]
	}
	acc, carry = bits.Add64(acc, carries, 0)
	acc += carry
	for len(b) >= 8 {
		acc, carry = bits.Add64(acc, binary.LittleEndian.Uint64(b), 0)
		acc += carry
		b = b[8:]
	}
	if len(b) >= 4 {
		acc, carry = bits.Add64(acc, uint64(binary.LittleEndian.Uint32(b)), 0)
		acc += carry
		b = b[4:]
	}
	if len(b) > 0 {
		var last uint64
		for i, o := range b {
			last |= uint64(o) << (8 * i)
		}
		acc, carry = bits.Add64(acc, last, 0)
		acc += carry
	}
	return s.add(bits.ReverseBytes64(acc))
}

// sumHeader adds an IPv4 header, which nearly always has no options.
func sumHeader(b []byte) sum {
	if len(b) != ipv4Len {
		return sum(0).addBytes(b)
	}
	acc, c := bits.Add64(binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:]), 0)
	acc, c = bits.Add64(acc, uint64(binary.BigEndian.Uint32(b[16:])), c)
	return sum(acc + c)
}

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
