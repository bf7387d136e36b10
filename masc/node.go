// SPDX-License-Identifier: BSD-3-Clause

package masc

import (
	"cmp"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/mcastalloc/malloc/scope"
)

// Peer is a configured peering (RFC 2909, section 4). Siblings with several
// common parents have one for each.
type Peer struct {
	Role   Role // of the local node: Child towards a node of a parent domain
	Domain ID   // of the peer; for Internal the own
	Node   ID   // of the peer, the zero ID if not known
	Parent ID   // Sibling: the common parent, the zero ID between top-level domains

	// Family limits what is sent to claims of one family; 0 sends both (decision
	// MASC-D-15).
	Family AddrFamily

	// Outside lists the scopes whose boundary the session crosses: nothing about
	// them is sent or accepted over it (section 4.5).
	Outside []Prefix
}

// Space is a part of the multicast address space in which the domain takes
// part: the global one, or an administrative scope (RFC 2909, section 4.5).
type Space struct {
	Prefix Prefix

	// TopLevel says that no parent of the domain is in this space, so that it
	// claims from Prefix itself, as a top-level domain or Zone TLD.
	TopLevel bool
}

// ScopeSpace returns the space of an administrative scope, which must be
// divisible and a prefix.
func ScopeSpace(s scope.Scope, topLevel bool) (Space, error) {
	if !s.Divisible {
		return Space{}, fmt.Errorf("%w: scope %v is not divisible, so no part of it can be claimed", ErrConfig, s.Range)
	}
	var list []Prefix
	for p := range s.Range.Prefixes() {
		list = append(list, PrefixOf(p))
	}
	if len(list) != 1 {
		return Space{}, fmt.Errorf("%w: scope %v is no prefix", ErrConfig, s.Range)
	}
	return Space{Prefix: list[0], TopLevel: topLevel}, nil
}

// NodeConfig says how a Node behaves. Domain, Node and Rand are required. Where
// a zero duration or number selects a default, a negative one means none.
type NodeConfig struct {
	Domain, Node ID
	Parents      []ID    // parent domains; none for a top-level domain
	Spaces       []Space // default: 224.0.0.0/4, top-level without parents
	Peers        []Peer
	Rand         *rand.Rand

	Rules  *Rules // default: DefaultRules
	Policy Policy // default: SamplePolicy

	Waiting        time.Duration // default WaitingPeriod
	ClaimDelay     time.Duration // default InitiateClaimDelay
	ReclaimPeriod  time.Duration // default 48 hours (section 17.1.6)
	Lifetime       time.Duration // of claims: default 30 days (section 18)
	ClockSkew      time.Duration // for which what has expired is kept: default 24 hours (section 12.3)
	ManualClashes  bool          // leave lost clashes to people instead of withdrawing (section 12.4)
	Strict         bool          // believe only whom section 14 wants believed (decision MASC-D-57)
	SilentlyExpire bool          // do not withdraw claims that have lost

	// What a parent refuses its children with a CLAIM_DENIED (sections 11.4.3
	// and 18): whatever Deny says, a lifetime above MaxLifetime, and more than
	// HardLimit addresses for one domain. More than SoftLimit is an Alert.
	Deny                 func(Claim) bool
	MaxLifetime          time.Duration // default: none
	SoftLimit, HardLimit float64       // default: none

	// Limits of what peers can make the node remember: claims of one origin
	// domain (default 256), claims that one peer brought (default 131072). What
	// is beyond them is dropped.
	MaxPerDomain, MaxPerPeer int
}

// Node is the claims of a domain as one of its nodes sees and makes them (RFC
// 2909, sections 5, 11 and 12): a state machine without sockets, clock or
// goroutines. One owner drives it:
//
//	n.PeerUp(now, peer, domain, node)  a session is Established; PeerDown
//	n.Receive(now, peer, claim)        a claim came in
//	n.SetDemand(now, 0, demand)        the domain needs addresses
//	n.Advance(now)                     time has passed
//	n.Deadline()                       when Advance is next needed
//	n.Effects()                        what to do: *Persist, *Advertise, *Allotted, *Alert
//	n.Allotments(now)                  what the domain may use, and until when
//
// A Node is not safe for concurrent use.
type Node struct {
	cfg     NodeConfig
	rules   Rules
	peers   []peerState
	parents []ID // configured and learned
	spaces  []space
	cache   cache
	pending []*pending
	ignored map[ID]bool

	now      time.Time
	sec      int64 // now in seconds
	replan   bool
	changed  bool // what Allotments returns may have
	held     bool // what Snapshot returns has
	begun    int  // effects queued before the current call
	deadline time.Time
	stale    bool      // deadline must be computed anew
	turn     time.Time // when what Allotments returns changes by itself

	guard       []Prefix // own PREFIX_IN_USE of both levels, perhaps some that are over, and what is about to be claimed
	guarded     bool     // guard is as the cache
	clashed     bool     // something of somebody else may overlap what is owned
	children    int      // entries of child domains in the cache
	parentUntil int64    // when the last claim of a child seen is over
	settled     int64    // when a node that started without a Snapshot knows enough; -1 before the first call

	announced      []Source // what the parents have announced
	announcedUntil int64    // when to look again, in seconds

	stats NodeStats

	queue []Effect
	next  int
	ads   []*Advertise
	used  int // of ads
}

