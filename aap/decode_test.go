// SPDX-License-Identifier: BSD-3-Clause

package aap_test

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mcastalloc/malloc/aap"
	"github.com/mcastalloc/malloc/scope"
)

// unhex reads hexadecimal octets with spaces between them.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestDecodeErrors: each check with its offset, and which of two defects counts
// (AAP-D-2). What is wrong is dropped whole.
func TestDecodeErrors(t *testing.T) {
	const (
		v4   = " 0001 00001b 00 3947b240 "
		v6   = " 0002 00001b 00 3947b240 "
		good = " efff072a efff072a 3947c050 "
		six  = " ff150000000000000000000012345600 ff1500000000000000000000123456ff 394a5540 "
	)
	for _, c := range []struct {
		id, octets string
		err        error
		offset     int
	}{
		{"AAP-5.1-3 nothing", "", aap.ErrShort, 0},
		{"AAP-5.1-3 the draft's header alone", "0000000100001b00", aap.ErrShort, 8},
		{"AAP-5.1-3 one octet short", "0000 0001 00001b 00 3947b2", aap.ErrShort, 11},
		{"AAP-D-1 short before version", "0700000100001b00", aap.ErrShort, 8},
		{"AAP-5.1.1-2", "0100" + v4 + good, aap.ErrVersion, 0},
		{"AAP-5.1.1-2 before msgtype", "ffff" + v4, aap.ErrVersion, 0},
		{"AAP-5.2-2", "0006" + v4 + good, aap.ErrType, 1},
		{"AAP-5.2-2 before family", "00ff 0000 00001b 00 3947b240", aap.ErrType, 1},
		{"AAP-D-3 family 0", "0000 0000 00001b 00 3947b240" + good, aap.ErrFamily, 2},
		{"AAP-D-3 family 3", "0000 0003 00001b 00 3947b240" + good, aap.ErrFamily, 2},
		{"AAP-D-3 family 0x0101", "0000 0101 00001b 00 3947b240" + good, aap.ErrFamily, 2},
		{"AAP-D-3 ANA", "0005 0003 00004c 02 3947b243 00000040 394903c0", aap.ErrFamily, 2},
		{"AAP-D-4 ACLM too long", "0000" + v4 + good + "00", aap.ErrLength, 25},
		{"AAP-D-4 ACLM too short", "0000" + v4 + " efff072a efff072a 3947c0", aap.ErrLength, 23},
		{"AAP-D-4 half a range before empty", "0001" + v4 + "efff", aap.ErrLength, 14},
		{"AAP-D-4 IPv4 ranges in an IPv6 message", "0000" + v6 + good, aap.ErrLength, 24},
		{"AAP-D-4 length before contents", "0000" + v4 + " 01020304 efff072a 3947c050 00", aap.ErrLength, 25},
		{"AAP-D-4 ASA without expiration", "0003" + v4 + "3947b2", aap.ErrLength, 15},
		{"AAP-D-4 ASA with half a range", "0003" + v4 + "3947b2b8 e9fc0000 e9fc", aap.ErrLength, 22},
		{"AAP-D-4 ASRP without counts", "0004" + v4, aap.ErrLength, 12},
		{"AAP-D-4 ASRP without second count", "0004" + v4 + "00", aap.ErrLength, 13},
		{"AAP-D-4 ASRP without its report", "0004" + v4 + "01 e9fc0000 e9fc00ff 000000", aap.ErrLength, 24},
		{"AAP-D-4 ASRP without count behind a report", "0004" + v4 + "01 e9fc0000 e9fc00ff 00000011", aap.ErrLength, 25},
		{"AAP-D-4 ASRP without its request", "0004" + v4 + "00 01 00000040 394903", aap.ErrLength, 21},
		{"AAP-D-4 ASRP with octets left over", "0004" + v4 + "00 00 00", aap.ErrLength, 15},
		{"AAP-D-4 ANA short", "0005" + v4 + "00000040 394903", aap.ErrLength, 19},
		{"AAP-D-4 ANA long", "0005" + v4 + "00000040 394903c0 00", aap.ErrLength, 21},
		{"AAP-D-5 ACLM", "0000" + v4, aap.ErrEmpty, 12},
		{"AAP-D-5 AIU", "0001" + v4, aap.ErrEmpty, 12},
		{"AAP-D-5 AITU", "0002" + v6, aap.ErrEmpty, 12},
		{"AAP-D-6 first", "0000" + v4 + " 0a000001 efff072a 3947c050", aap.ErrNotMulticast, 12},
		{"AAP-D-6 last", "0000" + v4 + " efff072a f0000000 3947c050", aap.ErrNotMulticast, 16},
		{"AAP-D-6 IPv6", "0001" + v6 + " fe800000000000000000000012345600 ff1500000000000000000000123456ff 394a5540", aap.ErrNotMulticast, 12},
		{"AAP-D-6 order", "0002" + v4 + " efff072b efff072a 3947c050", aap.ErrRangeOrder, 16},
		{"AAP-D-6 second range", "0001" + v6 + six + " ff15000000000000000000001234570a ff150000000000000000000012345700 394a5540", aap.ErrRangeOrder, 64},
		{"AAP-D-6 element by element", "0000" + v4 + " efff072b efff072a 3947c050 0a000001 0a000001 3947c050", aap.ErrRangeOrder, 16},
		{"AAP-D-6 ASA", "0003" + v4 + "3947b2b8 e9fc0000 01020304 394903c0", aap.ErrNotMulticast, 20},
		{"AAP-D-6 report", "0004" + v4 + "01 7f000001 e9fc00ff 00000011 00", aap.ErrNotMulticast, 13},
		{"AAP-D-8 ANA", "0005" + v4 + "00000000 394903c0", aap.ErrZeroCount, 12},
		{"AAP-D-8 ASRP", "0004" + v4 + "00 02 00000001 394903c0 00000000 394903c0", aap.ErrZeroCount, 22},
		{"AAP-D-8 after all reports", "0004" + v4 + "01 e9fc00ff e9fc0000 00000011 01 00000000 394903c0", aap.ErrRangeOrder, 17},
	} {
		t.Run(c.id, func(t *testing.T) {
			m := *worked[8].msg.Clone()
			err := m.Decode(unhex(t, c.octets))
			var e *aap.Error
			if !errors.As(err, &e) || !errors.Is(err, c.err) || e.Offset != c.offset {
				t.Fatalf("%v, want %q at %d", err, c.err, c.offset)
			}
			if d := cmp.Diff(aap.Message{}, m, sameMessage); d != "" {
				t.Error(d)
			}
			if !strings.HasPrefix(err.Error(), "aap: ") || !strings.Contains(err.Error(), c.err.Error()) {
				t.Errorf("message %q", err)
			}
		})
	}
}

