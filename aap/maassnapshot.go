// SPDX-License-Identifier: BSD-3-Clause

package aap

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/mcastalloc/malloc/scope"
)

// ErrSnapshot: what was stored cannot be read.
var ErrSnapshot = errors.New("aap: damaged snapshot")

// snapshotVersion starts every snapshot.
const snapshotVersion = 1

// entry is one part of a snapshot: an AAP message, on our clock, and what that
// cannot say. Encoded, they follow each other: kind, sender (a length and that
// many octets), token, time, number of ends and ends in seconds, length and
// message.
type entry struct {
	kind  entryKind
	from  netip.AddrPort
	token Token
	at    time.Time
	ends  []time.Time
	msg   Message
}

type entryKind byte

const (
	ownEntry     entryKind = 1 + iota // AIU: what we have allocated, with its token and the ends announced
	deletedEntry                      // AIU: what we deleted, with the ends announced
	heardEntry                        // AIU: what others have allocated
	poolEntry                         // AITU: what we preallocate
	othersEntry                       // AITU: what others preallocate, and when they last said so
	requestEntry                      // ANA, as it came, and its end on our clock
	spaceEntry                        // ASA, as it came, and when
)

// snapshotRanges is how many ranges the messages of a snapshot hold: what fits
// a datagram over IPv6 too.
const snapshotRanges = 1800

// Snapshot returns what to store. It takes time in proportion to the record.
func (m *MAAS) Snapshot() Snapshot {
	s := append(make(Snapshot, 0, 1<<10+12*m.heard.len()+60*len(m.own)), snapshotVersion)
	add := func(e entry, typ Type, ranges []TimedRange) {
		for part := range slices.Chunk(ranges, snapshotRanges) {
			e.msg.Type, e.msg.Ranges = typ, part
			s = m.appendEntry(s, e)
		}
	}
	for _, t := range sortedKeys(m.own) {
		h := m.own[t]
		add(entry{kind: ownEntry, token: t, ends: h.announced}, AIU, timed(h.addrs, h.end))
	}
	done := map[*holding]bool{}
	for p := range m.deleted.all() {
		if !done[p.v] {
			done[p.v] = true
			add(entry{kind: deletedEntry, token: p.v.token, ends: p.v.announced}, AIU, timed(p.v.addrs, p.v.end))
		}
	}
	heard := make([]TimedRange, 0, m.heard.len())
	for p := range m.heard.all() {
		heard = append(heard, TimedRange{p.r, p.v})
	}
	add(entry{kind: heardEntry}, AIU, heard)
	for _, x := range m.pool.sets {
		add(entry{kind: poolEntry}, AITU, timed(x.addrs, x.end))
	}
	for _, k := range slices.SortedFunc(maps.Keys(m.others.entries), request.compare) {
		e := m.others.entries[k]
		add(entry{kind: othersEntry, from: k.from, at: e.last, msg: Message{RSeq: k.rseq}}, AITU, e.ranges)
	}
	for i, k := range m.requests.keys {
		s = m.appendEntry(s, entry{kind: requestEntry, from: k.from, at: m.requests.list[i].End, msg: Message{
			Type: ANA, RSeq: k.rseq, Need: Request{k.count, time.Unix(k.end, 0).UTC()},
		}})
	}
	if !m.space.Received.IsZero() {
		s = m.appendEntry(s, entry{kind: spaceEntry, at: m.space.Received, msg: m.space.Announcement})
	}
	return s
}

func (r request) compare(o request) int {
	return cmp.Or(r.from.Compare(o.from), cmp.Compare(r.rseq, o.rseq))
}

func (m *MAAS) appendEntry(s Snapshot, e entry) Snapshot {
	if e.msg.CurrentTime.IsZero() {
		e.msg.CurrentTime = time.Unix(0, 0).UTC()
	}
	e.msg.Family = m.family()
	start := len(s)
	from, _ := e.from.MarshalBinary()
	s = append(s, byte(e.kind), byte(len(from)))
	s = append(s, from...)
	s = binary.BigEndian.AppendUint64(s, uint64(e.token))
	var at int64
	if !e.at.IsZero() {
		at = e.at.UnixNano()
	}
	s = binary.BigEndian.AppendUint64(s, uint64(at))
	s = append(s, byte(len(e.ends)))
	for _, end := range e.ends {
		s = binary.BigEndian.AppendUint64(s, uint64(end.Unix()))
	}
	s = append(s, 0, 0, 0, 0)
	length := len(s)
	whole, err := e.msg.AppendBinary(s)
	if err != nil {
		return s[:start] // an end after 2106
	}
	binary.BigEndian.PutUint32(whole[length-4:], uint32(len(whole)-length))
	return whole
}

