// SPDX-License-Identifier: BSD-3-Clause

package madcaptest

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/mcastalloc/malloc/madcap"
	"pgregory.net/rapid"
)

// Flawed is a datagram that is valid but for one thing.
type Flawed struct {
	Column                        // the kind of message it would be
	Requirement string            // the ID of what it violates
	Datagram    []byte            //
	Class       error             // the sentinel of the madcap package that Decode or Validate finds
	Option      madcap.OptionCode // the option at fault, NoOption if none in particular
}

// flaw is one way to spoil a message. It reports false if the message does not
// lend itself to it.
type flaw struct {
	requirement string
	class       error
	spoil       func(*rapid.T, Column, *madcap.Message) (madcap.OptionCode, bool)
}

// flaws are those that Validate finds.
var flaws = []flaw{
	{"MADCAP-T5-1", madcap.ErrForbidden, func(t *rapid.T, c Column, m *madcap.Message) (madcap.OptionCode, bool) {
		var forbidden codes
		for code := madcap.OptLeaseTime; code <= madcap.OptError; code++ {
			if !slices.Contains(c.must, code) && !slices.Contains(c.may, code) {
				forbidden = append(forbidden, code)
			}
		}
		code := rapid.SampledFrom(forbidden).Draw(t, "forbidden option")
		draw(t, m, code)
		return code, true
	}},
	{"MADCAP-T5-2", madcap.ErrMissing, func(t *rapid.T, c Column, m *madcap.Message) (madcap.OptionCode, bool) {
		code := rapid.SampledFrom(c.must).Draw(t, "missing option")
		drop(m, code)
		return code, true
	}},
	{"MADCAP-2.12-1", madcap.ErrMissing, func(_ *rapid.T, _ Column, m *madcap.Message) (madcap.OptionCode, bool) {
		m.CurrentTime = time.Time{}
		return madcap.OptCurrentTime, !m.StartTime.IsZero() || !m.MaxStartTime.IsZero() || !m.RetryTime.IsZero()
	}},
	{"MADCAP-D-20", madcap.ErrCompanion, func(_ *rapid.T, _ Column, m *madcap.Message) (madcap.OptionCode, bool) {
		had := m.LeaseTime.Present && m.RetryTime.IsZero()
		m.LeaseTime.Value = 0
		return madcap.OptLeaseTime, had
	}},
	{"MADCAP-D-21", madcap.ErrCompanion, func(_ *rapid.T, _ Column, m *madcap.Message) (madcap.OptionCode, bool) {
		if !m.MinLeaseTime.Present || m.LeaseTime.Value >= (1<<32-1)*time.Second {
			return 0, false
		}
		m.MinLeaseTime.Value = m.LeaseTime.Value + time.Second
		return madcap.OptMinLeaseTime, m.LeaseTime.Present
	}},
	{"MADCAP-2.13.2-3", madcap.ErrCompanion, func(t *rapid.T, _ Column, m *madcap.Message) (madcap.OptionCode, bool) {
		l := &m.Features.Value
		if rapid.Bool().Draw(t, "required") {
			l.Required = append(l.Required, madcap.RetryAfter)
		} else {
			l.Requested = append(l.Requested, madcap.RetryAfter)
		}
		return madcap.OptFeatureList, m.Features.Present && m.Type.FromClient()
	}},
	{"MADCAP-3.13-4", madcap.ErrCompanion, func(_ *rapid.T, _ Column, m *madcap.Message) (madcap.OptionCode, bool) {
		m.Features.Value.Requested = []madcap.Feature{madcap.ServerMobility}
		return madcap.OptFeatureList, m.Features.Present && !m.Type.FromClient()
	}},
}

// fixed holds the options of four octets, and the requirement that says so.
var fixed = map[madcap.OptionCode]string{
	madcap.OptLeaseTime:         "MADCAP-3.2-1",
	madcap.OptStartTime:         "MADCAP-3.7-1",
	madcap.OptNumberOfAddresses: "MADCAP-3.8-1",
	madcap.OptCurrentTime:       "MADCAP-3.12-1",
	madcap.OptRetryTime:         "MADCAP-3.14-1",
	madcap.OptMinLeaseTime:      "MADCAP-3.15-1",
	madcap.OptMaxStartTime:      "MADCAP-3.16-1",
}

