// SPDX-License-Identifier: BSD-3-Clause

package lease

import (
	"cmp"
	crand "crypto/rand"
	"math/rand/v2"
	"time"

	"github.com/mcastalloc/malloc/scope"
)

// Config says what a [Pool] grants, to whom and for how long. Only Scopes or
// Sources must be given.
type Config struct {
	// Scopes whose addresses are all the pool's to grant: those for dynamic
	// allocation, see Source.Addrs. The first scope of a family is its
	// default scope.
	Scopes []scope.Scope
	// Sources are parts of scopes, perhaps for a limited time. They come
	// after Scopes where the order matters.
	Sources []Source
	// Nesting of the scopes as far as it is known. Nil: unknown.
	Nesting *scope.Nesting

	// MaxLifetime is the longest lease, and the longest that a change may
	// extend one from now on. Zero: DefaultMaxLifetime.
	MaxLifetime time.Duration
	// DefaultLifetime is granted to who asks for no lifetime and no end.
	// Zero: MaxLifetime.
	DefaultLifetime time.Duration
	// Guard is how long addresses rest after a lease before somebody else
	// gets them, and so the length of the gap before the next lease: the
	// extra allocation time of RFC 2730 section 2.12, and a hold-down that
	// keeps the traffic of one session from the receivers of the next. A
	// lease can still be renewed while its addresses rest. Zero:
	// DefaultGuard; NoGuard: none.
	Guard time.Duration
	// Skew is how far clocks may be apart, and how far the pool's own may
	// step back before it stops to grant. Zero: DefaultSkew.
	Skew time.Duration
	// GroupIDs are the IPv6 group IDs that may be granted, ascending. Nil:
	// DynamicGroupIDs.
	GroupIDs []GroupIDs
	// LinkUnique keeps Ethernet addresses apart: no two leases of the pool, or
	// of pools on the same store, share one at any time. In IPv4 there are
	// 2^23 of them, whatever the size of the ranges.
	LinkUnique bool
	// MaxLeases bounds the leases, offers and resting addresses kept in
	// memory at once. Zero: DefaultMaxLeases.
	MaxLeases int
	// MaxAddrs bounds the addresses of one lease. A larger wish is cut to it.
	// Zero: MaxCount.
	MaxAddrs int
	// Owner says who may change, release and list a lease. Nil: SameOwner.
	Owner Owner
	// Limits says what a principal may have in a scope. Nil: no limits. It is
	// called with the pool locked and must not call the pool.
	Limits func(Principal, scope.ID) Limits
	// Policy judges every attempt to allocate, offer, change or release. Nil:
	// all are admitted.
	Policy Policy
	// Store is where leases are kept over a restart, perhaps together with
	// other pools. What a call has granted, changed or released is durable
	// when the call returns. Nil: they live as long as the pool.
	Store Store
	// Damaged, if not nil, is told about entries of the store that cannot be
	// read. Their addresses count as taken. It is called with the pool locked
	// and must not call the pool.
	Damaged func(key string, err error)
	// Rand is where the choice of addresses and the lease identifiers come
	// from; who can predict it can guess identifiers. The pool locks around
	// its use. Nil: a ChaCha8 generator seeded by the system.
	Rand *rand.Rand
	// Now is the clock. Nil: the system's.
	Now func() time.Time
}

// Defaults of a [Config].
const (
	DefaultMaxLifetime = 24 * time.Hour
	DefaultGuard       = time.Hour        // EXTRA-ALLOCATION-TIME, RFC 2730 section 2.12
	DefaultSkew        = 30 * time.Minute // CLOCK-SKEW-ALLOWANCE, RFC 2730 section 2.12
	DefaultMaxLeases   = 1 << 20

	// NoGuard as Config.Guard lets the next lease begin in the instant the
	// last one ends.
	NoGuard time.Duration = -1
)

// filled returns the configuration with its defaults, or says what is wrong
// with it.
func (c Config) filled() (Config, error) {
	bad := func(got, want string) error {
		return &Error{Op: "configure", Got: got, Want: want, Err: ErrUnsupported}
	}
	switch {
	case c.MaxLifetime < 0 || c.MaxLifetime > time.Duration(never)/2:
		return c, bad("MaxLifetime "+c.MaxLifetime.String(), "a length above zero")
	case c.DefaultLifetime < 0:
		return c, bad("DefaultLifetime "+c.DefaultLifetime.String(), "a length above zero")
	case c.Skew < 0:
		return c, bad("Skew "+c.Skew.String(), "a length above zero")
	case c.MaxLeases < 0 || c.MaxLeases > 1<<31-1:
		return c, bad("MaxLeases", "a number of 1 to 2^31-1")
	case c.MaxAddrs < 0 || c.MaxAddrs > MaxCount:
		return c, bad("MaxAddrs", "a number of 1 to MaxCount")
	}
	for i, g := range c.GroupIDs {
		if g.Last < g.First || i > 0 && g.First <= c.GroupIDs[i-1].Last {
			return c, bad("GroupIDs", "ranges in ascending order")
		}
	}
	if c.GroupIDs == nil {
		c.GroupIDs = []GroupIDs{DynamicGroupIDs}
	}
	c.MaxLifetime = cmp.Or(c.MaxLifetime, DefaultMaxLifetime)
	c.DefaultLifetime = min(cmp.Or(c.DefaultLifetime, c.MaxLifetime), c.MaxLifetime)
	c.Guard = max(cmp.Or(c.Guard, DefaultGuard), 0)
	c.Skew = cmp.Or(c.Skew, DefaultSkew)
	c.MaxLeases = cmp.Or(c.MaxLeases, DefaultMaxLeases)
	c.MaxAddrs = cmp.Or(c.MaxAddrs, MaxCount)
	if c.Owner == nil {
		c.Owner = SameOwner
	}
	if c.Rand == nil {
		var seed [32]byte
		crand.Read(seed[:]) // never fails
		c.Rand = rand.New(rand.NewChaCha8(seed))
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c, nil
}