// restore takes back what was stored. What has ended meanwhile is forgotten by
// Start.
func (m *MAAS) restore(s Snapshot) error {
	if len(s) == 0 {
		return nil
	}
	if s[0] != snapshotVersion {
		return fmt.Errorf("%w: version %d, want %d", ErrSnapshot, s[0], snapshotVersion)
	}
	for rest := []byte(s[1:]); len(rest) > 0; {
		var e entry
		n, err := e.decode(rest)
		if err == nil && (e.msg.Family != m.family() || !m.gate.concerns(&e.msg) && e.kind != requestEntry && e.kind != spaceEntry) {
			err = fmt.Errorf("a %v of another scope", e.msg.Type)
		}
		if err != nil {
			return fmt.Errorf("%w: octet %d: %w", ErrSnapshot, len(s)-len(rest), err)
		}
		m.recall(&e)
		rest = rest[n:]
	}
	m.unstored = time.Time{}
	return nil
}

var errCutOff = errors.New("entry cut off")

// decode reads the first entry of b and returns its length.
func (e *entry) decode(b []byte) (int, error) {
	size := len(b)
	next := func(n int) []byte {
		if n < 0 || n > len(b) { // a length of 2^31 is negative on a 32-bit machine
			b = nil
			return nil
		}
		field := b[:n]
		b = b[n:]
		return field
	}
	head := next(2)
	if head == nil {
		return 0, errCutOff
	}
	e.kind = entryKind(head[0])
	if err := e.from.UnmarshalBinary(next(int(head[1]))); err != nil {
		return 0, err
	}
	fixed := next(17)
	if fixed == nil {
		return 0, errCutOff
	}
	e.token = Token(binary.BigEndian.Uint64(fixed))
	if at := int64(binary.BigEndian.Uint64(fixed[8:])); at != 0 {
		e.at = time.Unix(0, at).UTC()
	}
	for range fixed[16] {
		end := next(8)
		if end == nil {
			return 0, errCutOff
		}
		e.ends = append(e.ends, time.Unix(int64(binary.BigEndian.Uint64(end)), 0).UTC())
	}
	length := next(4)
	if length == nil {
		return 0, errCutOff
	}
	msg := next(int(binary.BigEndian.Uint32(length)))
	if err := e.msg.UnmarshalBinary(msg); err != nil {
		return 0, err
	}
	want, ok := map[entryKind]Type{
		ownEntry: AIU, deletedEntry: AIU, heardEntry: AIU, poolEntry: AITU, othersEntry: AITU, requestEntry: ANA, spaceEntry: ASA,
	}[e.kind]
	if !ok || e.msg.Type != want {
		return 0, fmt.Errorf("kind %d with a message of type %v", e.kind, e.msg.Type)
	}
	return size - len(b), nil
}

// recall puts an entry into the record.
func (m *MAAS) recall(e *entry) {
	past := time.Unix(0, 0)
	switch e.kind {
	case ownEntry:
		h := m.own[e.token]
		if h == nil {
			h = &holding{token: e.token, end: e.msg.Ranges[0].End, announced: e.ends}
			h.over.fire = func(now time.Time) { m.endHolding(now, h) }
			m.arm(&h.over, h.end)
			m.own[e.token] = h
		}
		for _, t := range e.msg.Ranges {
			if m.held.overlaps(t.Range) {
				continue
			}
			h.addrs = union(h.addrs, setOfRange(t.Range))
			m.block(t.Range, taken)
			m.setOwn(t.Range, h)
			m.announcer.add(m, t, forever) // until the listening is over
		}
	case deletedEntry:
		h := &holding{token: e.token, end: e.msg.Ranges[0].End, announced: e.ends}
		m.bury(past, h, Addrs(e.msg.Ranges))
	case heardEntry:
		for _, t := range e.msg.Ranges {
			m.hear(past, t.Range, t.End)
		}
	case poolEntry:
		addrs := scope.Set{}
		for r := range Addrs(e.msg.Ranges).Ranges() {
			if !m.pool.mine.overlaps(r) {
				m.block(r, taken)
				addrs = union(addrs, setOfRange(r))
			}
		}
		m.newPreallocation(addrs, e.msg.Ranges[0].End).pending = true
	case othersEntry:
		k := request{e.from, e.msg.RSeq}
		if known := m.others.entries[k]; known != nil {
			e.msg.Ranges = append(e.msg.Ranges, known.ranges...)
		}
		m.hearSet(e.at, &m.others, k, Normalize(e.msg.Ranges), 0)
	case requestEntry:
		k := requestKey{request{e.from, e.msg.RSeq}, e.msg.Need.Count, e.msg.Need.End.Unix()}
		m.requests.add(past, k, e.at, m.cfg.MaxRequests)
	case spaceEntry:
		if m.cfg.Large {
			m.space = newSpace(&e.msg, e.at)
			m.setShelves(m.space.Ranges)
		}
	}
}