// breaks are those that Decode finds in the octets. A spoil that finds nothing
// to spoil returns nil.
var breaks = []struct {
	requirement string // "" for the one of the option in fixed
	class       error
	spoil       func(t *rapid.T, b []byte) ([]byte, madcap.OptionCode)
}{
	{"MADCAP-2.1-2", madcap.ErrTruncated, func(t *rapid.T, b []byte) ([]byte, madcap.OptionCode) {
		return b[:rapid.IntRange(0, 11).Draw(t, "octets")], madcap.NoOption
	}},
	{"MADCAP-2.1.1-1", madcap.ErrVersion, func(t *rapid.T, b []byte) ([]byte, madcap.OptionCode) {
		b[0] = rapid.ByteRange(1, 255).Draw(t, "version")
		return b, madcap.NoOption
	}},
	{"MADCAP-2.1.5-2", madcap.ErrTruncated, func(t *rapid.T, b []byte) ([]byte, madcap.OptionCode) {
		return b[:rapid.IntRange(8, len(b)-1).Draw(t, "octets")], madcap.NoOption
	}},
	{"MADCAP-2.1.5-3", madcap.ErrEnd, func(t *rapid.T, b []byte) ([]byte, madcap.OptionCode) {
		return append(b, Octets(1, 8).Draw(t, "octets after End")...), madcap.NoOption
	}},
	{"MADCAP-2.1.5-4", madcap.ErrRepeated, func(t *rapid.T, b []byte) ([]byte, madcap.OptionCode) {
		var known [][]byte
		at := 8
		for code, value := range madcap.RawOptions(b) {
			if code <= madcap.OptError {
				known = append(known, b[at:at+4+len(value)])
			}
			at += 4 + len(value)
		}
		again := rapid.SampledFrom(known).Draw(t, "repeated option")
		return slices.Concat(b[:at], again, b[at:]), madcap.OptionCode(again[1])
	}},
	{"", madcap.ErrLength, func(t *rapid.T, b []byte) ([]byte, madcap.OptionCode) {
		var places []int
		at := 8
		for code, value := range madcap.RawOptions(b) {
			if fixed[code] != "" {
				places = append(places, at)
			}
			at += 4 + len(value)
		}
		if len(places) == 0 {
			return nil, 0
		}
		at = rapid.SampledFrom(places).Draw(t, "option of a wrong length")
		value := Octets(0, 3).Draw(t, "value")
		out := append(slices.Clone(b[:at+2]), 0, byte(len(value)))
		return slices.Concat(out, value, b[at+8:]), madcap.OptionCode(binary.BigEndian.Uint16(b[at:]))
	}},
}

// AlmostValid generates datagrams of every column with exactly one flaw, and
// says which.
func AlmostValid() *rapid.Generator[Flawed] {
	return rapid.Custom(func(t *rapid.T) Flawed {
		for {
			c := rapid.SampledFrom(columns).Draw(t, "column")
			m := Valid(c).Draw(t, "message")
			n := rapid.IntRange(0, len(flaws)+len(breaks)-1).Draw(t, "flaw")
			if n >= len(flaws) {
				f := breaks[n-len(flaws)]
				b, err := m.MarshalBinary()
				if err != nil {
					t.Fatal(err)
				}
				b, option := f.spoil(t, b)
				if b == nil {
					continue
				}
				if f.requirement == "" {
					f.requirement = fixed[option]
				}
				return Flawed{c, f.requirement, b, f.class, option}
			}
			f := flaws[n]
			if option, ok := f.spoil(t, c, m); ok {
				b, err := m.MarshalBinary()
				if err != nil {
					t.Fatal(err)
				}
				return Flawed{c, f.requirement, b, f.class, option}
			}
		}
	})
}

// Datagram generates octets of all kinds: valid, almost valid, arbitrary
// messages, some of them with a few octets changed, and noise.
func Datagram() *rapid.Generator[[]byte] {
	return rapid.Custom(func(t *rapid.T) []byte {
		var b []byte
		switch rapid.IntRange(0, 3).Draw(t, "kind") {
		case 0:
			return Octets(0, 64).Draw(t, "noise")
		case 1:
			b = AlmostValid().Draw(t, "almost valid").Datagram
		case 2:
			b = options(t)
		default:
			var err error
			if b, err = Any().Draw(t, "message").MarshalBinary(); err != nil {
				t.Fatal(err)
			}
		}
		for range rapid.IntRange(0, 3).Draw(t, "changes") {
			if len(b) > 0 {
				b[rapid.IntRange(0, len(b)-1).Draw(t, "place")] = rapid.Byte().Draw(t, "octet")
			}
		}
		return b
	})
}

// options returns a message with sound framing and values of any octets.
func options(t *rapid.T) []byte {
	b := append([]byte{0}, Octets(7, 7).Draw(t, "header")...)
	b[1], b[2], b[3] = b[1]%12, 0, b[3]%4
	for range rapid.IntRange(0, 6).Draw(t, "number of options") {
		value := Octets(0, 24).Draw(t, "value")
		b = append(b, 0, rapid.ByteRange(1, 19).Draw(t, "code"), 0, byte(len(value)))
		b = append(b, value...)
	}
	return append(b, 0, 0, 0, 0)
}

// drop takes an option that is a MUST somewhere out of m.
func drop(m *madcap.Message, code madcap.OptionCode) {
	var none madcap.Message
	switch code {
	case madcap.OptLeaseTime:
		m.LeaseTime = none.LeaseTime
	case madcap.OptServerIdentifier:
		m.ServerIdentifier = none.ServerIdentifier
	case madcap.OptLeaseIdentifier:
		m.LeaseIdentifier = nil
	case madcap.OptMulticastScope:
		m.Scope = none.Scope
	case madcap.OptOptionRequestList:
		m.OptionRequestList = nil
	case madcap.OptAddressRanges:
		m.Ranges = none.Ranges
	case madcap.OptError:
		m.Error = none.Error
	}
	m.Unknown = slices.DeleteFunc(m.Unknown, func(o madcap.RawOption) bool { return o.Code == code })
}
