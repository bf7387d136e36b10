// SPDX-License-Identifier: BSD-3-Clause

package madcap_test

import (
	"testing"

	"github.com/mcastalloc/malloc/madcap"
)

// TestNoAllocs: reading into a message that is used again, writing into a
// buffer that is used again, and judging what is valid takes no memory. Nor
// does a walk over the options.
func TestNoAllocs(t *testing.T) {
	if srvRace {
		t.Skip("the race detector allocates")
	}
	buf := make([]byte, 0, 4096)
	var m madcap.Message
	for _, g := range goldens() {
		in := packet(t, g.name)
		check := func(what string, f func() error) {
			t.Helper()
			if err := f(); err != nil {
				t.Fatalf("%s: %s: %v", g.name, what, err)
			}
			if n := testing.AllocsPerRun(20, func() { _ = f() }); n != 0 {
				t.Errorf("%s: %s: %v allocations", g.name, what, n)
			}
		}
		check("Decode", func() error { return m.Decode(in) })
		check("AppendBinary", func() error { _, err := m.AppendBinary(buf); return err })
		check("RawOptions", func() error {
			for code, value := range madcap.RawOptions(in) {
				_, _ = code, value
			}
			return nil
		})
		if g.invalid == nil {
			check("Validate", func() error { return m.Validate(g.answers, g.multicast) })
			check("AppendValid", func() error { _, err := m.AppendValid(buf, g.answers, g.multicast); return err })
		}
	}
	// One message for all of them in turn, as a server has it.
	var packets [][]byte
	for _, g := range goldens() {
		packets = append(packets, packet(t, g.name))
	}
	all := func() {
		for _, b := range packets {
			if err := m.Decode(b); err != nil {
				t.Fatal(err)
			}
		}
	}
	all()
	if n := testing.AllocsPerRun(20, all); n != 0 {
		t.Errorf("Decode of all packets in turn: %v allocations", n)
	}
}
