// SPDX-License-Identifier: BSD-3-Clause

package madcap_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mcastalloc/malloc/madcap"
	"github.com/mcastalloc/malloc/scope"
)

// withOption returns a datagram with one option before End, and after a Lease
// Identifier if the option is another one.
func withOption(typ madcap.MessageType, family madcap.AddrFamily, code madcap.OptionCode, value []byte) []byte {
	b := []byte{0, byte(typ), byte(family >> 8), byte(family), 0, 0, 0, 1}
	if code != madcap.OptLeaseIdentifier {
		b = append(b, 0, 3, 0, 2, 0, 9)
	}
	b = binary.BigEndian.AppendUint16(b, uint16(code))
	b = binary.BigEndian.AppendUint16(b, uint16(len(value)))
	return append(append(b, value...), 0, 0, 0, 0)
}

// stretch returns n octets: the beginning of text, or text and more of its last
// octet.
func stretch(text []byte, n int) []byte {
	if n <= len(text) {
		return text[:n]
	}
	fill := byte(0)
	if len(text) > 0 {
		fill = text[len(text)-1]
	}
	return append(slices.Clone(text), bytes.Repeat([]byte{fill}, n-len(text))...)
}

// TestLengths gives each option values of 0, 1, exact-1, exact, exact+1 and the
// most octets, and one that goes beyond the end of the datagram.
func TestLengths(t *testing.T) {
	const v4, v6, other = madcap.FamilyIPv4, madcap.FamilyIPv6, madcap.AddrFamily(3)
	ack, nakType := madcap.TypeAck, madcap.TypeNak
	scopeV6, startV6 := "ff150000000000000000000000000000", strings.Repeat("ff15000000000000000000000000000f 0001", 2)
	startV4 := strings.Repeat("efff0000 0001", 3)
	for _, c := range []struct {
		id     string
		typ    madcap.MessageType
		family madcap.AddrFamily
		code   madcap.OptionCode
		value  string // its first octets
		exact  int
		good   string // the good lengths among those tried
	}{
		{"MADCAP-3.2-1", 1, v4, 1, "00000e10", 4, "4"},
		{"MADCAP-3.3-1", ack, v4, 2, "0001 c6336401", 6, "6"},
		{"MADCAP-3.3-1", ack, v4, 2, "0002 20010db8000000000000000000000001", 18, "18"},
		{"MADCAP-3.3-2", ack, v6, 2, "0001 c6336401", 6, "6"},
		{"MADCAP-D-10", ack, v4, 2, "0003 01", 3, "3 4 65535"},
		{"MADCAP-3.4-1", 7, v4, 3, "07", 1, "1 2 65535"},
		{"MADCAP-3.5-1", 1, v4, 4, "efff0000", 4, "4"},
		{"MADCAP-3.5-1", 1, v6, 4, scopeV6, 16, "16"},
		{"MADCAP-D-8", 1, other, 4, "01", 1, "1 2 65535"},
		{"MADCAP-3.6-1", 8, v4, 5, "0009", 2, "2"},
		{"MADCAP-3.6-1", 8, v4, 5, "0009", 65534, "65534"},
		{"MADCAP-3.7-1", 1, v4, 6, "6553f100", 4, "4"},
		{"MADCAP-3.8-1", 1, v4, 7, "0001 0002", 4, "4"},
		{"MADCAP-3.9-1", 8, v4, 8, "65", 0, "0 1 65535"},
		{"MADCAP-3.10-7", ack, v4, 9, "", 0, "0 1"},
		{"MADCAP-D-11", ack, v4, 9, "00", 1, "0 1"}, // no octets are no zones
		{"MADCAP-3.10-8", ack, v4, 9, "01 efff0000 efffffff 10 00", 11, "0 11"},
		{"MADCAP-3.10-8", ack, v6, 9, "01" + scopeV6 + scopeV6 + "10 00", 35, "0 35"},
		{"MADCAP-D-8", ack, other, 9, "ff", 0, "0 1 65535"},
		{"MADCAP-3.11-1", 1, v4, 10, startV4, 6, "0 6"},
		{"MADCAP-3.11-1", 1, v4, 10, startV4, 18, "0 18"},
		{"MADCAP-3.11-1", 1, v6, 10, startV6, 18, "0 18"},
		{"MADCAP-D-8", 1, other, 10, "ff", 0, "0 1 65535"},
		{"MADCAP-3.12-1", 1, v4, 11, "6553f100", 4, "4"},
		{"MADCAP-3.13-1", 1, v4, 12, "0000 0000 0000", 6, "6"},
		{"MADCAP-3.13-1", 1, v4, 12, "0001 0000 0001 0001 0000", 10, "10"},
		{"MADCAP-3.14-1", ack, v4, 13, "6553f100", 4, "4"},
		{"MADCAP-3.15-1", 1, v4, 14, "00000e10", 4, "4"},
		{"MADCAP-3.16-1", 1, v4, 15, "6553f100", 4, "4"},
		{"MADCAP-3.17.1-1", nakType, v4, 16, "0000 0004", 4, "4"},
		{"MADCAP-3.17.2-1", nakType, v4, 16, "0001 0004", 4, "4"},
		{"MADCAP-3.17.3-1", nakType, v4, 16, "0002 6553f100", 6, "6"},
		{"MADCAP-3.17.4-1", nakType, v4, 16, "0003", 2, "2"},
		{"MADCAP-3.17.5-1", nakType, v4, 16, "0004 0000", 4, "4"},
		{"MADCAP-3.17.5-1", nakType, v4, 16, "0004 0000 0001 0002", 8, "8"},
		{"MADCAP-3.17-1", nakType, v4, 16, "0005", 2, "2 3 65535"},
		{"MADCAP-3.17.6-1", nakType, v4, 16, "0400 01", 2, "2 3 65535"},
		{"MADCAP-3.17-3", nakType, v4, 16, "07ff 01", 2, "2 3 65535"},
		{"MADCAP-2.1.5-6", 1, v4, 18, "ff", 0, "0 1 65535"},
		{"MADCAP-2.1.5-6", 1, v4, 0xffff, "ff", 0, "0 1 65535"},
	} {
		for _, n := range []int{0, 1, c.exact - 1, c.exact, c.exact + 1, 65535} {
			if n < 0 {
				continue
			}
			t.Run(fmt.Sprintf("%s/option %d/%d octets", c.id, c.code, n), func(t *testing.T) {
				good := slices.Contains(strings.Fields(c.good), fmt.Sprint(n))
				value := stretch(octets(t, c.value), n)
				b := withOption(c.typ, c.family, c.code, value)
				var m madcap.Message
				err := m.Decode(b)
				if m.Has(c.code) != (good && c.code <= 17) {
					t.Errorf("Has(%v) = %v", c.code, m.Has(c.code))
				}
				if !good {
					if e := checkError(t, err, madcap.ErrLength); e.Option != c.code || e.Offset != len(b)-8-n {
						t.Errorf("error about option %v at octet %d: %v", e.Option, e.Offset, e)
					}
				} else if checkError(t, err, nil); len(b) <= madcap.MaxDatagram {
					checkRoundTrip(t, &m)
				}
				// Beyond the end by one octet, and by as many as can be.
				cut := len(b) - 4 // without End
				if n > 0 {
					checkError(t, m.Decode(b[:cut-1]), madcap.ErrTruncated)
				}
				binary.BigEndian.PutUint16(b[cut-n-2:], 65535)
				if n+4 < 65535 {
					checkError(t, m.Decode(b), madcap.ErrTruncated)
				}
			})
		}
	}
}

