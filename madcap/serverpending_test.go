// SPDX-License-Identifier: BSD-3-Clause

package madcap

import (
	"math"
	"testing"
)

// A token is never zero, which would mean that no answer is wanted, even when a
// place has been used four billion times; and an old token never answers a new
// question.
func TestServerTokens(t *testing.T) {
	var s pendingSet
	s.init()
	x := &exchange{id: LeaseIdentifier("a"), key: keyOf([]byte("a"))}
	p, old := s.enter(x)
	for _, turn := range []uint32{5, math.MaxUint32 - 1, math.MaxUint32} {
		p.turn = turn
		s.leave(Token(turn) << 32)
		var token Token
		if p, token = s.enter(x); token == 0 || token>>32 == 0 {
			t.Errorf("token %#x after turn %#x", token, turn)
		}
	}
	p.turn = 77
	if s.leave(old) != nil || s.leave(Token(77)<<32|1) != nil {
		t.Error("a wrong token was taken")
	}
	if s.leave(Token(77)<<32) != p {
		t.Error("the right token was not taken")
	}
}
