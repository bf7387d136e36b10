// SPDX-License-Identifier: BSD-3-Clause

package masc_test

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mcastalloc/malloc/masc"
)

func addPackets(f *testing.F) {
	files, err := filepath.Glob(filepath.Join("testdata", "packets", "*.hex"))
	if err != nil || len(files) == 0 {
		f.Fatal("no packets", err)
	}
	for _, name := range files {
		f.Add(packet(f, strings.TrimSuffix(filepath.Base(name), ".hex")))
	}
}

// FuzzDecode: what decodes can be appended, and decodes to the same; what does
// not has an answer that can be sent.
func FuzzDecode(f *testing.F) {
	addPackets(f)
	var m, again masc.Message
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := m.Decode(b); err != nil {
			var e *masc.Error
			if !errors.As(err, &e) || e.Error() == "" {
				t.Fatal(err)
			}
			if n, ok := e.Notification(); ok {
				if _, err := n.MarshalBinary(); err != nil {
					t.Fatal(err)
				}
			}
			if m.Type != 0 && m.Type != masc.TypeUpdate && m.Type != masc.TypeNotification {
				t.Fatalf("%v after %v", m, err)
			}
			return
		}
		out, err := m.AppendBinary(nil)
		if m.Type == masc.TypeUpdate && len(m.Update.Claims) == 0 && len(m.Update.Extra) == 0 {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := again.Decode(out); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(m, again, equate...); d != "" {
			t.Fatal(d)
		}
		if len(out) != len(b) {
			t.Fatalf("%d octets became %d", len(b), len(out))
		}
	})
}

// FuzzReader: a stream is cut into messages that add up to it, and a Reader
// finds the same as SplitMessage.
func FuzzReader(f *testing.F) {
	addPackets(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		r := masc.NewReader(bytes.NewReader(b))
		for {
			msg, err := r.Next()
			n, token, want := masc.SplitMessage(b, true)
			if err != nil {
				if n != 0 || want == nil && len(b) != 0 {
					t.Fatalf("%v, but SplitMessage finds %d octets, %v", err, n, want)
				}
				return
			}
			if !bytes.Equal(msg, token) || n != len(msg) {
				t.Fatalf("%x and %x", msg, token)
			}
			b = b[n:]
		}
	})
}

// FuzzSnapshot: what is read as a Snapshot is written as the same.
func FuzzSnapshot(f *testing.F) {
	s := masc.Snapshot{Claims: []masc.Claim{claim(masc.PrefixManaged, "228.0.0.0/16"), claim(masc.Withdraw, "228.0.1.0/24")},
		Forced: []bool{false, true}}
	b, err := s.MarshalBinary()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		var s, again masc.Snapshot
		if s.UnmarshalBinary(b) != nil {
			return
		}
		out, err := s.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		if err := again.UnmarshalBinary(out); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(s, again, equate...); d != "" {
			t.Fatal(d)
		}
	})
}
