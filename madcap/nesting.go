// SPDX-License-Identifier: BSD-3-Clause

package madcap

import "fmt"

// NestingState says which of the zones of a Multicast Scope List nest inside
// which others (option 17, RFC 2907). Zones are counted from 0 in the order of
// that list. A pair that is not said to nest either does not or is not known
// to: the wire cannot tell the two apart.
type NestingState struct {
	n    int    // zones
	rows []byte // n rows of rowLen(n) octets, the diagonal left out, padding ignored
}

// NewNestingState returns the state of n zones, 0 to 255, none of which nests
// in another yet. It panics for any other n.
func NewNestingState(n int) NestingState {
	if n < 0 || n > 255 {
		panic(fmt.Sprintf("madcap: a scope list cannot hold %d zones", n))
	}
	return NestingState{n: n, rows: make([]byte, n*rowLen(n))}
}

// rowLen returns the octets of a row: one bit for each other zone.
func rowLen(n int) int { return (max(n, 1) - 1 + 7) / 8 }

// Len returns the number of zones.
func (s NestingState) Len() int { return s.n }

// bit returns the place of "row nests inside column" in the matrix without its
// diagonal.
func (s NestingState) bit(row, column int) (octet int, mask byte) {
	if column > row {
		column--
	}
	return row*rowLen(s.n) + column/8, 0x80 >> (column % 8)
}

func (s NestingState) inRange(inner, outer int) bool {
	return inner >= 0 && outer >= 0 && inner < s.n && outer < s.n
}

// Nests reports whether zone inner is said to nest inside zone outer. A zone
// nests inside itself. Pairs out of range do not nest.
func (s NestingState) Nests(inner, outer int) bool {
	if !s.inRange(inner, outer) {
		return false
	}
	if inner == outer {
		return true
	}
	i, mask := s.bit(inner, outer)
	return s.rows[i]&mask != 0
}

// SetNests says whether zone inner nests inside zone outer. It fails for a
// pair out of range or on the diagonal. Copies of s share the state.
func (s NestingState) SetNests(inner, outer int, nests bool) error {
	if !s.inRange(inner, outer) || inner == outer {
		return fmt.Errorf("madcap: nesting state of %d zones has no pair (%d, %d)", s.n, inner, outer)
	}
	i, mask := s.bit(inner, outer)
	if nests {
		s.rows[i] |= mask
	} else {
		s.rows[i] &^= mask
	}
	return nil
}

// Equal reports whether s and t say the same of the same number of zones.
func (s NestingState) Equal(t NestingState) bool {
	if s.n != t.n {
		return false
	}
	for i := range s.n {
		for j := range s.n {
			if s.Nests(i, j) != t.Nests(i, j) {
				return false
			}
		}
	}
	return true
}

// decode reads the option's value; s aliases it.
func (s *NestingState) decode(v []byte) bool {
	if len(v) < 1 || len(v) != 1+int(v[0])*rowLen(int(v[0])) {
		return false
	}
	*s = NestingState{n: int(v[0]), rows: v[1:len(v):len(v)]}
	return true
}

// append writes the option's value with zero padding.
func (s NestingState) append(b []byte) []byte {
	b = append(b, byte(s.n))
	w := rowLen(s.n)
	if w == 0 {
		return b
	}
	pad := byte(0xFF) << (w*8 - (s.n - 1))
	for i := range s.n {
		b = append(b, s.rows[i*w:(i+1)*w]...)
		b[len(b)-1] &= pad
	}
	return b
}
