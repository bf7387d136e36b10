// SPDX-License-Identifier: BSD-3-Clause

package wireshark_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mcastalloc/malloc/masc"
)

// compare fails the test unless the dissector said what it should.
func compare(t *testing.T, protocol string, number int, got packet, want record) {
	t.Helper()
	values := got.values(protocol)
	for name := range values {
		if strings.HasPrefix(name, "note.") {
			delete(values, name)
		}
	}
	for _, name := range structural[protocol] {
		if _, wanted := want[name]; !wanted {
			delete(values, name)
		}
	}
	for name, list := range want {
		for i, v := range list {
			if v == anything && i < len(values[name]) {
				values[name][i] = anything
			}
		}
	}
	if diff := cmp.Diff(map[string][]string(want), values); diff != "" {
		t.Errorf("packet %d (-want +got):\n%s", number, diff)
	}
}

// check dissects a capture of the samples and compares each.
func check(t *testing.T, protocol string, samples []sample, c capture) {
	t.Helper()
	packets := dissect(t, c)
	if len(packets) != len(samples) {
		t.Fatalf("%d packets of %d", len(packets), len(samples))
	}
	for i, s := range samples {
		if s.want == nil {
			continue
		}
		compare(t, protocol, i+1, packets[i], s.want)
		for _, note := range packets[i].notes(protocol) {
			if note == "cut" || note == "length" || note == "checksum" {
				t.Errorf("packet %d, which is well formed, has the note %q", i+1, note)
			}
		}
	}
}

// TestFields compares every field of what the packages encode, worked examples
// and generated messages, with what the dissector shows.
func TestFields(t *testing.T) {
	for _, p := range protocols {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			samples := p.samples(t, true)
			check(t, p.name, samples, fill(samples))
		})
	}
}

// TestGolden checks the captures in testdata: they hold what the packages
// encode, and the dissector reads them. With -update it writes them.
func TestGolden(t *testing.T) {
	for _, p := range protocols {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			samples := p.samples(t, false)
			c, path := fill(samples), "testdata/"+p.name+".pcap"
			if *update {
				if err := os.WriteFile(path, c, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			golden, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(golden, c) {
				t.Errorf("%s is not what the packages encode; write it with -update", path)
			}
			check(t, p.name, samples, golden)
		})
	}
}

// TestGarbage feeds packets that were cut, changed and made up: the dissector
// may complain of them but never fail.
func TestGarbage(t *testing.T) {
	const each = 120 // packets of a protocol
	r := rand.New(rand.NewPCG(9, 2026))
	c := newCapture()
	for _, p := range protocols {
		samples := p.samples(t, true)
		for i := range each {
			b := bytes.Clone(samples[r.IntN(len(samples))].octets)
			captured := len(b)
			head := 28 // not to spoil IP and UDP too often
			if b[0]>>4 == 6 {
				head = 48
			}
			for range r.IntN(6) {
				at := r.IntN(len(b))
				if at >= head || r.IntN(10) == 0 {
					b[at] = byte(r.UintN(256))
				}
			}
			if r.IntN(3) == 0 {
				captured = r.IntN(len(b) + 1)
			}
			c.add(i, b, captured)
		}
	}
	packets := dissect(t, c)
	for i, p := range protocols {
		notes := 0
		for _, got := range packets[i*each : (i+1)*each] {
			notes += len(got.notes(p.name))
		}
		if notes == 0 {
			t.Errorf("no packet of %s has a note", p.name)
		}
	}
}

// TestStream reads MASC messages from a stream that cuts them anywhere, and one
// whose length cannot be.
func TestStream(t *testing.T) {
	var octets []byte
	var want []string
	for _, m := range decoded(t, "../../masc/testdata/packets/*.hex", (*masc.Message).Decode) {
		octets = append(octets, encoded(t, m)...)
		want = append(want, mascFields(m)["type"]...)
	}
	octets = append(octets, 0, 3, 4, 0, 'x')
	want = append(want, "4")
	s := stream{from: client6, to: server6, source: 30000, port: masc.Port, next: 1}
	c := newCapture()
	for i := 0; len(octets) > 0; i++ {
		n := min(53, len(octets))
		b := s.packet(t, octets[:n])
		c.add(i, b, len(b))
		octets = octets[n:]
	}
	var got []string
	var last packet
	for _, last = range dissect(t, c) {
		got = append(got, last.values("masc")["type"]...)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("types of the messages (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"length"}, last.notes("masc")); diff != "" {
		t.Errorf("notes of the last packet (-want +got):\n%s", diff)
	}
}
