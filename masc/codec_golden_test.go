// SPDX-License-Identifier: BSD-3-Clause

package masc_test

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mcastalloc/malloc/masc"
)

var equate = []cmp.Option{
	cmpopts.EquateComparable(masc.ID{}, masc.Prefix{}, netip.Addr{}, netip.Prefix{}),
	cmpopts.EquateEmpty(),
}

// packet reads a file of testdata/packets: octets in hex, each line with a
// comment that says what they are.
func packet(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "packets", name+".hex"))
	if err != nil {
		t.Fatal(err)
	}
	var digits strings.Builder
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "#")
		digits.WriteString(strings.Join(strings.Fields(line), ""))
	}
	return unhex(t, digits.String())
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func node(s string) masc.ID { return masc.AddrID(netip.MustParseAddr(s)) }

const (
	sep9  = 968457600 // 2000-09-09 00:00 GMT
	days2 = 172800
)

// claim returns a claim of domain 64501 for a prefix, made at sep9 for 30 days.
func claim(t masc.ClaimType, prefix string) masc.Claim {
	c := masc.Claim{Type: t, Timestamp: sep9, Lifetime: 2592000, Holdtime: days2,
		Domain: masc.NumberID(64501), Node: node("192.0.2.7"), Prefix: masc.MustPrefix(prefix)}
	if t == masc.PrefixInUse || t == masc.PrefixManaged || t == masc.Withdraw {
		c.Holdtime = c.Lifetime
	}
	return c
}

func with(c masc.Claim, change func(*masc.Claim)) masc.Claim { change(&c); return c }

func update(claims ...masc.Claim) masc.Message {
	return masc.Message{Type: masc.TypeUpdate, Update: masc.Update{Claims: claims}}
}

// goldens pairs the packets with what they say.
func goldens(t testing.TB) map[string]masc.Message {
	open := func(o masc.Open) masc.Message { return masc.Message{Type: masc.TypeOpen, Open: o} }
	notification := func(n masc.Notification) masc.Message {
		return masc.Message{Type: masc.TypeNotification, Notification: n}
	}
	hint := claim(masc.NewClaim, "228.5.0.0/16")
	hint.Prefix = masc.Hint(masc.FamilyIPv4, 22)
	managed := func(prefix string, life masc.Seconds, deprecated bool) masc.Claim {
		return masc.Claim{Type: masc.PrefixManaged, Deprecated: deprecated, Timestamp: sep9, Lifetime: life, Holdtime: life,
			Domain: masc.NumberID(64500), Node: node("192.0.2.1"), Prefix: masc.MustPrefix(prefix)}
	}
	return map[string]masc.Message{
		"keepalive": {Type: masc.TypeKeepalive},
		"open-ipv4-child": open(masc.Open{Family: masc.FamilyIPv4, Role: masc.Child, HoldTime: 240 * time.Second,
			Domain: masc.NumberID(64501), Node: node("192.0.2.7"), Parent: masc.NumberID(64500)}),
		"open-ipv6-sibling": open(masc.Open{Family: masc.FamilyIPv6, Role: masc.Sibling, HoldTime: 90 * time.Second,
			Domain: masc.NumberID(64500), Node: node("2001:db8::1")}),
		"open-parameter": open(masc.Open{Family: masc.FamilyIPv4, Role: masc.Internal, HoldTime: 240 * time.Second,
			Domain: masc.NumberID(64501), Node: node("192.0.2.8"), Parent: masc.NumberID(64500),
			Params: []masc.Param{{Type: 77, Value: []byte{0xca, 0xfe}}}}),
		"new-claim":    update(claim(masc.NewClaim, "228.5.0.0/16")),
		"hint":         update(hint),
		"claim-denied": update(with(claim(masc.ClaimDenied, "228.5.0.0/16"), func(c *masc.Claim) { c.Lifetime = 1209600 })),
		"prefix-managed": update(managed("228.4.0.0/16", 864000, true),
			managed("228.8.0.0/13", 2592000, false)),
		"new-claim-ipv6": update(masc.Claim{Type: masc.NewClaim, Role: masc.Child, Timestamp: sep9, Lifetime: 2592000, Holdtime: days2,
			Domain: node("2001:db8::"), Node: node("2001:db8::7"), Prefix: masc.MustPrefix("ff3e:30::/40")}),
		"withdraw": update(with(claim(masc.Withdraw, "228.5.64.0/18"), func(c *masc.Claim) { c.Timestamp = 968371200 })),
		"prefix-in-use": update(with(claim(masc.PrefixInUse, "228.5.0.0/16"), func(c *masc.Claim) { c.Role = masc.Child }),
			with(claim(masc.ClaimToExpand, "228.4.0.0/15"), func(c *masc.Claim) { c.Role = masc.Child; c.Timestamp += days2 })),
		"update-optional": {Type: masc.TypeUpdate, Update: masc.Update{
			Claims: []masc.Claim{with(claim(masc.NewClaim, "228.5.0.0/16"), func(c *masc.Claim) { c.Role = masc.Sibling })},
			Extra: []masc.Extra{{Claim: 0, Type: 200, Data: unhex(t, "0badcafe")},
				{Claim: 0, Data: unhex(t, "0409cafebabe 0000")}}}},
		"notification-version": notification(masc.Notification{Reason: masc.UnsupportedVersion, Data: []byte{1}}),
		"notification-parents": notification(masc.Notification{Reason: masc.NoCommonParent, Data: unhex(t, "0000fbf4 0000fbfe")}),
		"notification-mask": notification(masc.Notification{Stay: true, Reason: masc.NonContiguousMask,
			Data: unhex(t, "00240300 00040000 39b97d80 00278d00 0002a300 0000fbf5 c0000207 e4000500 ff00ff00")}),
		"notification-length": notification(masc.Notification{Reason: masc.BadMessageLength, Data: unhex(t, "0005040000")}),
		"notification-cease":  notification(masc.Notification{Reason: masc.Cease}),
	}
}

// TestGolden reads and writes every packet: MASC-7.1-3, MASC-7.2-5,
// MASC-7.2-12, MASC-7.2-18, MASC-7.3-4, MASC-7.3-5, MASC-7.3-12, MASC-7.3-13,
// MASC-7.3-14, MASC-7.3-15, MASC-7.3-16, MASC-7.3-17, MASC-7.3-20,
// MASC-7.3-21, MASC-7.4-6, MASC-7.5-6, MASC-D-1, MASC-D-2.
func TestGolden(t *testing.T) {
	want := goldens(t)
	files, _ := filepath.Glob(filepath.Join("testdata", "packets", "*.hex"))
	if len(files) != len(want) {
		t.Errorf("%d packets and %d values", len(files), len(want))
	}
	var reused masc.Message
	for name, m := range want {
		t.Run(name, func(t *testing.T) {
			b := packet(t, name)
			if err := reused.Decode(b); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(m, reused, equate...); d != "" {
				t.Error(d)
			}
			got, err := m.AppendBinary([]byte("before"))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, append([]byte("before"), b...)) {
				t.Errorf("wrote\n%x, want\n%x", got[6:], b)
			}
		})
	}
}