// TestDecodeAccepts what only a receiver can judge.
func TestDecodeAccepts(t *testing.T) {
	for _, c := range []struct{ id, octets string }{
		{"AAP-D-7 overlapping, unsorted", "0000 0001 000000 00 3947b240 efff0800 efff08ff 3947c050 efff0700 efff0810 3947c051"},
		{"AAP-D-13 ended", "0001 0001 000000 00 3947b240 efff0800 efff08ff 00000000"},
		{"AAP-D-9 more in use than there are", "0004 0001 000000 00 3947b240 01 efff0800 efff0800 00000002 00"},
		{"AAP-D-5 empty ASA", "0003 0001 000000 00 3947b240 3947b240"},
		{"AAP-D-5 empty ASRP", "0004 0002 ffffff ff ffffffff 00 00"},
		{"AAP-D-50 longer than 500", "0001 0001 000000 00 3947b240" + strings.Repeat("efff0800 efff08ff 3947c050", 500)},
	} {
		var m aap.Message
		if err := m.Decode(unhex(t, c.octets)); err != nil {
			t.Errorf("%s: %v", c.id, err)
		}
	}
	big := unhex(t, "0001 0001 000000 00 3947b240"+strings.Repeat("efff0800 efff08ff 3947c050", 5458))
	var m aap.Message
	if err := m.Decode(big[:12+12*5457]); err != nil {
		t.Errorf("AAP-D-50: %d octets: %v", 12+12*5457, err)
	}
	if err := m.Decode(big); !errors.Is(err, aap.ErrLength) {
		t.Errorf("AAP-D-50: %d octets: %v", len(big), err)
	}
}

