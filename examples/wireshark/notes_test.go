// SPDX-License-Identifier: BSD-3-Clause

package wireshark_test

import (
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/mcastalloc/malloc/aap"
	"github.com/mcastalloc/malloc/madcap"
	"github.com/mcastalloc/malloc/masc"
	"github.com/mcastalloc/malloc/mzap"
)

// flaws are messages with one thing wrong, and the note about it. All but those
// of MASC are datagrams.
var flaws = []struct {
	name, protocol string
	port           uint16
	octets         string
	note           string
}{
	{"no End", "madcap", madcap.Port, "00070001 00000001 0003 0001 00", "cut"},
	{"option beyond the message", "madcap", madcap.Port, "00070001 00000001 0003 0009 00", "cut"},
	{"octets after End", "madcap", madcap.Port, "00070001 00000001 0003 0001 00 00000000 00", "length"},
	{"End with a value", "madcap", madcap.Port, "00070001 00000001 0003 0001 00 0000 0001 00", "length"},
	{"lease time of 3 octets", "madcap", madcap.Port, "00040001 00000001 0003 0001 00 0001 0003 000001 00000000", "cut"},
	{"lease time of 5 octets", "madcap", madcap.Port, "00040001 00000001 0003 0001 00 0001 0005 0000000101 00000000", "length"},
	{"empty lease identifier", "madcap", madcap.Port, "00070001 00000001 0003 0000 00000000", "length"},
	{"no lease identifier", "madcap", madcap.Port, "00070001 00000001 00000000", "value"},
	{"option twice", "madcap", madcap.Port, "00070001 00000001 0003 0001 00 0003 0001 00 00000000", "value"},
	{"unicast scope", "madcap", madcap.Port, "00010001 00000001 0003 0001 00 0004 0004 0a000001 00000000", "value"},
	{"version 1", "madcap", madcap.Port, "01070001 00000001 0003 0001 00 00000000", "value"},
	{"unknown option", "madcap", madcap.Port, "00070001 00000001 0003 0001 00 0012 0001 00 00000000", "unknown"},
	{"refusal", "madcap", madcap.Port, "00060001 00000001 0003 0001 00 0010 0002 0003 00000000", "refused"},
	{"claim of nothing", "aap", aap.Port, "00000001 00001b00 6553f100", "length"},
	{"range cut", "aap", aap.Port, "00000001 00001b00 6553f100 efff0001 efff0002 6553f2", "length"},
	{"range backwards", "aap", aap.Port, "00000001 00001b00 6553f100 efff0002 efff0001 6553f200", "value"},
	{"request for no address", "aap", aap.Port, "00050001 00001b00 6553f100 00000000 6553f200", "value"},
	{"type 6", "aap", aap.Port, "00060001 00001b00 6553f100", "value"},
	{"path cut", "mzap", mzap.Port, "00000100 c0000221 c0000211 efc00000 efc3ffff 01200744 c0000211", "cut"},
	{"inside itself", "mzap", mzap.Port, "00030100 c0000221 c0000211 efc00000 efc3ffff efc00000", "value"},
	{"empty name", "mzap", mzap.Port, "00030101 c0000221 c0000211 efc00000 efc3ffff 00000000 ef820000", "value"},
	{"group as origin", "mzap", mzap.Port, "00030100 e0000221 c0000211 efc00000 efc3ffff ef820000", "value"},
	{"stays after a Cease", "masc", masc.Port, "0006 0300 8700", "value"},
	{"unknown reason", "masc", masc.Port, "0006 0300 0900", "value"},
	{"KEEPALIVE with data", "masc", masc.Port, "0005 0400 00", "length"},
	{"type 5", "masc", masc.Port, "0004 0500", "value"},
	{"hold time of 2 s", "masc", masc.Port, "0014 0100 01040002 0000fbf5 c0000208 0000fbf4", "value"},
	{"mask with holes", "masc", masc.Port, "0028 0200 0024 0300 00050000 6553f100 00000e10 00000e10 0000fbf5 c0000208 e4050000 ff00ff00", "value"},
	{"attribute beyond the message", "masc", masc.Port, "0028 0200 0028 0300 00050000 6553f100 00000e10 00000e10 0000fbf5 c0000208 e4050000 ffff0000", "length"},
	{"DESTINATIONS 0", "xcast", 0, "10000000 00000000 11030000", "value"},
	{"wrong LENGTH", "xcast", 0, "10010000 00000000 11060000 80000000 c6336415", "length"},
	{"wrong CHECKSUM", "xcast", 0, "10010000 00000000 11050000 80000000 c6336415", "checksum"},
	{"nobody to serve", "xcast", 0, "10010000 00000000 11050000 00000000 c6336415", "value"},
	{"address list cut", "xcast", 0, "10020000 00000000 11060000 c0000000 c6336415", "cut"},
}

// TestNotes looks for the expert note about each flaw.
func TestNotes(t *testing.T) {
	c := newCapture()
	for i, f := range flaws {
		octets, err := hex.DecodeString(strings.ReplaceAll(f.octets, " ", ""))
		if err != nil {
			t.Fatalf("%s: %v", f.name, err)
		}
		var b []byte
		switch f.protocol {
		case "masc":
			s := stream{from: client4, to: server4, source: uint16(20000 + i), port: f.port, next: 1}
			b = s.packet(t, octets)
		case "xcast":
			b = ipPacket(t, 253, client4, server4, octets, -1)
		default:
			b = udpPacket(t, client4, server4, f.port, octets)
		}
		c.add(i, b, len(b))
	}
	for i, p := range dissect(t, c) {
		if f := flaws[i]; !slices.Contains(p.notes(f.protocol), f.note) {
			t.Errorf("%s, %s: notes %q, want %q among them", f.protocol, f.name, p.notes(f.protocol), f.note)
		}
	}
}

// TestReadmeFilters runs each filter of README.md: it finds a packet in one of
// the golden captures.
func TestReadmeFilters(t *testing.T) {
	tshark, err := exec.LookPath("tshark")
	if err != nil {
		t.Skip("tshark is not installed: ", err)
	}
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	filters := regexp.MustCompile("(?m)^\\| `([a-z]+)([^`]*)`").FindAllStringSubmatch(string(readme), -1)
	if len(filters) < 10 {
		t.Fatalf("%d filters in README.md", len(filters))
	}
	for _, f := range filters {
		capture := filepath.Join("testdata", f[1]+".pcap")
		if _, err := os.Stat(capture); err != nil {
			continue // not of one protocol
		}
		out, err := exec.Command(tshark, "-n", "-X", "lua_script:malloc.lua", "-r", capture, "-Y", f[1]+f[2]).Output()
		if err != nil || len(out) == 0 {
			t.Errorf("%s%s: %d octets, %v", f[1], f[2], len(out), err)
		}
	}
}
