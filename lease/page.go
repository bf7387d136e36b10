// SPDX-License-Identifier: BSD-3-Clause

package lease

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"math/rand/v2"
	"time"

	"github.com/mcastalloc/malloc/scope"
)

// How leases lie in a store. The address space is cut into pages of
// 2^pageBits addresses, aligned, the same for every pool on the store. The
// entry of a page holds every lease that has addresses in it. A grant, a
// change or a release rewrites all pages that the lease touches, and the
// entries of names that it depends on, in one commit that fails if anybody
// else has written one of them.
//
//	layout        the layout's version and page size
//	p/<32 hex>    a page, by its number: the address shifted right
//	i/<32 hex>    the lease of an identifier, by a hash of it
//	k/<32 hex>    the lease of a principal and request key, by a hash of both
//	q/<32 hex>    what a limited principal has in a scope, by a hash of both
//
// What is over counts no more, wherever it lies; nothing needs to be deleted.
// A store that one pool has to itself has no names: that pool knows.
const (
	layoutKey     = "layout"
	layoutVersion = 1
	pageBits      = 6
	pagePrefix    = "p/"
	idPrefix      = "i/"
	keyPrefix     = "k/"
	quotaPrefix   = "q/"
)

func pageOf(n number) number {
	return number{Hi: n.Hi >> pageBits, Lo: n.Lo>>pageBits | n.Hi<<(64-pageBits)}
}

// span returns the addresses of a page.
func pageSpan(page number) span {
	first := number{Hi: page.Hi<<pageBits | page.Lo>>(64-pageBits), Lo: page.Lo << pageBits}
	return span{first, number{Hi: first.Hi, Lo: first.Lo | (1<<pageBits - 1)}}
}

func pageKey(page number) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], page.Hi)
	binary.BigEndian.PutUint64(b[8:], page.Lo)
	return pagePrefix + hex.EncodeToString(b[:])
}

func pageOfKey(key string) (number, bool) {
	b, err := hex.DecodeString(key[min(len(key), len(pagePrefix)):])
	if err != nil || len(b) != 16 {
		return number{}, false
	}
	return number{Hi: binary.BigEndian.Uint64(b), Lo: binary.BigEndian.Uint64(b[8:])}, true
}

// serial tells one grant from every other, also of the same identifier.
type serial [16]byte

func newSerial(rnd *rand.Rand) (s serial) {
	binary.LittleEndian.PutUint64(s[:8], rnd.Uint64())
	binary.LittleEndian.PutUint64(s[8:], rnd.Uint64())
	return s
}

// stored is what a record in a store has more than one in memory.
type stored struct {
	serial serial
	op     *op // the latest one that is not settled yet
}

// A value in a store is a version octet, the latest instant its writer had
// acted upon, and the rest.
func appendHead(b []byte, latest instant) []byte {
	return binary.BigEndian.AppendUint64(append(b, layoutVersion), uint64(latest))
}

var errDamaged = errors.New("damaged")

func consumeHead(b []byte) (latest instant, rest []byte, err error) {
	if len(b) < 9 || b[0] != layoutVersion {
		return 0, nil, errDamaged
	}
	return instant(binary.BigEndian.Uint64(b[1:])), b[9:], nil
}

// appendChecksum appends the checksum of all of b.
func appendChecksum(b []byte) []byte {
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
}

// consumeChecked is consumeHead on a value that ends in its checksum.
func consumeChecked(b []byte) (instant, []byte, error) {
	if len(b) < 13 || crc32.ChecksumIEEE(b[:len(b)-4]) != binary.BigEndian.Uint32(b[len(b)-4:]) {
		return 0, nil, errDamaged
	}
	return consumeHead(b[:len(b)-4])
}

