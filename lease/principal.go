// SPDX-License-Identifier: BSD-3-Clause

package lease

import (
	"context"
	"strconv"
)

// Principal is on whose behalf a call is made. Two are the same only if both
// name and voucher are. The zero value is the anonymous principal, which owns
// leases and has limits like any other.
type Principal struct {
	Name string  // a user, a host, an address: whatever By vouches for
	By   Voucher // what the name rests on
}

// Voucher says how a principal is known.
type Voucher uint8

// The vouchers, by growing credibility.
const (
	ByNobody  Voucher = iota // anonymous, or the caller's own word
	ByAddress                // the source address of a datagram
	ByHost                   // the local system: a user of this host
	ByAuth                   // an authenticated identity
)

var voucherNames = [...]string{"nobody", "address", "host", "auth"}

// String returns a short word.
func (v Voucher) String() string {
	if int(v) < len(voucherNames) {
		return voucherNames[v]
	}
	return "Voucher(" + strconv.Itoa(int(v)) + ")"
}

// String returns the voucher and the name, "anonymous" for the zero value.
func (p Principal) String() string {
	if p == (Principal{}) {
		return "anonymous"
	}
	return p.By.String() + ":" + p.Name
}

type principalKey struct{}

// WithPrincipal returns a context in which calls are made on behalf of p. It
// crosses every layer from a network server to the store.
func WithPrincipal(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// PrincipalFrom returns the principal of the context, the anonymous one if
// there is none.
func PrincipalFrom(ctx context.Context) Principal {
	p, _ := ctx.Value(principalKey{}).(Principal)
	return p
}

// Owner is a policy: may caller change, release and list a lease that holder
// allocated? (RFC 2771 section 3.9)
type Owner func(caller, holder Principal) bool

// SameOwner is the default policy: the holder and nobody else.
func SameOwner(caller, holder Principal) bool { return caller == holder }

// AnyBearer lets everybody who knows the lease identifier. It is how MADCAP
// works between a client and a server that do not authenticate; who listens
// on the network can then take over leases.
func AnyBearer(caller, holder Principal) bool { return true }
