// SPDX-License-Identifier: BSD-3-Clause

package aap_test

import (
	"bytes"
	"encoding/hex"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/mcastalloc/malloc/aap"
	"github.com/mcastalloc/malloc/scope"
)

// golden reads testdata/<name>.hex: hexadecimal octets, a comment per field.
func golden(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name + ".hex")
	if err != nil {
		t.Fatal(err)
	}
	var out []byte
	for line := range strings.Lines(string(text)) {
		octets, _, _ := strings.Cut(line, "#")
		b, err := hex.DecodeString(strings.TrimSpace(octets))
		if err != nil {
			t.Fatalf("%s: %q: %v", name, line, err)
		}
		out = append(out, b...)
	}
	return out
}

// sameMessage compares messages; an empty list is as good as none.
var sameMessage = cmp.Options{cmpopts.EquateComparable(scope.Range{}), cmpopts.EquateEmpty()}

// base is the clock of the examples, 2000-06-14 16:26:40.
const base = 961000000

// at returns base and so many seconds.
func at(s int64) time.Time { return time.Unix(base+s, 0).UTC() }

// tr returns a range that ends so many seconds after base.
func tr(first, last string, end int64) aap.TimedRange {
	return aap.TimedRange{Range: scope.MustRange(first, last), End: at(end)}
}

// worked are the messages of the testdata directory as values.
var worked = []struct {
	name string
	msg  aap.Message
}{
	{"e1", aap.Message{
		Type: aap.ACLM, Family: aap.IPv4, RSeq: 27, CurrentTime: at(0),
		Ranges: []aap.TimedRange{tr("239.255.7.42", "239.255.7.42", 3600)},
	}},
	{"e2", aap.Message{
		Type: aap.ACLM, Family: aap.IPv4, RSeq: 27, MSeq: 2, CurrentTime: at(2),
		Ranges: []aap.TimedRange{tr("239.255.91.3", "239.255.91.3", 3600), tr("239.255.12.0", "239.255.12.3", 7200)},
	}},
	{"e3", aap.Message{
		Type: aap.AIU, Family: aap.IPv4, RSeq: 28, CurrentTime: at(12),
		Ranges: []aap.TimedRange{tr("239.255.91.3", "239.255.91.3", 3600), tr("239.255.12.0", "239.255.12.3", 7200)},
	}},
	{"e4", aap.Message{
		Type: aap.AIU, Family: aap.IPv6, RSeq: 9, MSeq: 11, CurrentTime: at(400),
		Ranges: []aap.TimedRange{tr("ff15::1234:5600", "ff15::1234:56ff", 172800)},
	}},
	{"e5", aap.Message{
		Type: aap.AITU, Family: aap.IPv4, RSeq: 61, MSeq: 1, CurrentTime: at(1),
		Ranges: []aap.TimedRange{tr("239.255.40.0", "239.255.40.15", 3600)},
	}},
	{"e6", aap.Message{
		Type: aap.AIU, Family: aap.IPv6, RSeq: 9, MSeq: 12, CurrentTime: at(430),
		Ranges: []aap.TimedRange{tr("ff15::1234:5600", "ff15::1234:56ff", 420)},
	}},
	{"e7", aap.Message{
		Type: aap.ASA, Family: aap.IPv4, RSeq: 500, CurrentTime: at(0), Expiration: at(120),
		Ranges: []aap.TimedRange{tr("233.252.0.0", "233.252.0.255", 86400), tr("234.192.0.0", "234.192.0.127", 604800)},
	}},
	{"e8", aap.Message{
		Type: aap.ASA, Family: aap.IPv4, RSeq: 500, CurrentTime: at(143), Expiration: at(120),
		Ranges: []aap.TimedRange{tr("233.252.0.0", "233.252.0.255", 86400), tr("234.192.0.0", "234.192.0.127", 604800)},
	}},
	{"e9", aap.Message{
		Type: aap.ASRP, Family: aap.IPv4, RSeq: 77, CurrentTime: at(30),
		Reports: []aap.Report{
			{Range: scope.MustRange("233.252.0.0", "233.252.0.255"), InUse: 17},
			{Range: scope.MustRange("234.192.0.0", "234.192.0.127"), InUse: 128},
		},
		Requests: []aap.Request{{Count: 64, End: at(86400)}},
	}},
	{"e10", aap.Message{
		Type: aap.ASRP, Family: aap.IPv6, RSeq: 78, CurrentTime: at(30),
		Reports: []aap.Report{{Range: scope.MustRange("ff1e::8000:0", "ff1e::8fff:ffff"), InUse: math.MaxUint32}},
	}},
	{"e11", aap.Message{
		Type: aap.ANA, Family: aap.IPv4, RSeq: 76, MSeq: 2, CurrentTime: at(3), Need: aap.Request{Count: 64, End: at(86400)},
	}},
	{"e12", aap.Message{Type: aap.ASA, Family: aap.IPv6, RSeq: 501, CurrentTime: at(0), Expiration: at(120)}},
}

