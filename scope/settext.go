// SPDX-License-Identifier: BSD-3-Clause

package scope

import (
	"encoding/binary"
	"strings"
	"unicode"
)

// ParseSet reads ranges as [ParseRange] does, separated by commas, spaces or
// both, in any order. Empty text is the empty set. Its error is an [*Error]
// that quotes the offending range.
func ParseSet(text string) (Set, error) {
	var b SetBuilder
	fields := strings.FieldsFunc(text, func(r rune) bool { return r == ',' || unicode.IsSpace(r) })
	for _, f := range fields {
		r, err := ParseRange(f)
		if err != nil {
			return Set{}, err
		}
		b.Add(r)
	}
	return b.Set()
}

// String returns the ranges, each as [Range.String] writes it, joined by ", ".
// The empty set is "".
func (s Set) String() string { b, _ := s.AppendText(nil); return string(b) }

// AppendText appends the text of [Set.String].
func (s Set) AppendText(b []byte) ([]byte, error) {
	for i := range s.n {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = s.Range(i).appendTo(b)
	}
	return b, nil
}

// MarshalText returns the text of [Set.String].
func (s Set) MarshalText() ([]byte, error) { return s.AppendText(nil) }

// UnmarshalText reads what [ParseSet] reads.
func (s *Set) UnmarshalText(text []byte) error {
	t, err := ParseSet(string(text))
	if err == nil {
		*s = t
	}
	return err
}

// AppendBinary appends a compact form: nothing for the empty set, otherwise
// one octet 4 or 6 and the first and last address of each range, ascending,
// in network order.
func (s Set) AppendBinary(b []byte) ([]byte, error) {
	if s.n == 0 {
		return b, nil
	}
	if s.is4 {
		b = append(b, 4)
		for i := range s.n {
			p := s.span(i)
			b = binary.BigEndian.AppendUint32(b, uint32(p.first.Lo))
			b = binary.BigEndian.AppendUint32(b, uint32(p.last.Lo))
		}
		return b, nil
	}
	b = append(b, 6)
	for i := range s.n {
		p := s.span(i)
		for _, n := range [4]uint64{p.first.Hi, p.first.Lo, p.last.Hi, p.last.Lo} {
			b = binary.BigEndian.AppendUint64(b, n)
		}
	}
	return b, nil
}

// MarshalBinary returns the form of [Set.AppendBinary].
func (s Set) MarshalBinary() ([]byte, error) { return s.AppendBinary(nil) }

// UnmarshalBinary reads the form of [Set.AppendBinary] and nothing else: the
// ranges must be in normal form. It keeps no part of data. Its error is an
// [*Error] with [ErrSyntax] or [ErrReversed].
func (s *Set) UnmarshalBinary(data []byte) error {
	if len(data) == 0 {
		*s = Set{}
		return nil
	}
	is4, size := data[0] == 4, 32
	if is4 {
		size = 8
	}
	body := data[1:]
	if !is4 && data[0] != 6 || len(body) == 0 || len(body)%size != 0 {
		return badBinary(data, "one octet 4 or 6 and whole ranges", ErrSyntax)
	}
	w := newSetWriter(is4, len(body)/size)
	for i := 0; i < len(body); i += size {
		p := readSpan(body[i:i+size], is4)
		if p.last.Less(p.first) {
			return badBinary(data, "the first address not above the last", ErrReversed)
		}
		w.push(p)
		if len(w.r4)+len(w.r6) != i/size+1 {
			return badBinary(data, "ranges ascending, apart from each other", ErrSyntax)
		}
	}
	*s = w.set()
	return nil
}

func readSpan(b []byte, is4 bool) span {
	if is4 {
		return span{
			U128(uint64(binary.BigEndian.Uint32(b))),
			U128(uint64(binary.BigEndian.Uint32(b[4:]))),
		}
	}
	be := binary.BigEndian
	return span{Uint128{be.Uint64(b), be.Uint64(b[8:])}, Uint128{be.Uint64(b[16:]), be.Uint64(b[24:])}}
}

func badBinary(data []byte, want string, cause error) error {
	return &Error{"decode set", quoted(string(data)), want, cause}
}
