// SPDX-License-Identifier: BSD-3-Clause

package aap

import (
	"time"

	"github.com/mcastalloc/malloc/scope"
)

// sequence numbers the messages of one request (sections 5.1.4 and 5.1.5). The
// zero sequence has sent none.
type sequence struct {
	rseq uint32
	mseq uint8 // of the next message
	open bool
}

// send sends a message with the next number of a sequence, which it may be the
// first of. Times are ours, in whole seconds.
func (m *MAAS) send(now time.Time, seq *sequence, msg Message) {
	if !seq.open {
		*seq = sequence{rseq: m.newRequest(), open: true}
	}
	msg.RSeq, msg.MSeq = seq.rseq, seq.mseq
	seq.mseq++
	msg.Family, msg.CurrentTime = m.family(), now.Truncate(time.Second).UTC()
	m.post(&msg)
}

// sendOne sends a message that is a request of its own.
func (m *MAAS) sendOne(now time.Time, msg Message) {
	var seq sequence
	m.send(now, &seq, msg)
	m.close(&seq)
}

func (m *MAAS) post(msg *Message) {
	packet, err := msg.MarshalBinary()
	if err != nil {
		m.stats.Unsendable++ // after 2106
		return
	}
	m.stats.Sent[msg.Type]++
	m.emit(Send{m.cfg.Group, packet})
}

// newRequest returns the next request sequence number that is not in use: after
// 2^24 requests some of the old ones may still be announced (section 5.1.4).
func (m *MAAS) newRequest() uint32 {
	for {
		n := m.rseq
		m.rseq = (m.rseq + 1) & maxRSeq
		if _, used := m.running[n]; !used {
			m.running[n] = struct{}{}
			return n
		}
	}
}

// close ends a sequence; its number may be used again.
func (m *MAAS) close(seq *sequence) {
	if seq.open {
		delete(m.running, seq.rseq)
		*seq = sequence{}
	}
}

// parts cuts a set into sets of at most so many ranges as one message holds.
func (m *MAAS) parts(s scope.Set) []scope.Set {
	limit := maxRanges(m.family())
	if s.Len() <= limit {
		return []scope.Set{s}
	}
	var parts []scope.Set
	var b scope.SetBuilder
	for i := range s.Len() {
		b.Add(s.Range(i))
		if (i+1)%limit == 0 || i+1 == s.Len() {
			part, _ := b.Set()
			parts = append(parts, part)
			b = scope.SetBuilder{}
		}
	}
	return parts
}
