// SPDX-License-Identifier: BSD-3-Clause

package madcap_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mcastalloc/malloc/madcap"
)

// table5 is Table 5 of RFC 2730, and RFC 2907's option 17 below it: M for MUST,
// o for MAY, - for MUST NOT. M* is MUST in a multicast REQUEST, else MAY.
// A/ stands for an ACK that answers.
const table5 = `
	   GETINFO A/GETINFO DISCOVER OFFER REQUEST A/REQUEST RENEW A/RENEW RELEASE A/RELEASE NAK
	1  -       -         o        M     o       M         o     M       -       -         -
	2  -       M         -        M     M*      M         -     M       -       M         M
	3  M       M         M        M     M       M         M     M       M       M         M
	4  -       -         M        M     M       M         -     M       -       -         -
	5  M       -         -        -     -       -         -     -       -       -         -
	6  -       -         o        o     o       o         o     o       -       -         -
	7  -       -         o        -     o       -         -     -       -       -         -
	8  o       -         -        -     -       -         -     -       -       -         -
	9  -       o         -        -     -       -         -     -       -       -         -
	10 -       -         o        o     o       M         -     M       -       -         -
	11 -       o         o        o     o       o         o     o       -       -         -
	12 o       o         o        o     o       o         o     o       o       o         o
	13 -       -         -        -     -       o         -     o       -       -         -
	14 -       -         o        -     o       -         o     -       -       -         -
	15 -       -         o        -     o       -         o     -       -       -         -
	16 -       -         -        -     -       -         -     -       -       -         M
	17 -       o         -        -     -       -         -     -       -       -         -`

// column is one column of Table 5.
type column struct {
	name      string
	typ       madcap.MessageType
	answers   madcap.MessageType
	multicast bool
	cells     [18]string // by option code; M* resolved
}

// columns returns those of Table 5, REQUEST once by unicast and once by
// multicast.
func columns() []column {
	types := map[string]madcap.MessageType{}
	for t := madcap.TypeDiscover; t <= madcap.TypeGetInfo; t++ {
		types[t.String()] = t
	}
	rows := strings.Split(strings.TrimSpace(table5), "\n")
	var cs []column
	for i, name := range strings.Fields(rows[0]) {
		answered, isAck := strings.CutPrefix(name, "A/")
		c := column{name: name, typ: types[answered]}
		if isAck {
			c.typ, c.answers = madcap.TypeAck, types[answered]
		}
		for code, row := range rows[1:] {
			c.cells[code+1] = strings.Fields(row)[i+1]
		}
		star := slices.Index(c.cells[:], "M*")
		if star < 0 {
			cs = append(cs, c)
			continue
		}
		unicast, multicast := c, c
		unicast.cells[star] = "o"
		multicast.cells[star], multicast.name, multicast.multicast = "M", name+" by multicast", true
		cs = append(cs, unicast, multicast)
	}
	return cs
}

// addOption puts an option into m, with nothing else.
func addOption(m *madcap.Message, code madcap.OptionCode) {
	switch code {
	case 1:
		m.LeaseTime = seconds(3600)
	case 2:
		m.ServerIdentifier = server("198.51.100.1")
	case 3:
		m.LeaseIdentifier = shortID
	case 4:
		m.Scope = ip("239.255.0.0")
	case 5:
		m.OptionRequestList = []madcap.OptionCode{9}
	case 6:
		m.StartTime = unix(1700003600)
	case 7:
		m.Addresses = madcap.NumberOfAddresses{Min: 1, Desired: 2}
	case 8:
		m.RequestedLanguage = madcap.Some([]byte("en"))
	case 9:
		m.ScopeList = madcap.Some(zones4(2))
	case 10:
		m.Ranges = blocks("239.255.0.1", "239.255.0.2")
	case 11:
		m.CurrentTime = unix(1700000000)
	case 12:
		m.Features = supports(madcap.RetryAfter)
	case 13:
		m.RetryTime = unix(1700007200)
	case 14:
		m.MinLeaseTime = seconds(60)
	case 15:
		m.MaxStartTime = unix(1700007200)
	case 16:
		m.Error = madcap.Some(madcap.InvalidRequest(madcap.NoOption))
	case 17:
		m.Nesting = nesting(2)
	default:
		m.Unknown = append(m.Unknown, raw(code, "x"))
	}
}

