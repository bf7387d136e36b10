// SPDX-License-Identifier: BSD-3-Clause

package aap

import (
	"iter"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/mcastalloc/malloc/scope"
)

// MAAS is a multicast address allocation server (section 3) of one scope and
// address family. It claims addresses, announces what it has, defends what it and
// others have, and keeps addresses preallocated, so that most requests are
// granted at once.
//
//	m, err := aap.NewMAAS(cfg, stored)
//	m.Start(now)                            // listens for 150 to 195 s, saying nothing
//	m.Allocate(now, aap.Want{...})          // at any time: asks for addresses
//	m.Receive(now, datagram)                // something arrived
//	m.Advance(now)                          // the Deadline has come
//	for x := range m.Effects() { ... }      // after each of these: Persist, Send, Granted, ...
//
// One caller drives it, and carries out the effects in order after each call; it
// is not safe for concurrent use. It neither reads a clock nor opens a socket.
// Times are those of the clock that the ends of allocations are meant on; what
// arrives is put on it.
//
// An allocation is known by the [Token] its caller gave it. What happens to it:
//
//	asked     waits while the server listens, or knows no space
//	claimed   an ACLM is repeated for 10 s; addresses that others claim or have
//	          are replaced by others, at most 16 times
//	granted   an AIU is repeated every half minute, until the end
//	lost      another server has it too, or the space was taken back: see Lost
//
// What a MAAS must remember across a restart is its [Snapshot]. All that a peer
// can make it remember is limited by its configuration.
type MAAS struct {
	cfg   MAASConfig
	gate  gate
	state maasState
	rng   *rand.Rand // for the shape of trees
	stats MAASStats
	msg   Message // of the datagram at hand
	effects
	timers

	reserved scope.Set           // never chosen
	rseq     uint32              // of the next request
	running  map[uint32]struct{} // request sequence numbers in use

	// The allocation record (section 3.2.1).
	own      map[Token]*holding
	held     intervals[*holding] // where own allocations are
	deleted  intervals[*holding] // what we deleted, and others may still defend
	heard    intervals[time.Time]
	others   heardSets // preallocations of other servers
	claims   heardSets // claims of other servers, for a while after each ACLM
	requests requests
	space    spaceState
	heardASA bool      // since the start
	unstored time.Time // when what was heard is to be stored; zero if it is

	blocks  intervals[block]
	shelves []*shelf          // what is free, by end
	areas   intervals[*shelf] // where they are
	weak    scope.Space       // free but for preallocations of others

	jobs      map[Token]*job
	claimed   intervals[*claim]
	waiting   []*job // until there is a space to allocate from
	announcer announcer
	pool      pool
	defences  defences

	resendAt time.Time // when resend is to repeat the ASA; earlier, it waits for the ASA to expire

	startup, sweeper, resend, reporter timer
}

type maasState uint8

const (
	stopped   maasState = iota
	listening           // the Startup Timer runs (section 3.2.4)
	running
)

// Snapshot is what a [MAAS] must remember across a restart: its own allocations,
// those of others, preallocations, requests and the space (section 3.1), encoded
// for [NewMAAS]. Loss of it endangers its allocations, though other servers
// defend them.
type Snapshot []byte

// NewMAAS returns a server that remembers what is stored in from; nil for
// nothing. Its error has ErrConfig, or says what is wrong with the snapshot.
func NewMAAS(cfg MAASConfig, from Snapshot) (*MAAS, error) {
	cfg = cfg.withDefaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	m := &MAAS{
		cfg: cfg, gate: gate{cfg.Scope, cfg.Group, slices.Clone(cfg.Self), cfg.Sole, cfg.Default, cfg.Authentication, cfg.MaxSkew},
		rng:     rand.New(rand.NewPCG(cfg.Rand.Uint64(), cfg.Rand.Uint64())),
		running: map[uint32]struct{}{}, own: map[Token]*holding{}, jobs: map[Token]*job{},
	}
	m.held.rng, m.deleted.rng, m.blocks.rng, m.heard.rng, m.areas.rng = m.rng, m.rng, m.rng, m.rng, m.rng
	m.heard.end = func(end time.Time) time.Time { return end }
	m.defences.contests, m.requests.known = map[request]*contest{}, map[requestKey]struct{}{}
	m.others.reason, m.claims.reason = preallocated, taken
	m.others.entries, m.claims.entries = map[request]*heardSet{}, map[request]*heardSet{}
	m.claimed.rng, m.announcer.joined.rng, m.pool.mine.rng = m.rng, m.rng, m.rng
	m.startup.fire, m.sweeper.fire, m.resend.fire, m.reporter.fire = m.begin, m.sweep, m.resendASA, m.report
	m.defences.refill.fire, m.pool.filler.fire = m.serveDefences, m.fillPool
	m.reserved = cfg.reserved()
	for r := range m.reserved.Ranges() {
		m.block(r, taken)
	}
	if !cfg.Large {
		m.setShelves([]TimedRange{{cfg.Scope, forever}})
	}
	return m, m.restore(from)
}

// forever is the end of a small scope: after all that a message can say.
var forever = time.Unix(1<<32, 0).UTC()

func (m *MAAS) family() Family { return FamilyOf(m.cfg.Scope.First()) }

// Start joins in: from now on it listens for 1 to 1.3 times STARTUP-WAIT, and
// then announces what it has and allocates (section 3.2.4). Call it once, before
// anything else.
func (m *MAAS) Start(now time.Time) {
	if m.state != stopped {
		return
	}
	m.state = listening
	m.expire(now)
	m.arm(&m.startup, now.Add(m.cfg.Timing.Startup(m.cfg.Rand.Float64())))
	m.run(now)
}

// begin ends the listening.
func (m *MAAS) begin(now time.Time) {
	m.state = running
	m.announceAll(now)
	m.startPool(now)
	if m.cfg.Large {
		m.waitReport(now)
		m.watchSpace(now)
	}
	if space := m.Usable(now); len(space) > 0 {
		m.emit(Available{Space: space})
	}
	m.startWaiting(now)
	m.fillPool(now)
}

// Listening reports whether the server still only listens, as it does at first.
func (m *MAAS) Listening() bool { return m.state != running }

// Deadline returns when [MAAS.Advance] is next needed, and whether it is.
func (m *MAAS) Deadline() (time.Time, bool) { return m.next() }

// Advance lets time pass: it does all that is due at now.
func (m *MAAS) Advance(now time.Time) { m.run(now) }

// Effects yields what is to be done, in order, and forgets it: at most one
// [Persist], datagrams to send, and news for the application.
func (m *MAAS) Effects() iter.Seq[Effect] { return m.drain() }

// Stats returns the counters.
func (m *MAAS) Stats() MAASStats { return m.stats }

// Usable returns from what the server may allocate at now: in a large scope what
// the last ASA says that has not ended, in a small one the scope until after
// 2106. What is reserved or taken is part of it; see [MAAS.Free].
func (m *MAAS) Usable(now time.Time) []TimedRange {
	if !m.cfg.Large {
		return []TimedRange{{m.cfg.Scope, forever}}
	}
	return live(m.space.Ranges, now)
}

// Free returns how many addresses the server could claim until a time: nobody
// is known to have, claim or preallocate them. Its own pool is not counted.
func (m *MAAS) Free(until time.Time) scope.Uint128 {
	var n scope.Uint128
	for _, s := range m.shelves {
		if !s.end.Before(until) {
			n = n.Add(s.free.Size())
		}
	}
	return n
}
