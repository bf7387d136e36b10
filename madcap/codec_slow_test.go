// SPDX-License-Identifier: BSD-3-Clause

package madcap_test

import (
	"math/big"
	"net/netip"
	"time"
	"unicode/utf8"

	"github.com/mcastalloc/malloc/madcap"
	"github.com/mcastalloc/malloc/scope"
)

// slowDecode is a decoder to compare the real one with. It knows nothing of
// speed: every octet is taken from the front of a list, and every option is
// read into a function that puts it into the message once it is known to be
// good. It returns the class of the first error and the option it is about.
func slowDecode(b []byte) (m madcap.Message, option madcap.OptionCode, class error) {
	none := madcap.NoOption
	switch {
	case len(b) < 12:
		return m, none, madcap.ErrTruncated
	case b[0] != 0:
		return m, none, madcap.ErrVersion
	}
	r := &slowReader{b: b[1:]}
	m = madcap.Message{Type: madcap.MessageType(r.number(1)), Family: madcap.AddrFamily(r.number(2)), XID: uint32(r.number(4))}
	var puts []func()
	met := map[madcap.OptionCode]bool{}
	nestings := 0
	for {
		code, n := madcap.OptionCode(r.number(2)), r.number(2)
		if code == 0 && !r.short {
			if n > 0 || len(r.b) > 0 {
				return madcap.Message{}, none, madcap.ErrEnd
			}
			break
		}
		v := &slowReader{b: r.take(n)}
		if r.short {
			return madcap.Message{}, none, madcap.ErrTruncated
		}
		if code == 17 {
			nestings++
		}
		var bad error
		var keep func()
		if met[code] && code <= 17 {
			bad = madcap.ErrRepeated
		} else {
			keep, bad = slowOption(&m, code, v)
		}
		met[code] = true
		if code == 17 {
			bad = nil
		}
		if bad != nil && class == nil {
			class, option = bad, code
		}
		if bad == nil && keep != nil {
			puts = append(puts, func() { keep(); m.Order = append(m.Order, code) })
		}
	}
	for _, put := range puts {
		put()
	}
	if m.Nesting.Present && (nestings > 1 || m.Type != madcap.TypeAck || !m.ScopeList.Present || len(m.ScopeList.Value) != m.Nesting.Value.Len()) {
		m.Nesting = madcap.Opt[madcap.NestingState]{}
		var order []madcap.OptionCode
		for _, c := range m.Order {
			if c != 17 {
				order = append(order, c)
			}
		}
		m.Order = order
	}
	return m, option, class
}

// slowOption reads the value of an option.
func slowOption(m *madcap.Message, code madcap.OptionCode, v *slowReader) (put func(), bad error) {
	n := map[madcap.AddrFamily]int{1: 4, 2: 16}[m.Family]
	value := v.b
	if code > 17 || n == 0 && (code == 4 || code == 9 || code == 10) {
		if code == 4 && len(value) == 0 {
			return nil, madcap.ErrLength
		}
		return func() { m.Unknown = append(m.Unknown, madcap.RawOption{Code: code, Value: value}) }, nil
	}
	instant := func(to *time.Time) func() {
		t := time.Unix(int64(uint32(v.number(4))), 0).UTC()
		return func() { *to = t }
	}
	duration := func(to *madcap.Opt[time.Duration]) func() {
		d := time.Duration(uint32(v.number(4))) * time.Second
		return func() { *to = madcap.Some(d) }
	}
	switch code {
	case 1:
		put = duration(&m.LeaseTime)
	case 2:
		s := madcap.ServerIdentifier{Family: madcap.AddrFamily(v.number(2))}
		if k := map[madcap.AddrFamily]int{1: 4, 2: 16}[s.Family]; k != 0 {
			s = madcap.ServerIdentifierOf(v.addr(k))
		} else if s.Opaque = v.take(len(v.b)); len(s.Opaque) == 0 {
			bad = madcap.ErrLength
		}
		put = func() { m.ServerIdentifier = s }
	case 3:
		if v.take(len(v.b)); len(value) == 0 {
			bad = madcap.ErrLength
		}
		put = func() { m.LeaseIdentifier = value }
	case 4:
		a := v.addr(n)
		if len(value) == n && !slowMulticast(a) {
			bad = madcap.ErrValue
		}
		put = func() { m.Scope = a }
	case 5:
		var list []madcap.OptionCode
		for more := true; more; more = len(v.b) > 0 {
			list = append(list, madcap.OptionCode(v.number(2)))
		}
		put = func() { m.OptionRequestList = list }
	case 6:
		put = instant(&m.StartTime)
	case 7:
		a := madcap.NumberOfAddresses{Min: uint16(v.number(2)), Desired: uint16(v.number(2))}
		if len(value) == 4 && (a.Desired < 1 || a.Min > a.Desired) {
			bad = madcap.ErrValue
		}
		put = func() { m.Addresses = a }
	case 8:
		v.take(len(v.b))
		put = func() { m.RequestedLanguage = madcap.Some(value) }
	case 9:
		put, bad = slowZones(m, v, n)
	case 10:
		var list []scope.Range
		for len(value)%(n+2) == 0 && len(v.b) > 0 && bad == nil {
			first := v.addr(n)
			last := slowPlus(first, v.number(2)-1)
			r, err := scope.NewRange(first, last)
			if err != nil || !slowMulticast(first) || !slowMulticast(last) {
				bad = madcap.ErrValue
			}
			list = append(list, r)
		}
		if bad != nil {
			v.take(len(v.b))
		}
		put = func() { m.Ranges = madcap.Some(list) }
	case 11:
		put = instant(&m.CurrentTime)
	case 12:
		var lists [3][]madcap.Feature
		for i := range lists {
			for range v.number(2) {
				if lists[i] = append(lists[i], madcap.Feature(v.number(2))); v.short {
					break
				}
			}
		}
		put = func() { m.Features = madcap.Some(madcap.FeatureList{lists[0], lists[1], lists[2]}) }
	case 13:
		put = instant(&m.RetryTime)
	case 14:
		put = duration(&m.MinLeaseTime)
	case 15:
		put = instant(&m.MaxStartTime)
	case 16:
		e := madcap.ErrorOption{Code: madcap.ErrorCode(v.number(2)), Extra: v.take(len(v.b))}
		k := len(e.Extra)
		good := map[madcap.ErrorCode]bool{0: k == 2, 1: k == 2, 2: k == 4, 3: k == 0, 4: k >= 2 && k%2 == 0}
		if ok, listed := good[e.Code]; listed && !ok {
			bad = madcap.ErrLength
		}
		put = func() { m.Error = madcap.Some(e) }
	case 17:
		put = slowNesting(m, v)
	}
	if v.short || len(v.b) > 0 {
		bad = madcap.ErrLength
	}
	return put, bad
}