// build returns a message with all options its column demands and those given.
func (c column) build(more ...madcap.OptionCode) madcap.Message {
	m := madcap.Message{Type: c.typ, Family: madcap.FamilyIPv4, XID: 1}
	for code, cell := range c.cells {
		if cell == "M" {
			addOption(&m, madcap.OptionCode(code))
		}
	}
	for _, code := range more {
		addOption(&m, code)
	}
	return m
}

// companions returns what has to stand beside an option that may be there.
func companions(code madcap.OptionCode) []madcap.OptionCode {
	switch code {
	case 6, 15:
		return []madcap.OptionCode{11}
	case 13:
		return []madcap.OptionCode{11, 12}
	case 17:
		return []madcap.OptionCode{9}
	}
	return nil
}

// remove takes an option out of m.
func remove(m *madcap.Message, code madcap.OptionCode) {
	var none madcap.Message
	switch code {
	case 1:
		m.LeaseTime = none.LeaseTime
	case 2:
		m.ServerIdentifier = none.ServerIdentifier
	case 3:
		m.LeaseIdentifier = nil
	case 4:
		m.Scope = none.Scope
	case 5:
		m.OptionRequestList = nil
	case 10:
		m.Ranges = none.Ranges
	case 16:
		m.Error = none.Error
	default:
		panic(fmt.Sprintf("option %d is a MUST nowhere", code))
	}
}

// wantAnswer returns the answer to a message of type t with a fault in option
// code.
func wantAnswer(t madcap.MessageType, code madcap.OptionCode) madcap.OptionCode {
	switch {
	case t == madcap.TypeNak:
		return silence
	case !t.FromClient():
		return madcap.NoOption
	}
	return code
}

// TestTable5 tries every cell: each option in each message, or left out of it.
func TestTable5(t *testing.T) {
	for _, c := range columns() {
		t.Run(c.name+"/least", func(t *testing.T) {
			m := c.build()
			checkError(t, m.Validate(c.answers, c.multicast), nil)
			addOption(&m, 4711) // options defined later may be in any message
			addOption(&m, 65534)
			checkError(t, m.Validate(c.answers, c.multicast), nil)
		})
		for n, cell := range c.cells {
			code := madcap.OptionCode(n)
			switch cell {
			case "-":
				t.Run(fmt.Sprintf("%s/MADCAP-T5-1/%v", c.name, code), func(t *testing.T) {
					m := c.build(code)
					e := checkError(t, m.Validate(c.answers, c.multicast), madcap.ErrForbidden)
					if e.Option != code || e.Type != c.typ || e.Offset != -1 {
						t.Errorf("error %v", e)
					}
					checkAnswer(t, e, wantAnswer(c.typ, code))
					if _, err := m.AppendValid(nil, c.answers, c.multicast); err == nil {
						t.Error("it was written")
					}
					if code == 17 {
						return
					}
					// The same over the wire.
					b, err := m.AppendBinary(nil)
					checkError(t, err, nil)
					var back madcap.Message
					checkError(t, back.Decode(b), nil)
					if got := checkError(t, back.Validate(c.answers, c.multicast), madcap.ErrForbidden); *got != *e {
						t.Errorf("over the wire %v", got)
					}
				})
			case "M":
				t.Run(fmt.Sprintf("%s/MADCAP-T5-2/%v", c.name, code), func(t *testing.T) {
					m := c.build()
					remove(&m, code)
					e := checkError(t, m.Validate(c.answers, c.multicast), madcap.ErrMissing)
					if e.Option != code || e.Type != c.typ || e.Offset != -1 {
						t.Errorf("error %v", e)
					}
					want := wantAnswer(c.typ, code)
					if code == madcap.OptLeaseIdentifier {
						want = silence
					}
					checkAnswer(t, e, want)
					if _, err := m.AppendValid(nil, c.answers, c.multicast); err == nil {
						t.Error("it was written")
					}
				})
			case "o":
				t.Run(fmt.Sprintf("%s/MADCAP-T5-1/%v is allowed", c.name, code), func(t *testing.T) {
					m := c.build(append(companions(code), code)...)
					if code == 13 { // a message that defers has no addresses and applies Retry After
						m.Ranges = blocks()
						m.Features.Value.Required = []madcap.Feature{madcap.RetryAfter}
					}
					b, err := m.AppendValid(nil, c.answers, c.multicast)
					checkError(t, err, nil)
					var back madcap.Message
					checkError(t, back.Decode(b), nil)
					checkError(t, back.Validate(c.answers, c.multicast), nil)
				})
			}
		}
	}
}