// TestWorked: the packets of testdata mean the values above, both ways. Their
// octets stand in network order, header before body (AAP-5.1-1, AAP-5.1-2), with
// version 0 (AAP-5.1.1-1), times in seconds since 1970 (AAP-5.3-1), 0xffffffff
// for a count out of bounds (AAP-5.4.5-1).
func TestWorked(t *testing.T) {
	var m aap.Message
	for _, w := range worked {
		t.Run(w.name, func(t *testing.T) {
			b := golden(t, w.name)
			if err := m.Decode(b); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(w.msg, m, sameMessage); d != "" {
				t.Error(d)
			}
			got, err := w.msg.AppendBinary([]byte("xy"))
			if err != nil || !bytes.Equal(got, append([]byte("xy"), b...)) {
				t.Errorf("written as %x (%v), want %x", got, err, b)
			}
			if got, err := w.msg.MarshalBinary(); err != nil || !bytes.Equal(got, b) || w.msg.Size() != len(b) {
				t.Errorf("marshalled as %x (%v), Size %d, want %x", got, err, w.msg.Size(), b)
			}
			var fresh aap.Message
			if err := fresh.UnmarshalBinary(b); err != nil || !cmp.Equal(fresh, *w.msg.Clone(), sameMessage) {
				t.Errorf("unmarshalled as %v (%v)", fresh, err)
			}
		})
	}
}

// TestTimeRange: times reach from 1970 to 2106 (AAP-5.3-1); no value is special
// (AAP-D-57).
func TestTimeRange(t *testing.T) {
	for _, s := range []int64{0, 1, math.MaxInt32 + 1, math.MaxUint32} {
		m := worked[0].msg.Clone()
		m.CurrentTime, m.Ranges[0].End = time.Unix(s, 0), time.Unix(s, 0)
		b, err := m.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		var back aap.Message
		if err := back.Decode(b); err != nil || back.CurrentTime.Unix() != s || back.Ranges[0].End.Unix() != s {
			t.Errorf("%d reads back as %v, %v (%v)", s, back.CurrentTime, back.Ranges[0].End, err)
		}
	}
}

// TestIsResent: a repeated ASA shows a current time past its expiration, and
// only then (AAP-4.2.1-7, AAP-D-34).
func TestIsResent(t *testing.T) {
	m := worked[6].msg
	for current, want := range map[int64]bool{0: false, 119: false, 120: false, 121: true} {
		m.CurrentTime = at(current)
		if m.IsResent() != want {
			t.Errorf("current time %d, expiration 120: IsResent %v", current, !want)
		}
	}
	m = worked[2].msg
	if m.IsResent() {
		t.Error("an AIU passes for a resent ASA")
	}
}

// TestBounds: a message concerns the scope that holds all its addresses.
func TestBounds(t *testing.T) {
	local := scope.MustRange("239.255.0.0", "239.255.255.255")
	for name, want := range map[string]string{
		"e1": "239.255.7.42-239.255.7.42", "e2": "239.255.12.0-239.255.91.3", "e4": "ff15::1234:5600-ff15::1234:56ff",
		"e7": "233.252.0.0-234.192.0.127", "e9": "233.252.0.0-234.192.0.127", "e11": "", "e12": "",
	} {
		for _, w := range worked {
			if w.name != name {
				continue
			}
			r, ok := w.msg.Bounds()
			if ok != (want != "") || ok && r != scope.MustRange(strings.Split(want, "-")[0], strings.Split(want, "-")[1]) {
				t.Errorf("%s: %v, %v, want %q", name, r, ok, want)
			}
		}
	}
	m := worked[1].msg.Clone()
	m.Ranges = append(m.Ranges, tr("239.192.0.1", "239.192.0.1", 60))
	if r, _ := m.Bounds(); local.Covers(r) {
		t.Error("addresses of two scopes pass for one")
	}
}