func slowZones(m *madcap.Message, v *slowReader, n int) (put func(), bad error) {
	var zones []madcap.Zone
	count := 0
	if len(v.b) > 0 {
		count = v.number(1)
	}
	if count*(2*n+2) > len(v.b) {
		v.short = true
	}
	ids := map[netip.Addr]bool{}
	for i := 0; i < count && !v.short && bad == nil; i++ {
		first, last := v.addr(n), v.addr(n)
		z := madcap.Zone{TTL: uint8(v.number(1))}
		names := v.number(1)
		if v.short {
			return nil, madcap.ErrLength
		}
		var err error
		if z.Range, err = scope.NewRange(first, last); err != nil || !slowMulticast(first) || !slowMulticast(last) {
			return nil, slowGiveUp(v, madcap.ErrValue)
		}
		for range names {
			name := madcap.ZoneName{Default: v.number(1)&0x80 != 0, Tag: v.take(v.number(1)), Text: v.take(v.number(1))}
			if v.short || len(name.Tag) == 0 || len(name.Text) == 0 {
				return nil, slowGiveUp(v, madcap.ErrLength)
			}
			if !utf8.Valid(name.Text) {
				return nil, slowGiveUp(v, madcap.ErrValue)
			}
			z.Names = append(z.Names, name)
		}
		if ids[first] {
			return nil, slowGiveUp(v, madcap.ErrValue)
		}
		ids[first] = true
		zones = append(zones, z)
	}
	return func() { m.ScopeList = madcap.Some(zones) }, bad
}

// slowGiveUp takes what is left, so that the first error stays the one.
func slowGiveUp(v *slowReader, err error) error {
	v.b, v.short = nil, false
	return err
}

func slowNesting(m *madcap.Message, v *slowReader) func() {
	n := v.number(1)
	width := (max(n, 1) + 6) / 8
	if v.short || len(v.b) != n*width {
		return nil
	}
	s := madcap.NewNestingState(n)
	for i := range n {
		row := new(big.Int).SetBytes(v.take(width))
		for bit := range n - 1 {
			j := bit
			if bit >= i {
				j = bit + 1
			}
			_ = s.SetNests(i, j, row.Bit(8*width-1-bit) == 1)
		}
	}
	return func() { m.Nesting = madcap.Some(s) }
}

// slowPlus adds n to an address, the zero Addr beyond the last one.
func slowPlus(a netip.Addr, n int) netip.Addr {
	if n < 0 {
		return netip.Addr{}
	}
	for ; n > 0; n-- {
		a = a.Next()
	}
	return a
}

func slowMulticast(a netip.Addr) bool {
	return netip.MustParsePrefix("224.0.0.0/4").Contains(a) || netip.MustParsePrefix("ff00::/8").Contains(a)
}

// slowReader takes octets from the front. Once there are too few it is short
// and gives zeros.
type slowReader struct {
	b     []byte
	short bool
}

func (r *slowReader) take(n int) []byte {
	if n > len(r.b) {
		r.b, r.short = nil, true
		return nil
	}
	v := r.b[:n]
	r.b = r.b[n:]
	return v
}

func (r *slowReader) number(octets int) (n int) {
	for _, c := range r.take(octets) {
		n = n<<8 | int(c)
	}
	return n
}

func (r *slowReader) addr(octets int) netip.Addr {
	a, _ := netip.AddrFromSlice(r.take(octets))
	return a
}