type peerState struct {
	Peer
	up      bool
	claims  int // in the cache that this peer brought
	alerted bool
}

// level tells what a domain manages from what it uses itself: the claims of
// the domain and its siblings, and those of its children and itself as a child
// of itself (RFC 2909, section 11).
type level uint8

const (
	managing level = iota
	using
)

func levelOf(r Role) level {
	if r == Child {
		return using
	}
	return managing
}

// role returns the role of own claims of the level.
func (l level) role() Role {
	if l == using {
		return Child
	}
	return Internal
}

// space is a Space with what the domain wants of it.
type space struct {
	Space
	demand   Demand // of the application
	samples  []Sample
	claimers [2]claimer
}

// claimer is the state of the Policy of one level of a space.
type claimer struct {
	reclaim []appointment // when each prefix is due to be claimed again
	review  time.Time     // when to try again what did not work
	quiet   time.Time     // nothing new is claimed until then
	unmet   float64       // addresses a hint asked for
}

// NewNode returns a node that starts with what an earlier one remembered: the
// zero Snapshot for a fresh start. No peer is up.
func NewNode(cfg NodeConfig, from Snapshot) (*Node, error) {
	orDefault := func(v *time.Duration, d time.Duration) { *v = max(cmp.Or(*v, d), 0) }
	orDefault(&cfg.Waiting, WaitingPeriod)
	orDefault(&cfg.ClaimDelay, InitiateClaimDelay)
	orDefault(&cfg.ReclaimPeriod, 48*time.Hour)
	orDefault(&cfg.Lifetime, 30*24*time.Hour)
	orDefault(&cfg.ClockSkew, 24*time.Hour)
	cfg.MaxPerDomain = max(cmp.Or(cfg.MaxPerDomain, 256), 0)
	cfg.MaxPerPeer = max(cmp.Or(cfg.MaxPerPeer, 1<<17), 0)
	if cfg.Policy == nil {
		cfg.Policy = SamplePolicy{}
	}
	if len(cfg.Spaces) == 0 {
		cfg.Spaces = []Space{{Prefix: multicast[FamilyIPv4], TopLevel: len(cfg.Parents) == 0}}
	}
	if cfg.Domain.IsZero() || cfg.Node.IsZero() || cfg.Rand == nil {
		return nil, fmt.Errorf("%w: a node needs Domain, Node and Rand", ErrConfig)
	}
	if cfg.Waiting < 2*time.Second {
		return nil, fmt.Errorf("%w: a waiting period of %v, want at least 2 s, as claims are dated in whole seconds", ErrConfig, cfg.Waiting)
	}
	n := &Node{cfg: cfg, rules: DefaultRules(), parents: slices.Clone(cfg.Parents), stale: true, settled: -1}
	if cfg.Rules != nil {
		n.rules = *cfg.Rules
	}
	n.cache.init(cfg.Rand, cfg.Domain, seconds(cfg.ClockSkew))
	for _, s := range cfg.Spaces {
		if !s.Prefix.IsValid() || !s.Prefix.IsContiguous() {
			return nil, fmt.Errorf("%w: space %v is no multicast prefix", ErrConfig, s.Prefix)
		}
		if s.Prefix.family == FamilyIPv4 && !(cfg.Domain.Fits(FamilyIPv4) && cfg.Node.Fits(FamilyIPv4)) {
			return nil, fmt.Errorf("%w: identifiers %v and %v are too large for IPv4 claims", ErrConfig, cfg.Domain, cfg.Node)
		}
		n.spaces = append(n.spaces, space{Space: s})
	}
	for _, p := range cfg.Peers {
		if p.Role > Parent {
			return nil, fmt.Errorf("%w: role %v", ErrConfig, p.Role)
		}
		if p.Role == Child && !slices.Contains(n.parents, p.Domain) {
			return nil, fmt.Errorf("%w: the peer's domain %v is not among the parents %v", ErrConfig, p.Domain, n.parents)
		}
		n.peers = append(n.peers, peerState{Peer: p})
	}
	n.restore(from)
	return n, nil
}

