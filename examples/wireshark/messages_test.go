// SPDX-License-Identifier: BSD-3-Clause

package wireshark_test

import (
	"encoding/hex"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/aap"
	"github.com/mcastalloc/malloc/aap/aaptest"
	"github.com/mcastalloc/malloc/madcap"
	"github.com/mcastalloc/malloc/madcap/madcaptest"
	"github.com/mcastalloc/malloc/masc"
	"github.com/mcastalloc/malloc/masc/masctest"
	"github.com/mcastalloc/malloc/mzap"
	"github.com/mcastalloc/malloc/mzap/mzaptest"
	"github.com/mcastalloc/malloc/xcast"
	"github.com/mcastalloc/malloc/xcast/xcasttest"
	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "write the captures in testdata anew")

// generated is how many messages of each protocol the generators make.
const generated = 120

// A sample is a packet of a capture: what the dissector should say of it, or
// nil for one that must only be survived.
type sample struct {
	octets []byte // an IP packet
	want   map[string][]string
}

// fill writes the samples into a capture.
func fill(samples []sample) capture {
	c := newCapture()
	for i, s := range samples {
		c.add(i, s.octets, len(s.octets))
	}
	return c
}

// worked returns the packets in the hexadecimal files that match the pattern.
func worked(t testing.TB, pattern string) (packets [][]byte) {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil || len(names) == 0 {
		t.Fatalf("%s: no files, %v", pattern, err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var digits strings.Builder
		for line := range strings.Lines(string(text)) {
			code, _, _ := strings.Cut(line, "#")
			digits.WriteString(strings.Join(strings.Fields(code), ""))
		}
		b, err := hex.DecodeString(digits.String())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		packets = append(packets, b)
	}
	return packets
}

// encoded returns what a message encodes to.
func encoded(t testing.TB, m interface{ MarshalBinary() ([]byte, error) }) []byte {
	t.Helper()
	b, err := m.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// between returns the addresses of the ends of a conversation.
func between(is4 bool) (from, to netip.Addr) {
	if is4 {
		return client4, server4
	}
	return client6, server6
}

// examples returns messages of a generator, the same ones every time, behind
// those in files.
func examples[M any](golden []M, g *rapid.Generator[M]) []M {
	for i := range generated {
		golden = append(golden, g.Example(i))
	}
	return golden
}

// decoded returns the packets that a decoder accepts as messages.
func decoded[M any](t testing.TB, pattern string, decode func(*M, []byte) error) (messages []*M) {
	for _, b := range worked(t, pattern) {
		if m := new(M); decode(m, b) == nil {
			messages = append(messages, m)
		}
	}
	return messages
}

// madcapSamples returns the worked MADCAP messages and generated ones.
func madcapSamples(t testing.TB, random bool) (samples []sample) {
	messages := decoded(t, "../../madcap/testdata/packets/*.hex", (*madcap.Message).Decode)
	if random {
		messages = examples(messages, madcaptest.Any())
	}
	for _, m := range messages {
		from, to := between(m.Family != madcap.FamilyIPv6)
		samples = append(samples, sample{udpPacket(t, from, to, madcap.Port, encoded(t, m)), madcapFields(m)})
	}
	return samples
}

// aapSamples does the same for AAP.
func aapSamples(t testing.TB, random bool) (samples []sample) {
	messages := decoded(t, "../../aap/testdata/*.hex", (*aap.Message).Decode)
	if random {
		messages = examples(messages, aaptest.Message())
		at := time.Unix(1_700_000_000, 0)
		messages = append(messages, &aap.Message{Type: aap.ASA, Family: aap.IPv4, CurrentTime: at, Expiration: at}) // not yet resent
	}
	for _, m := range messages {
		from, to := between(m.Family == aap.IPv4)
		samples = append(samples, sample{udpPacket(t, from, to, aap.Port, encoded(t, m)), aapFields(m)})
	}
	return samples
}

// mzapSamples does the same for MZAP.
func mzapSamples(t testing.TB, random bool) (samples []sample) {
	messages := decoded(t, "../../mzap/testdata/*.hex", (*mzap.Message).Decode)
	if random {
		messages = examples(messages, mzaptest.Message())
	}
	for _, m := range messages {
		from, to := between(m.Is4())
		samples = append(samples, sample{udpPacket(t, from, to, mzap.Port, encoded(t, m)), mzapFields(m)})
	}
	return samples
}

// mascSamples does the same for MASC, with a connection for each message: it
// comes in two segments if it is long enough.
func mascSamples(t testing.TB, random bool) (samples []sample) {
	messages := decoded(t, "../../masc/testdata/packets/*.hex", (*masc.Message).Decode)
	if random {
		for i := range generated {
			m := masctest.Messages().Example(i)
			messages = append(messages, &m)
		}
	}
	for i, m := range messages {
		b := encoded(t, m)
		s := stream{from: client4, to: server4, source: uint16(20000 + i), port: masc.Port, next: 1}
		half := len(b) / 2
		samples = append(samples, sample{s.packet(t, b[:half]), map[string][]string{}}, sample{s.packet(t, b[half:]), mascFields(m)})
	}
	return samples
}

// xcastSamples does the same for Xcast, whose samples are whole packets.
func xcastSamples(t testing.TB, random bool) (samples []sample) {
	code := xcast.Experimental()
	packets := worked(t, "../../xcast/testdata/golden/*.txt")
	if random {
		for i := range generated {
			packets = append(packets, rapid.Custom(func(t *rapid.T) []byte { return xcasttest.Packet(code).Draw(t, "packet") }).Example(i))
		}
	}
	for _, b := range packets {
		samples = append(samples, sample{b, xcastFields(b, code)})
	}
	return samples
}

// protocols lists what the dissector knows.
var protocols = []struct {
	name    string
	samples func(t testing.TB, random bool) []sample
}{
	{"madcap", madcapSamples}, {"aap", aapSamples}, {"masc", mascSamples}, {"mzap", mzapSamples}, {"xcast", xcastSamples},
}
