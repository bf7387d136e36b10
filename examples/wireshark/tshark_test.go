// SPDX-License-Identifier: BSD-3-Clause

package wireshark_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// A field is what tshark says of a part of a packet: the value that filters
// see, and the line a person sees.
type field struct {
	Name  string `xml:"name,attr"`
	Show  string `xml:"show,attr"`
	Label string `xml:"showname,attr"`
}

// A packet is all fields of a packet, in the order of the tree.
type packet []field

// dissect runs tshark with the dissector over a capture. It skips the test
// without tshark, and fails it if the dissector had an error.
func dissect(t testing.TB, c capture) []packet {
	t.Helper()
	tshark, err := exec.LookPath("tshark")
	if err != nil {
		t.Skip("tshark is not installed: ", err)
	}
	// Only what the test itself opens makes go test run it again.
	if _, err := os.Stat("malloc.lua"); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "capture.pcap")
	if err := os.WriteFile(path, c, 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	cmd := exec.Command(tshark, "-n", "-r", path, "-X", "lua_script:malloc.lua", "-T", "pdml")
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "TZ=UTC", "LC_ALL=C.UTF-8")
	if err := cmd.Run(); err != nil {
		t.Fatalf("tshark: %v\n%s", err, &errs)
	}
	if strings.Contains(strings.ToLower(errs.String()), "lua") {
		t.Fatalf("tshark complains:\n%s", &errs)
	}
	// Texts of a garbage packet are not all UTF-8, as XML must be.
	packets := parsePDML(t, bytes.NewReader(bytes.ToValidUTF8(out.Bytes(), []byte("?"))))
	for i, p := range packets {
		for _, f := range p {
			if strings.HasPrefix(f.Name, "_ws.lua.error") || strings.Contains(f.Label+f.Show, "Lua Error") {
				t.Fatalf("packet %d: %q %q", i+1, f.Label, f.Show)
			}
		}
	}
	return packets
}

// parsePDML reads tshark's XML.
func parsePDML(t testing.TB, r io.Reader) (packets []packet) {
	t.Helper()
	d := xml.NewDecoder(r)
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return packets
		}
		if err != nil {
			t.Fatal(err)
		}
		e, ok := token.(xml.StartElement)
		switch {
		case ok && e.Name.Local == "packet":
			packets = append(packets, nil)
		case ok && (e.Name.Local == "field" || e.Name.Local == "proto"):
			var f field
			for _, a := range e.Attr {
				switch a.Name.Local {
				case "name":
					f.Name = a.Value
				case "show":
					f.Show = a.Value
				case "showname":
					f.Label = a.Value
				}
			}
			p := &packets[len(packets)-1]
			*p = append(*p, f)
		}
	}
}

// values returns the values of the fields of a protocol by their names, without
// its prefix, in an order that does not depend on Wireshark's version.
func (p packet) values(protocol string) map[string][]string {
	m := map[string][]string{}
	for _, f := range p {
		if name, ok := strings.CutPrefix(f.Name, protocol+"."); ok {
			m[name] = append(m[name], plain(f.Show))
		}
	}
	return m
}

// plain writes a value as all versions of Wireshark could: flags as 0 and 1,
// numbers in decimal, addresses in one form, times as seconds.
func plain(show string) string {
	switch show {
	case "True":
		return "1"
	case "False":
		return "0"
	}
	if hex, ok := strings.CutPrefix(show, "0x"); ok {
		if n, err := strconv.ParseUint(hex, 16, 64); err == nil {
			return strconv.FormatUint(n, 10)
		}
	}
	if a, err := netip.ParseAddr(show); err == nil && strings.Contains(show, ".") {
		return a.String() // not ::192.0.2.1
	}
	for _, layout := range []string{"Jan _2, 2006 15:04:05.999999999 MST", time.RFC3339Nano} {
		if at, err := time.Parse(layout, show); err == nil {
			return strconv.FormatInt(at.Unix(), 10)
		}
	}
	return show
}

// notes returns the names of the expert notes of a protocol.
func (p packet) notes(protocol string) (names []string) {
	for _, f := range p {
		if name, ok := strings.CutPrefix(f.Name, protocol+".note."); ok {
			names = append(names, name)
		}
	}
	return names
}