// begin starts a call of the machine.
func (n *Node) begin(now time.Time) {
	n.now, n.sec = now, now.Unix()
	n.begun = len(n.queue)
	if n.settled < 0 {
		n.settled = n.sec + seconds(n.cfg.Waiting)
	}
}

// end plans if something happened that a Policy should know, and puts what is
// to be stored before what depends on it.
func (n *Node) end() {
	if n.replan {
		n.replan = false
		n.plan()
	}
	if n.held {
		n.held = false
		n.queue = slices.Insert(n.queue, n.begun, Effect(&Persist{}))
	}
	if n.changed {
		n.changed, n.stale = false, true
		n.turn = n.nextTurn()
		n.queue = append(n.queue, &Allotted{})
	}
}

// Effects yields what there is to do and forgets it. The loop may call the
// Node; what that adds is yielded by the same loop.
func (n *Node) Effects() iter.Seq[Effect] {
	return func(yield func(Effect) bool) {
		for n.next < len(n.queue) {
			n.next++
			if !yield(n.queue[n.next-1]) {
				return
			}
		}
		n.queue, n.next, n.used = n.queue[:0], 0, 0
	}
}

// Stats returns the counters.
func (n *Node) Stats() NodeStats { return n.stats }

// SetDemand says what the domain itself needs of the space with this index of
// the configuration. A domain without children claims it from its parents and
// uses all of that; one with children claims it from what it manages.
func (n *Node) SetDemand(now time.Time, space int, d Demand) {
	n.begin(now)
	n.spaces[space].demand = d
	n.replan = true
	n.end()
}

// Ignore makes the node drop all claims of the given origin domains (RFC 2909,
// section 14). It replaces what was said before.
func (n *Node) Ignore(domains ...ID) {
	n.ignored = make(map[ID]bool, len(domains))
	for _, d := range domains {
		n.ignored[d] = true
	}
}

// IsLeaf reports whether the node knows of no claim of a child domain, so that
// the domain uses all it manages (RFC 2909, section 12.2).
func (n *Node) IsLeaf() bool { return n.children == 0 && n.sec >= n.parentUntil }

// Claims yields what the node remembers and counts as valid, in no particular
// order: whose prefix it is, until when, and by which role (section 12.6).
func (n *Node) Claims(now time.Time) iter.Seq[Claim] {
	return func(yield func(Claim) bool) {
		sec := now.Unix()
		for d := range n.cache.all() {
			for i := range d.entries {
				if d.entries[i].counts(sec) && !yield(d.claim(&d.entries[i])) {
					return
				}
			}
		}
	}
}

// Deadline returns when Advance has something to do.
func (n *Node) Deadline() (time.Time, bool) {
	if n.stale {
		n.stale = false
		n.deadline = n.computeDeadline()
	}
	return n.deadline, !n.deadline.IsZero()
}

func (n *Node) computeDeadline() time.Time {
	var d time.Time
	sooner := func(t time.Time) {
		if !t.IsZero() && (d.IsZero() || t.Before(d)) {
			d = t
		}
	}
	for _, p := range n.pending {
		sooner(p.at)
	}
	for i := range n.spaces {
		for j := range n.spaces[i].claimers {
			c := &n.spaces[i].claimers[j]
			sooner(c.review)
			for _, a := range c.reclaim {
				sooner(a.at)
			}
		}
	}
	sooner(n.turn)
	if at, ok := n.cache.next(); ok {
		sooner(time.Unix(at, 0))
	}
	return d
}

// Advance does what is due: sends claims whose delay is over, takes prefixes
// whose waiting period is, claims prefixes again, drops what has ended.
func (n *Node) Advance(now time.Time) {
	n.begin(now)
	n.stale = true
	n.sweep()
	for i := 0; i < len(n.pending); i++ {
		p := n.pending[i]
		if p.at.After(now) {
			continue
		}
		if p.waiting {
			n.allocate(p)
		} else {
			n.originate(p)
		}
		i = -1 // the list may be another one
	}
	if !n.turn.IsZero() && !n.turn.After(now) {
		n.changed = true
		n.replan = true
	}
	for i := range n.spaces {
		for j := range n.spaces[i].claimers {
			n.renew(&n.spaces[i], level(j))
		}
	}
	n.end()
}
