// SPDX-License-Identifier: BSD-3-Clause

package xcast

import (
	"encoding/binary"
	"iter"
	"math/bits"
	"strconv"
)

// A Bitmap is a set of destinations, by their index 0 to 126 in the list. It is
// a comparable value; the zero value is the empty set.
//
// On the wire (RFC 5058 section 9.2.2) index 0 is the most significant bit of
// the first octet: index i is the mask 0x80 >> (i mod 8) of octet i / 8. The
// field is a multiple of 32 bits wide in Xcast4 and of 64 bits in Xcast6.
type Bitmap struct{ hi, lo uint64 }

// FirstN returns the set of the indexes 0 to n-1, for n from 0 to 127.
func FirstN(n int) Bitmap {
	switch {
	case n <= 0:
		return Bitmap{}
	case n <= 64:
		return Bitmap{hi: ^uint64(0) << (64 - n)}
	}
	return Bitmap{^uint64(0), ^uint64(0) << (128 - min(n, 127))}
}

// Bit returns the set of the one index i, or the empty set when i is not from
// 0 to 126.
func Bit(i int) Bitmap {
	// A shift by 64 or more, which a negative count becomes, leaves nothing.
	return Bitmap{1 << 63 >> uint(i), 1 << 63 >> uint(i-64) &^ 1}
}

// Has reports whether i is in the set.
func (m Bitmap) Has(i int) bool { return m.And(Bit(i)) != Bitmap{} }

// And returns what is in both sets.
func (m Bitmap) And(o Bitmap) Bitmap { return Bitmap{m.hi & o.hi, m.lo & o.lo} }

// Or returns what is in either set.
func (m Bitmap) Or(o Bitmap) Bitmap { return Bitmap{m.hi | o.hi, m.lo | o.lo} }

// Minus returns what is in m and not in o.
func (m Bitmap) Minus(o Bitmap) Bitmap { return Bitmap{m.hi &^ o.hi, m.lo &^ o.lo} }

// IsEmpty reports whether nothing is in the set.
func (m Bitmap) IsEmpty() bool { return m == Bitmap{} }

// Len returns how many indexes are in the set.
func (m Bitmap) Len() int { return bits.OnesCount64(m.hi) + bits.OnesCount64(m.lo) }

// First returns the lowest index of the set, -1 when it is empty.
func (m Bitmap) First() int {
	switch {
	case m.hi != 0:
		return bits.LeadingZeros64(m.hi)
	case m.lo != 0:
		return 64 + bits.LeadingZeros64(m.lo)
	}
	return -1
}

// All yields the indexes in ascending order.
func (m Bitmap) All() iter.Seq[int] {
	return func(yield func(int) bool) {
		for word, rest := range [2]uint64{m.hi, m.lo} {
			for rest != 0 {
				i := bits.LeadingZeros64(rest)
				if !yield(64*word + i) {
					return
				}
				rest &^= 1 << 63 >> i
			}
		}
	}
}

// String returns the indexes, such as "{0 2 5}".
func (m Bitmap) String() string {
	b := []byte{'{'}
	for i := range m.All() {
		if len(b) > 1 {
			b = append(b, ' ')
		}
		b = strconv.AppendInt(b, int64(i), 10)
	}
	return string(append(b, '}'))
}

// loadBitmap reads a field of 4, 8, 12 or 16 octets.
func loadBitmap(b []byte) (m Bitmap) {
	if len(b) == 4 {
		return Bitmap{hi: uint64(binary.BigEndian.Uint32(b)) << 32}
	}
	m.hi = binary.BigEndian.Uint64(b)
	switch len(b) {
	case 12:
		m.lo = uint64(binary.BigEndian.Uint32(b[8:])) << 32
	case 16:
		m.lo = binary.BigEndian.Uint64(b[8:])
	}
	return m
}

// store writes a field of 4, 8, 12 or 16 octets.
func (m Bitmap) store(b []byte) {
	if len(b) == 4 {
		binary.BigEndian.PutUint32(b, uint32(m.hi>>32))
		return
	}
	binary.BigEndian.PutUint64(b, m.hi)
	switch len(b) {
	case 12:
		binary.BigEndian.PutUint32(b[8:], uint32(m.lo>>32))
	case 16:
		binary.BigEndian.PutUint64(b[8:], m.lo)
	}
}