// encodePage returns the value of a page that holds the records, and in which
// some addresses are retired.
func encodePage(latest instant, marks []span, records []*record) []byte {
	b := binary.AppendUvarint(appendHead(nil, latest), uint64(len(marks)))
	for _, s := range marks {
		b = appendNumber(appendNumber(b, s.first), s.last)
	}
	for _, r := range records {
		b = appendRecord(b, r)
	}
	return appendChecksum(b)
}

func appendRecord(b []byte, r *record) []byte {
	b = append(b, r.stored.serial[:]...)
	b = appendString(b, string(r.id))
	b = append(b, byte(r.holder.By))
	b = appendString(b, r.holder.Name)
	b = appendString(b, r.key)
	b = appendNumber(b, numberOf(r.zone.scope.ID()))
	shared := byte(0)
	if r.shared {
		shared = 1
	}
	b = append(b, byte(r.state), shared)
	for _, t := range []uint64{uint64(r.start), uint64(r.end), uint64(r.rest), uint64(r.gone)} {
		b = binary.BigEndian.AppendUint64(b, t)
	}
	runs := 1
	if r.more != nil {
		runs += len(*r.more)
	}
	b = binary.AppendUvarint(b, uint64(runs))
	for s := range r.spans {
		b = appendNumber(appendNumber(b, s.first), s.last)
	}
	return b
}

// storedRecord is a record as it stands in a page.
type storedRecord struct {
	record
	who   Principal
	scope scope.ID
}

// decodePage calls yield for the records of a page.
func decodePage(b []byte, yield func(*storedRecord)) (latest instant, marks []span, err error) {
	latest, b, err = consumeChecked(b)
	if err != nil {
		return 0, nil, err
	}
	d := decoder{b: b}
	for n := d.uvarint(); n > 0 && !d.bad; n-- {
		s := span{d.number(), d.number()}
		marks = append(marks, s)
		d.bad = d.bad || s.last.Less(s.first)
	}
	if d.bad {
		return latest, nil, errDamaged
	}
	for len(d.b) > 0 && !d.bad {
		r := &storedRecord{}
		r.stored = &stored{}
		copy(r.stored.serial[:], d.take(16))
		r.id = ID(d.string())
		r.who.By = Voucher(d.octet())
		r.who.Name = d.string()
		r.key = d.string()
		r.scope = addrOf(d.number())
		r.state = state(d.octet())
		r.shared = d.octet() != 0
		r.start, r.end = instant(d.uint64()), instant(d.uint64())
		r.rest, r.gone = time.Duration(d.uint64()), instant(d.uint64())
		var runs []span
		for n := d.uvarint(); n > 0 && !d.bad; n-- {
			s := span{d.number(), d.number()}
			runs = append(runs, s)
			d.bad = d.bad || s.last.Less(s.first)
		}
		if len(runs) > 0 {
			r.setRuns(runs)
		}
		if d.bad || r.span == (span{}) || r.end <= r.start && r.state != released || r.state == offered || r.state > released {
			return latest, marks, errDamaged
		}
		yield(r)
	}
	return latest, marks, nil
}

// decoder consumes a value whose checksum was right; bad says that it does
// not add up all the same.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) take(n int) []byte {
	if n < 0 || n > len(d.b) {
		d.bad, d.b = true, nil
		return make([]byte, min(max(n, 0), 16))
	}
	v := d.b[:n]
	d.b = d.b[n:]
	return v
}

func (d *decoder) octet() byte    { return d.take(1)[0] }
func (d *decoder) uint64() uint64 { return binary.BigEndian.Uint64(d.take(8)) }
func (d *decoder) number() number { return numberAt(d.take(16)) }
func (d *decoder) string() string {
	n := d.uvarint()
	if n > uint64(len(d.b)) {
		d.bad, d.b = true, nil
		return ""
	}
	return string(d.take(int(n)))
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[n:]
	return v
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendNumber(b []byte, n number) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(b, n.Hi), n.Lo)
}

func numberAt(b []byte) number {
	return number{Hi: binary.BigEndian.Uint64(b), Lo: binary.BigEndian.Uint64(b[8:])}
}
