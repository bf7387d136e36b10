// SPDX-License-Identifier: BSD-3-Clause

package madcapcodec

import "encoding/binary"

// floor is a message in the plainest types there are: numbers as they stand on
// the wire, octets where the library has addresses, times and ranges. It reads
// and writes the ten options of ack, checks lengths and repeats and nothing
// else, and cannot say what is wrong.
type floor struct {
	typ                                      uint8
	family                                   uint16
	xid                                      uint32
	leaseTime, startTime, currentTime, retry uint32
	server, lease                            []byte
	scope                                    [16]byte
	ranges                                   []floorRange
	supported, requested, required           []uint16
	unknown                                  []floorOption
	order                                    []uint16
	seen                                     uint32
}

type floorRange struct {
	first [16]byte
	size  uint16
}

type floorOption struct {
	code  uint16
	value []byte
}

func (f *floor) decode(b []byte) bool {
	if len(b) < 12 || b[0] != 0 {
		return false
	}
	f.typ = b[1]
	f.family = binary.BigEndian.Uint16(b[2:])
	f.xid = binary.BigEndian.Uint32(b[4:])
	f.ranges, f.unknown, f.order = f.ranges[:0], f.unknown[:0], f.order[:0]
	f.supported, f.requested, f.required = f.supported[:0], f.requested[:0], f.required[:0]
	f.seen = 0
	n := 4
	if f.family == 2 {
		n = 16
	}
	for b = b[8:]; len(b) >= 4; {
		code, size := binary.BigEndian.Uint16(b), int(binary.BigEndian.Uint16(b[2:]))
		if b = b[4:]; size > len(b) {
			return false
		}
		v := b[:size:size]
		b = b[size:]
		if code == 0 {
			return size == 0 && len(b) == 0
		}
		f.order = append(f.order, code)
		if code > 17 {
			f.unknown = append(f.unknown, floorOption{code, v})
			continue
		}
		if f.seen&(1<<code) != 0 {
			return false
		}
		f.seen |= 1 << code
		ok := true
		switch code {
		case 1:
			f.leaseTime, ok = number(v)
		case 2:
			f.server, ok = v, len(v) == 6 || len(v) == 18
		case 3:
			f.lease, ok = v, len(v) > 0
		case 4:
			if ok = len(v) == n; ok {
				copy(f.scope[:], v)
			}
		case 6:
			f.startTime, ok = number(v)
		case 10:
			if len(v)%(n+2) != 0 {
				return false
			}
			for ; len(v) > 0; v = v[n+2:] {
				r := floorRange{size: binary.BigEndian.Uint16(v[n:])}
				copy(r.first[:], v[:n])
				f.ranges = append(f.ranges, r)
			}
		case 11:
			f.currentTime, ok = number(v)
		case 12:
			if f.supported, v, ok = codes(f.supported, v); !ok {
				return false
			}
			if f.requested, v, ok = codes(f.requested, v); !ok {
				return false
			}
			f.required, v, ok = codes(f.required, v)
			ok = ok && len(v) == 0
		case 13:
			f.retry, ok = number(v)
		}
		if !ok {
			return false
		}
	}
	return false
}

func number(v []byte) (uint32, bool) {
	if len(v) != 4 {
		return 0, false
	}
	return binary.BigEndian.Uint32(v), true
}

func codes(list []uint16, v []byte) ([]uint16, []byte, bool) {
	if len(v) < 2 {
		return list, v, false
	}
	n := 2 * int(binary.BigEndian.Uint16(v))
	if v = v[2:]; n > len(v) {
		return list, v, false
	}
	for i := 0; i < n; i += 2 {
		list = append(list, binary.BigEndian.Uint16(v[i:]))
	}
	return list, v[n:], true
}

func (f *floor) append(b []byte) []byte {
	n := 4
	if f.family == 2 {
		n = 16
	}
	b = append(b, 0, f.typ)
	b = binary.BigEndian.AppendUint16(b, f.family)
	b = binary.BigEndian.AppendUint32(b, f.xid)
	unknown := f.unknown
	for _, code := range f.order {
		at := len(b)
		b = append(b, byte(code>>8), byte(code), 0, 4)
		switch code {
		case 1:
			b = binary.BigEndian.AppendUint32(b, f.leaseTime)
			continue
		case 6:
			b = binary.BigEndian.AppendUint32(b, f.startTime)
			continue
		case 11:
			b = binary.BigEndian.AppendUint32(b, f.currentTime)
			continue
		case 13:
			b = binary.BigEndian.AppendUint32(b, f.retry)
			continue
		case 2:
			b = append(b, f.server...)
		case 3:
			b = append(b, f.lease...)
		case 4:
			b = append(b, f.scope[:n]...)
		case 10:
			for i := range f.ranges {
				b = append(b, f.ranges[i].first[:n]...)
				b = binary.BigEndian.AppendUint16(b, f.ranges[i].size)
			}
		case 12:
			for _, list := range [...][]uint16{f.supported, f.requested, f.required} {
				b = binary.BigEndian.AppendUint16(b, uint16(len(list)))
				for _, c := range list {
					b = binary.BigEndian.AppendUint16(b, c)
				}
			}
		default:
			b = append(b, unknown[0].value...)
			unknown = unknown[1:]
		}
		binary.BigEndian.PutUint16(b[at+2:], uint16(len(b)-at-4))
	}
	return append(b, 0, 0, 0, 0)
}