// TestTable5Whole counts the cells, so that none of the table above is lost.
func TestTable5Whole(t *testing.T) {
	count := map[string]int{}
	for _, c := range columns() {
		for _, cell := range c.cells[1:] {
			count[cell]++
		}
	}
	if d := cmp.Diff(map[string]int{"M": 32, "o": 52, "-": 120}, count); d != "" {
		t.Error(d)
	}
}

// TestColumnUnknown: an ACK to nothing, or to what is not answered by an ACK,
// has no column.
func TestColumnUnknown(t *testing.T) {
	for _, answers := range []madcap.MessageType{0, madcap.TypeDiscover, madcap.TypeOffer, madcap.TypeAck, madcap.TypeNak, 9, 255} {
		m := columns()[1].build()
		e := checkError(t, m.Validate(answers, false), madcap.ErrType)
		if e.Option != madcap.NoOption {
			t.Errorf("error %v", e)
		}
	}
	for _, typ := range []madcap.MessageType{0, 9, 10, 255} {
		t.Run(fmt.Sprintf("MADCAP-2.2-3/%d", typ), func(t *testing.T) {
			m := madcap.Message{Type: typ, LeaseIdentifier: shortID}
			e := checkError(t, m.Validate(madcap.TypeRequest, false), madcap.ErrType)
			checkAnswer(t, e, madcap.NoOption)
		})
		t.Run(fmt.Sprintf("MADCAP-2.2-1/%d", typ), func(t *testing.T) {
			m := madcap.Message{Type: typ, LeaseIdentifier: shortID}
			if _, err := m.AppendValid(nil, 0, false); err == nil {
				t.Error("it was written")
			}
		})
	}
}

// TestTypeSelectsColumn changes nothing but the type of a message: the column
// of the new type decides, by the lowest option that is out of place, then by
// the lowest one missing.
func TestTypeSelectsColumn(t *testing.T) {
	for _, from := range columns() {
		for _, to := range columns() {
			t.Run("MADCAP-2.1.2-1/"+from.name+" as "+to.name, func(t *testing.T) {
				m := from.build()
				m.Type = to.typ
				var want error
				option := madcap.OptionCode(0)
				for code := range from.cells {
					if from.cells[code] == "M" && to.cells[code] == "-" && want == nil {
						want, option = madcap.ErrForbidden, madcap.OptionCode(code)
					}
				}
				for code := range from.cells {
					if from.cells[code] != "M" && to.cells[code] == "M" && want == nil {
						want, option = madcap.ErrMissing, madcap.OptionCode(code)
					}
				}
				if e := checkError(t, m.Validate(to.answers, to.multicast), want); e != nil && e.Option != option {
					t.Errorf("%v, want an error about option %v", e, option)
				}
			})
		}
	}
}
