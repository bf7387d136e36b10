// SPDX-License-Identifier: BSD-3-Clause

package scope

import (
	"bytes"
	"encoding"
	"encoding/hex"
	"errors"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var (
	_ encoding.TextAppender      = Range{}
	_ encoding.TextMarshaler     = Range{}
	_ encoding.TextUnmarshaler   = (*Range)(nil)
	_ encoding.TextAppender      = Set{}
	_ encoding.TextUnmarshaler   = (*Set)(nil)
	_ encoding.BinaryAppender    = Set{}
	_ encoding.BinaryMarshaler   = Set{}
	_ encoding.BinaryUnmarshaler = (*Set)(nil)
	_ encoding.TextAppender      = Scope{}
	_ encoding.TextUnmarshaler   = (*Scope)(nil)
	_ encoding.TextAppender      = Uint128{}
	_ encoding.TextUnmarshaler   = (*Uint128)(nil)
)

// TestComparable checks that the small values can be keys of a map.
func TestComparable(t *testing.T) {
	m := map[any]int{IPv4Local(): 1, IPv4Local().Range: 2, U128(7): 3, MAC{1}: 4, Classify(addr("ff02::1")): 5}
	if m[IPv4Local()] != 1 || m[MustRange("239.255.0.0", "239.255.255.255")] != 2 || m[Uint128{Lo: 7}] != 3 {
		t.Fatal("equal values are different keys")
	}
}

// TestSetBinary checks the binary form against octets written by hand.
func TestSetBinary(t *testing.T) {
	for _, tc := range []struct {
		text, hex string
	}{
		{"", ""},
		{"239.0.0.1", "04" + "ef000001" + "ef000001"},
		{"239.0.0.0/8", "04" + "ef000000" + "efffffff"},
		{"224.0.0.1, 239.0.0.0/8", "04" + "e0000001" + "e0000001" + "ef000000" + "efffffff"},
		{"ff02::1-ff02::5", "06" + "ff020000000000000000000000000001" + "ff020000000000000000000000000005"},
	} {
		want, _ := hex.DecodeString(tc.hex)
		s, err := ParseSet(tc.text)
		if err != nil || s.String() != tc.text {
			t.Fatalf("%q is %v, %v", tc.text, s, err)
		}
		got, err := s.MarshalBinary()
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%q: %x, %v, want %x", tc.text, got, err, want)
		}
		back := MustSet("10.0.0.1")
		if err := back.UnmarshalBinary(want); err != nil || !back.Equal(s) {
			t.Errorf("%q came back as %v, %v", tc.text, back, err)
		}
	}
	for _, tc := range []struct {
		why, hex string
		want     error
	}{
		{"no range", "04", ErrSyntax},
		{"another family", "05" + "ef000001ef000001", ErrSyntax},
		{"a piece missing", "04" + "ef000001ef0000", ErrSyntax},
		{"a piece too many", "04" + "ef000001ef00000100", ErrSyntax},
		{"IPv4 as IPv6", "06" + "ef000001ef000001", ErrSyntax},
		{"reversed", "04" + "ef000002ef000001", ErrReversed},
		{"touching", "04" + "ef000001ef000001" + "ef000002ef000002", ErrSyntax},
		{"overlapping", "04" + "ef000001ef000005" + "ef000003ef000009", ErrSyntax},
		{"inside", "04" + "ef000001ef000009" + "ef000003ef000005", ErrSyntax},
		{"descending", "04" + "ef000009ef000009" + "ef000001ef000002", ErrSyntax},
		{"past the end", "04" + "00000000ffffffff" + "00000000ffffffff", ErrSyntax},
	} {
		data, _ := hex.DecodeString(tc.hex)
		s := MustSet("10.0.0.1")
		var e *Error
		if err := s.UnmarshalBinary(data); !errors.Is(err, tc.want) || !errors.As(err, &e) || !s.Equal(MustSet("10.0.0.1")) {
			t.Errorf("%s: %v, set is now %v", tc.why, err, s)
		}
	}
}

// TestAppend checks that appending leaves alone what is there, with room and
// without.
func TestAppend(t *testing.T) {
	s := MustSet("239.0.0.1", "239.0.0.9-239.0.0.20")
	for _, append := range []func([]byte) ([]byte, error){s.AppendBinary, s.AppendText, s.Range(1).AppendText, IPv4Local().AppendText, U128(1234).AppendText} {
		want, _ := append(nil)
		for _, room := range []int{0, 1, 100} {
			b := make([]byte, 3, 3+room)
			copy(b, "abc")
			got, err := append(b)
			if err != nil || string(got[:3]) != "abc" || !bytes.Equal(got[3:], want) || string(b) != "abc" {
				t.Errorf("%q, %v", got, err)
			}
		}
	}
}

