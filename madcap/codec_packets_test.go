// SPDX-License-Identifier: BSD-3-Clause

package madcap_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/mcastalloc/malloc/madcap"
	"github.com/mcastalloc/malloc/scope"
)

// packet reads testdata/packets/<name>.hex: hexadecimal octets, a comment per
// field.
func packet(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile("testdata/packets/" + name + ".hex")
	if err != nil {
		t.Fatal(err)
	}
	return octets(t, string(text))
}

// octets reads hexadecimal digits; spaces, and comments from # to the end of
// a line, are for the reader.
func octets(t testing.TB, text string) []byte {
	t.Helper()
	var digits strings.Builder
	for line := range strings.Lines(text) {
		code, _, _ := strings.Cut(line, "#")
		digits.WriteString(strings.Join(strings.Fields(code), ""))
	}
	b, err := hex.DecodeString(digits.String())
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return b
}

// sameMessage compares messages; an empty list is as good as none.
var sameMessage = cmp.Options{
	cmpopts.EquateComparable(netip.Addr{}, scope.Range{}), cmpopts.EquateEmpty(),
	cmp.FilterValues(func(a, b []byte) bool { return len(a)+len(b) > 64 }, cmp.Comparer(bytes.Equal)), // quicker for long ones
}

func ip(s string) netip.Addr { return netip.MustParseAddr(s) }

func unix(sec int64) time.Time { return time.Unix(sec, 0).UTC() }

func server(s string) madcap.ServerIdentifier { return madcap.ServerIdentifierOf(ip(s)) }

func seconds(n int64) madcap.Opt[time.Duration] { return madcap.Some(time.Duration(n) * time.Second) }

// blocks returns ranges of addresses: first, last, first, last and so on
func blocks(ends ...string) madcap.Opt[[]scope.Range] {
	var rs []scope.Range
	for i := 0; i < len(ends); i += 2 {
		r, err := scope.NewRange(ip(ends[i]), ip(ends[i+1]))
		if err != nil {
			panic(err)
		}
		rs = append(rs, r)
	}
	return madcap.Some(rs)
}

func zone(first, last string, ttl uint8, names ...madcap.ZoneName) madcap.Zone {
	return madcap.Zone{Range: scope.MustRange(first, last), TTL: ttl, Names: names}
}

// nesting returns the state of n zones in which the pairs (inner, outer) nest.
func nesting(n int, pairs ...[2]int) madcap.Opt[madcap.NestingState] {
	s := madcap.NewNestingState(n)
	for _, p := range pairs {
		if err := s.SetNests(p[0], p[1], true); err != nil {
			panic(err)
		}
	}
	return madcap.Some(s)
}

func supports(fs ...madcap.Feature) madcap.Opt[madcap.FeatureList] {
	return madcap.Some(madcap.FeatureList{Supported: fs})
}

// goldenPacket is a datagram written by hand and what it means.
type goldenPacket struct {
	name      string // of the file in testdata/packets
	msg       madcap.Message
	answers   madcap.MessageType // what an ACK answers
	multicast bool
	invalid   error  // what Validate says
	canonical string // the file with what is written again, if it is another
}

func goldens() []goldenPacket { return append(workedMessages(), otherMessages()...) }

// TestGolden decodes every golden packet, compares it with its value, and
// writes that value.
func TestGolden(t *testing.T) {
	var reused madcap.Message
	for _, g := range goldens() {
		t.Run(g.name, func(t *testing.T) {
			b := packet(t, g.name)
			if err := reused.Decode(b); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(g.msg, reused, sameMessage); d != "" {
				t.Errorf("decoded (-want +got):\n%s", d)
			}
			var copied madcap.Message
			if err := copied.UnmarshalBinary(b); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(g.msg, copied, sameMessage); d != "" {
				t.Errorf("unmarshalled (-want +got):\n%s", d)
			}
			want := b
			if g.canonical != "" {
				want = octets(t, g.canonical)
			}
			for _, m := range []*madcap.Message{&g.msg, &reused} {
				got, err := m.MarshalBinary()
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(got, want) {
					t.Errorf("written as\n%x, want\n%x", got, want)
				}
			}
			_, err := reused.AppendValid(nil, g.answers, g.multicast)
			checkError(t, err, g.invalid)
		})
	}
}

// TestGoldenFiles sees that no packet of testdata lies there unused.
func TestGoldenFiles(t *testing.T) {
	files, err := os.ReadDir("testdata/packets")
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for _, g := range goldens() {
		used[g.name+".hex"] = true
	}
	for _, f := range files {
		if !used[f.Name()] {
			t.Errorf("%s is in no test", f.Name())
		}
	}
}

// checkError fails unless err is nil where want is, or else a *madcap.Error of
// that class.
func checkError(t *testing.T, err, want error) *madcap.Error {
	t.Helper()
	if want == nil {
		if err != nil {
			t.Fatalf("unexpected error: %v", err)
		}
		return nil
	}
	var e *madcap.Error
	if !errors.As(err, &e) || !errors.Is(err, want) {
		t.Fatalf("error %v, want a *madcap.Error of %v", err, want)
	}
	return e
}
