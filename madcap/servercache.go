// SPDX-License-Identifier: BSD-3-Clause

package madcap

import (
	"crypto/sha256"
	"time"
)

// idKey is a Lease Identifier as a map key: itself up to 32 octets, beyond
// that its digest, so that the size of a key is not the client's choice.
type idKey struct {
	n  uint8 // length, 255 for a digest
	id [sha256.Size]byte
}

func keyOf(id LeaseIdentifier) idKey {
	if len(id) > sha256.Size {
		return idKey{n: 255, id: sha256.Sum256(id)}
	}
	k := idKey{n: uint8(len(id))}
	copy(k.id[:], id)
	return k
}

// messageKey tells a retransmission from a new message (RFC 2730, section
// 2.1.4): the same transaction, message type and Lease Identifier.
type messageKey struct {
	xid uint32
	typ MessageType
	id  idKey
}

// response is what became of a message: an answer, or none yet.
type response struct {
	key  messageKey
	tag  uint32 // of key in the index
	at   time.Time
	dead bool   // nothing was answered, the message may be tried again
	data []byte // empty while the allocator is being asked
}

// responseCache remembers the answers of the last interval. All live equally
// long, so they expire in the order they came: a ring that grows on demand,
// and an index. The memory of the answers is used again.
type responseCache struct {
	interval  time.Duration
	limit     int // responses
	maxOctets int
	index     responseIndex
	ring      []response
	first     uint64 // sequence number of the oldest
	count     int
	spare     [][]byte // memory of answers no longer needed
	slab      []byte   // memory never used, from which the first answers are cut
	octets    int      // capacity of all answers and of spare
}

func (c *responseCache) init(limit, maxOctets int) {
	c.limit, c.maxOctets = limit, maxOctets
	c.index.init()
	c.first = 1 // so that 0 can stand for no response
}

func (c *responseCache) slot(seq uint64) *response { return &c.ring[seq%uint64(len(c.ring))] }

// find returns the response to a message that came before.
func (c *responseCache) find(now time.Time, key *messageKey) (*response, bool) {
	c.expire(now)
	if seq, ok := c.lookup(key); ok {
		return c.slot(seq), true
	}
	return nil, false
}

// lookup returns the sequence number of the live response with a key.
func (c *responseCache) lookup(key *messageKey) (uint64, bool) {
	tag := c.index.tag(key)
	for at, entry := c.index.start(tag); entry != 0; at, entry = c.index.next(at) {
		if seq := c.seqOf(entry); entry.tag() == tag && c.slot(seq).key == *key {
			return seq, true
		}
	}
	return 0, false
}

// seqOf returns the sequence number of which the index holds the low half.
func (c *responseCache) seqOf(e indexEntry) uint64 { return c.first + uint64(e.low()-uint32(c.first)) }

// expire forgets the responses older than the interval.
func (c *responseCache) expire(now time.Time) {
	for c.count > 0 && !now.Before(c.slot(c.first).at.Add(c.interval)) {
		c.dropOldest()
	}
}

func (c *responseCache) dropOldest() {
	r := c.slot(c.first)
	if !r.dead {
		c.index.remove(r.tag, c.first)
	}
	if r.data != nil {
		c.spare = append(c.spare, r.data[:0])
		r.data = nil
	}
	c.first++
	c.count--
}

// add notes that a message is being worked on and returns its sequence
// number, 0 if nothing is remembered.
func (c *responseCache) add(now time.Time, key *messageKey) uint64 {
	if c.interval == 0 || c.limit == 0 {
		return 0
	}
	if c.count == len(c.ring) {
		if c.count < c.limit {
			c.grow()
		} else {
			c.dropOldest()
		}
	}
	seq := c.first + uint64(c.count)
	c.count++
	tag := c.index.tag(key)
	*c.slot(seq) = response{key: *key, tag: tag, at: now}
	c.index.put(tag, seq)
	return seq
}

// grow doubles the ring.
func (c *responseCache) grow() {
	bigger := make([]response, min(max(64, 2*len(c.ring)), c.limit))
	for seq := c.first; seq < c.first+uint64(c.count); seq++ {
		bigger[seq%uint64(len(bigger))] = *c.slot(seq)
	}
	c.ring = bigger
	c.index.resize(len(bigger))
	for seq := c.first; seq < c.first+uint64(c.count); seq++ {
		if r := c.slot(seq); !r.dead {
			c.index.put(r.tag, seq)
		}
	}
}

// live returns the response with a sequence number unless it is gone.
func (c *responseCache) live(seq uint64) *response {
	if seq < c.first || seq >= c.first+uint64(c.count) || c.slot(seq).dead {
		return nil
	}
	return c.slot(seq)
}

// answer stores the answer to the message with a sequence number. For it to
// fit it forgets memory not in use, and then the oldest responses.
func (c *responseCache) answer(seq uint64, data []byte) {
	r := c.live(seq)
	if r == nil {
		return
	}
	var into []byte
	if n := len(c.spare); n > 0 {
		into = c.spare[n-1]
		c.spare = c.spare[:n-1]
	} else {
		into = c.cut(len(data))
		c.octets += cap(into)
	}
	c.octets -= cap(into)
	r.data = append(into, data...)
	c.octets += cap(r.data)
	for c.octets > c.maxOctets {
		if n := len(c.spare); n > 0 {
			c.octets -= cap(c.spare[n-1])
			c.spare = c.spare[:n-1]
		} else {
			c.dropOldest() // at the latest this one
		}
	}
}

// cut returns fresh memory for n octets or some more, out of a larger piece.
func (c *responseCache) cut(n int) []byte {
	n = (n + 63) &^ 63
	if len(c.slab) < n {
		c.slab = make([]byte, max(n, 1<<14))
	}
	b := c.slab[:0:n]
	c.slab = c.slab[n:]
	return b
}

// forget lets the message with a sequence number be tried again.
func (c *responseCache) forget(seq uint64) {
	if r := c.live(seq); r != nil {
		r.dead = true
		c.index.remove(r.tag, seq)
	}
}