// sizes are the lengths of lists at which a count in too few bits shows.
var sizes = []int{0, 1, 2, 15, 16, 31, 32, 127, 128, 254, 255, 256, 257}

// zones4 returns n IPv4 zones of one address each.
func zones4(n int) []madcap.Zone {
	var zs []madcap.Zone
	for i := range n {
		a := scope.Single(ip(fmt.Sprintf("239.1.%d.%d", i/256, i%256)))
		zs = append(zs, madcap.Zone{Range: a, TTL: uint8(i)})
	}
	return zs
}

// TestSizes writes and reads lists of many sizes, and refuses to write those
// beyond what the wire can count.
func TestSizes(t *testing.T) {
	features := func(n int) []madcap.Feature {
		fs := make([]madcap.Feature, n)
		for i := range fs {
			fs[i] = madcap.Feature(i * 257)
		}
		return fs
	}
	list := func(l madcap.FeatureList) func(*madcap.Message) {
		return func(m *madcap.Message) { m.Features = madcap.Some(l) }
	}
	for _, c := range []struct {
		id   string
		code madcap.OptionCode
		most int // the wire can say
		fill func(n int) func(*madcap.Message)
	}{
		{"MADCAP-3.6-1", 5, 32767, func(n int) func(*madcap.Message) {
			return func(m *madcap.Message) {
				for i := range n {
					m.OptionRequestList = append(m.OptionRequestList, madcap.OptionCode(i*255))
				}
			}
		}},
		{"MADCAP-3.10-8", 9, 255, func(n int) func(*madcap.Message) {
			return func(m *madcap.Message) { m.ScopeList = madcap.Some(zones4(n)) }
		}},
		{"MADCAP-3.10-8/names", 9, 255, func(n int) func(*madcap.Message) {
			return func(m *madcap.Message) {
				zs := zones4(2)
				for i := range n {
					zs[0].Names = append(zs[0].Names, madcap.ZoneName{Tag: []byte("x-n"), Text: []byte(fmt.Sprint(i))})
				}
				m.ScopeList = madcap.Some(zs)
			}
		}},
		{"MADCAP-N5-1", 17, 255, func(n int) func(*madcap.Message) {
			return func(m *madcap.Message) {
				m.ScopeList = madcap.Some(zones4(n))
				s := madcap.NewNestingState(min(n, 255))
				for i := range s.Len() - 1 {
					_ = s.SetNests(i, i+1, true)
					_ = s.SetNests(s.Len()-1, i, true)
				}
				m.Nesting = madcap.Some(s)
			}
		}},
		{"MADCAP-3.11-1", 10, 10922, func(n int) func(*madcap.Message) {
			return func(m *madcap.Message) {
				m.Ranges = blocks()
				for _, z := range zones4(n) {
					m.Ranges.Value = append(m.Ranges.Value, z.Range)
				}
			}
		}},
		{"MADCAP-3.13-1/supported", 12, 32764, func(n int) func(*madcap.Message) {
			return list(madcap.FeatureList{Supported: features(n)})
		}},
		{"MADCAP-3.13-1/requested", 12, 32763, func(n int) func(*madcap.Message) {
			return list(madcap.FeatureList{Requested: features(n), Supported: features(1)})
		}},
		{"MADCAP-3.13-1/required", 12, 32762, func(n int) func(*madcap.Message) {
			return list(madcap.FeatureList{Required: features(n), Requested: features(2)})
		}},
		{"MADCAP-3.17.5-1", 16, 32766, func(n int) func(*madcap.Message) {
			return func(m *madcap.Message) {
				m.Error = madcap.Some(madcap.ErrorOption{Code: madcap.CodeFeatureUnsupported, Extra: make([]byte, 2*max(n, 1))})
			}
		}},
		{"MADCAP-2.4-2", 3, 65535, func(n int) func(*madcap.Message) {
			return func(m *madcap.Message) { m.LeaseIdentifier = bytes.Repeat([]byte{7}, max(n, 1)) }
		}},
		{"MADCAP-3.9-1", 8, 65535, func(n int) func(*madcap.Message) {
			return func(m *madcap.Message) { m.RequestedLanguage = madcap.Some(make([]byte, n)) }
		}},
	} {
		for _, n := range append(sizes, c.most, c.most+1) {
			t.Run(fmt.Sprintf("%s/%d", c.id, n), func(t *testing.T) {
				m := message4(madcap.TypeAck, 1, 3)
				c.fill(n)(&m)
				if c.code != 3 && m.Has(c.code) {
					m.Order = append(m.Order, c.code)
				}
				if c.code == 17 {
					m.Order = append(m.Order, 9)
				}
				b, err := m.AppendBinary(nil)
				switch {
				case n > c.most && c.code == 17: // a nesting state cannot even be made so large
					checkError(t, err, madcap.ErrCompanion)
				case n > c.most:
					if e := checkError(t, err, madcap.ErrLength); e.Option != c.code || e.Offset != -1 {
						t.Errorf("error %v", e)
					}
				case n == c.most && c.most > 255:
					// MADCAP-D-47: the option could be counted, but no datagram holds it.
					if len(b) != 0 {
						t.Fatalf("%d octets", len(b))
					}
					checkError(t, err, madcap.ErrTooLong)
				default:
					checkRoundTrip(t, &m)
				}
			})
		}
	}
}
