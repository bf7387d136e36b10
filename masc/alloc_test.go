// SPDX-License-Identifier: BSD-3-Clause

//go:build !race

package masc_test

import (
	"testing"

	"github.com/mcastalloc/malloc/masc"
	"github.com/mcastalloc/malloc/masc/masctest"
)

// TestNoAllocs: decoding into a used value, appending to a used buffer and
// taking in a claim allocate nothing.
func TestNoAllocs(t *testing.T) {
	var m masc.Message
	buf := make([]byte, 0, masc.MaxMessage)
	for name := range goldens(t) {
		b := packet(t, name)
		if n := testing.AllocsPerRun(100, func() {
			if err := m.Decode(b); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("decoding %s: %v", name, n)
		}
		if n := testing.AllocsPerRun(100, func() {
			if _, err := m.AppendBinary(buf); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("appending %s: %v", name, n)
		}
	}
	node := crowded(t, 1000)
	c := crowd(7)
	if n := testing.AllocsPerRun(100, func() {
		c.Lifetime++
		c.Holdtime++
		if err := node.Receive(masctest.Epoch, 0, c); err != nil {
			t.Fatal(err)
		}
		for range node.Effects() {
		}
	}); n != 0 {
		t.Errorf("a claim: %v", n)
	}
}