// TestAppendRefuses what Decode would not give back, and leaves dst alone.
func TestAppendRefuses(t *testing.T) {
	for _, c := range []struct {
		id, from string
		change   func(*aap.Message)
		err      error
	}{
		{"AAP-D-59 rseq", "e1", func(m *aap.Message) { m.RSeq = 1 << 24 }, aap.ErrField},
		{"AAP-D-59 before 1970", "e1", func(m *aap.Message) { m.CurrentTime = time.Unix(-1, 0) }, aap.ErrField},
		{"AAP-D-59 after 2106", "e1", func(m *aap.Message) { m.Ranges[0].End = time.Unix(1<<32, 0) }, aap.ErrField},
		{"AAP-D-59 zero time", "e7", func(m *aap.Message) { m.Expiration = time.Time{} }, aap.ErrField},
		{"AAP-D-59 not a whole second", "e11", func(m *aap.Message) { m.Need.End = m.Need.End.Add(1) }, aap.ErrField},
		{"AAP-5.2-2 type", "e1", func(m *aap.Message) { m.Type = 6 }, aap.ErrType},
		{"AAP-D-3 family", "e1", func(m *aap.Message) { m.Family = 3 }, aap.ErrFamily},
		{"AAP-5.1.3-1 range", "e1", func(m *aap.Message) { m.Family = aap.IPv6 }, aap.ErrFamily},
		{"AAP-5.1.3-1 report", "e10", func(m *aap.Message) { m.Family = aap.IPv4 }, aap.ErrFamily},
		{"AAP-D-5 empty", "e5", func(m *aap.Message) { m.Ranges = nil }, aap.ErrEmpty},
		{"AAP-D-6 no range", "e5", func(m *aap.Message) { m.Ranges[0].Range = scope.Range{} }, aap.ErrFamily},
		{"AAP-D-6 unicast", "e5", func(m *aap.Message) { m.Ranges[0].Range = scope.MustRange("10.0.0.1", "224.0.0.1") }, aap.ErrNotMulticast},
		{"AAP-D-6 beyond", "e5", func(m *aap.Message) { m.Ranges[0].Range = scope.MustRange("224.0.0.1", "240.0.0.1") }, aap.ErrNotMulticast},
		{"AAP-D-8 ANA", "e11", func(m *aap.Message) { m.Need.Count = 0 }, aap.ErrZeroCount},
		{"AAP-D-8 ASRP", "e9", func(m *aap.Message) { m.Requests[0].Count = 0 }, aap.ErrZeroCount},
		{"AAP-D-59 256 reports", "e9", func(m *aap.Message) { m.Reports = make([]aap.Report, 256) }, aap.ErrField},
		{"AAP-D-59 256 requests", "e9", func(m *aap.Message) { m.Requests = make([]aap.Request, 256) }, aap.ErrField},
		{"AAP-D-50 longer than a datagram", "e1", func(m *aap.Message) { m.Ranges = make([]aap.TimedRange, 5458) }, aap.ErrLength},
		{"range in an ANA", "e11", func(m *aap.Message) { m.Ranges = worked[0].msg.Ranges }, aap.ErrField},
		{"request in an AIU", "e3", func(m *aap.Message) { m.Requests = worked[8].msg.Requests }, aap.ErrField},
		{"expiration in an AIU", "e3", func(m *aap.Message) { m.Expiration = at(0) }, aap.ErrField},
		{"need in an ASRP", "e9", func(m *aap.Message) { m.Need.Count = 1 }, aap.ErrField},
	} {
		t.Run(c.id, func(t *testing.T) {
			for _, w := range worked {
				if w.name != c.from {
					continue
				}
				m := w.msg.Clone()
				c.change(m)
				b, err := m.AppendBinary([]byte("abc"))
				var e *aap.Error
				if !errors.As(err, &e) || !errors.Is(err, c.err) || e.Offset != -1 || string(b) != "abc" {
					t.Fatalf("%q, %v, want %q", b, err, c.err)
				}
			}
		})
	}
}
