// SPDX-License-Identifier: BSD-3-Clause

package madcap_test

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/madcap"
)

// srvGolden returns the datagrams of testdata/packets: hex with comments from #
// to the end of the line.
func srvGolden(t testing.TB) [][]byte {
	files, err := filepath.Glob("testdata/packets/*")
	if err != nil || len(files) == 0 {
		t.Fatalf("no packets: %v", err)
	}
	var packets [][]byte
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var digits strings.Builder
		for line := range strings.Lines(string(text)) {
			line, _, _ = strings.Cut(line, "#")
			digits.WriteString(strings.Join(strings.Fields(line), ""))
		}
		b, err := hex.DecodeString(digits.String())
		if err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		packets = append(packets, b)
	}
	return packets
}

// FuzzServerReceive gives a server a datagram, and again once the allocator has
// answered. It must not panic, and do at most one thing for each: an answer, or
// a question, and besides the end of a hold or a deferral.
func FuzzServerReceive(f *testing.F) {
	for i, b := range srvGolden(f) {
		f.Add(b, byte(i))
	}
	r := newSrvRig(f, srvServe6)
	for _, m := range []*madcap.Message{srvDiscover(1), srvRequest(2), srvRequest(3, srvPatience), srvRenew(4), srvRelease(5), srvInfo(6, 9, 11, 12, 17)} {
		for how := range byte(4) {
			f.Add(r.octets(m), how)
		}
	}
	f.Fuzz(func(t *testing.T, payload []byte, how byte) {
		r := newSrvRig(t, func(c *madcap.ServerConfig) {
			srvServe6(c)
			c.Secure = how&32 != 0
			c.NakLimit = int(how >> 6)
		})
		if state := []string{"NONE", "HELD", "LEASED", "DEFERRED"}[how>>2&3]; state != "HELD" || !r.cfg.Secure {
			r.state(state)
		}
		r.late = true
		d := madcap.Datagram{From: srvClient, To: []netip.Addr{srvAddr, srvGroup, srvGroup6, {}}[how&3], Local: srvAddr, Payload: payload}
		before := bytes.Clone(payload)
		for range 2 {
			r.asks, r.sends = nil, nil
			r.give(d)
			questions, notices := 0, 0
			for _, a := range r.asks {
				if a.Token != 0 {
					questions++
				} else {
					notices++
				}
			}
			if len(r.sends)+questions > 1 || notices > 1 {
				t.Fatalf("%d answers, %d questions, %d notices", len(r.sends), questions, notices)
			}
			for i := range r.sends {
				var m madcap.Message
				if err := m.Decode(r.sends[i].Packet); err != nil || m.Type.FromClient() {
					t.Fatalf("answer %x: %v", r.sends[i].Packet, err)
				}
			}
			for len(r.open) > 0 {
				r.resolve()
			}
		}
		r.wait(24 * time.Hour)
		if !bytes.Equal(payload, before) {
			t.Fatal("the datagram was changed")
		}
	})
}