// TestParseSetErrors checks that the offending range is quoted.
func TestParseSetErrors(t *testing.T) {
	for _, tc := range []struct {
		text, quotes string
		want         error
	}{
		{"239.0.0.1, 239.0.0.x", `"239.0.0.x"`, ErrSyntax},
		{"239.0.0.1 ff02::1", `"ff02::1"`, ErrMixedFamilies},
		{"239.0.0.9-239.0.0.1", `"239.0.0.9-239.0.0.1"`, ErrReversed},
		{"239.0.0.1,::ffff:1.2.3.4", `"::ffff:1.2.3.4"`, ErrInvalid},
		{strings.Repeat("9", 1<<20), `999..."`, ErrSyntax},
	} {
		_, err := ParseSet(tc.text)
		if !errors.Is(err, tc.want) || !strings.Contains(err.Error(), tc.quotes) || len(err.Error()) > 500 {
			t.Errorf("%.50q: %v", tc.text, err)
		}
	}
	for _, text := range []string{"", " ", ",", " , ,\n"} {
		if s, err := ParseSet(text); err != nil || !s.IsEmpty() {
			t.Errorf("%q: %v, %v", text, s, err)
		}
	}
}

// TestUint128 holds the arithmetic against math/big.
func TestUint128(t *testing.T) {
	max := new(big.Int).Lsh(big.NewInt(1), 128)
	word := rapid.OneOf(rapid.Uint64(), rapid.Just(uint64(0)), rapid.Just(^uint64(0)), rapid.Just(uint64(1)<<63))
	rapid.Check(t, func(t *rapid.T) {
		u := Uint128{word.Draw(t, "u.Hi"), word.Draw(t, "u.Lo")}
		v := Uint128{word.Draw(t, "v.Hi"), word.Draw(t, "v.Lo")}
		n := rapid.IntRange(0, 130).Draw(t, "n")
		same := func(what string, got Uint128, want *big.Int) {
			t.Helper()
			if got.Big().Cmp(want.Mod(want, max)) != 0 {
				t.Fatalf("%s of %v, %v, %d: %v, want %v", what, u, v, n, got, want)
			}
		}
		same("sum", u.Add(v), new(big.Int).Add(u.Big(), v.Big()))
		same("difference", u.Sub(v), new(big.Int).Sub(u.Big(), v.Big()))
		same("product", times(u, v), new(big.Int).Mul(u.Big(), v.Big()))
		same("left shift", u.shl(n), new(big.Int).Lsh(u.Big(), uint(n)))
		same("right shift", u.shr(n), new(big.Int).Rsh(u.Big(), uint(n)))
		if v.Lo != 0 {
			q, r := divide(u, v.Lo)
			same("quotient", q, new(big.Int).Div(u.Big(), U128(v.Lo).Big()))
			same("rest", U128(r), new(big.Int).Mod(u.Big(), U128(v.Lo).Big()))
		}
		if u.Cmp(v) != u.Big().Cmp(v.Big()) || u.Less(v) != (u.Cmp(v) < 0) || u.bitLen() != u.Big().BitLen() ||
			below128(u, v) != below32(uint32(1+u.Cmp(v)), 1) {
			t.Fatal("order")
		}
		if !u.IsZero() && u.trailingZeros() != int(u.Big().TrailingZeroBits()) {
			t.Fatal("trailing zeros")
		}
		text := u.String()
		if text != u.Big().String() {
			t.Fatalf("text %s", text)
		}
		var back Uint128
		if err := back.UnmarshalText([]byte(text)); err != nil || back != u {
			t.Fatalf("%s came back as %v, %v", text, back, err)
		}
		if f, _ := new(big.Float).SetInt(u.Big()).Float64(); u.Float64() < f*(1-1e-15) || u.Float64() > f*(1+1e-15) {
			t.Fatalf("float of %v", u)
		}
	})
	for _, text := range []string{"", "-1", "+1", "1.0", "x", "1 ", "340282366920938463463374607431768211456", "999999999999999999999999999999999999999"} {
		var u Uint128
		if err := u.UnmarshalText([]byte(text)); !errors.Is(err, ErrSyntax) {
			t.Errorf("%q is %v, %v", text, u, err)
		}
	}
	if n, ok := (Uint128{Hi: 1}).Uint64(); ok {
		t.Errorf("2^64 is %d", n)
	}
}
