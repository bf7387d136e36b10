// SPDX-License-Identifier: BSD-3-Clause

package aap

import "errors"

// Drops counts the datagrams a machine ignored, by cause.
type Drops struct {
	// Malformed datagrams, by the error of [Message.Decode].
	Short, Version, Type, Family, Length, Empty, NotMulticast, RangeOrder, ZeroCount uint64

	Own             uint64 // our own, looped back
	Unauthenticated uint64 // which the policy does not believe
	Foreign         uint64 // sent to another group, or about another scope or family
	Skewed          uint64 // from a clock further off than the configured limit
}

// malformed counts an error of Decode.
func (d *Drops) malformed(err error) {
	for _, c := range []struct {
		err   error
		count *uint64
	}{
		{ErrShort, &d.Short}, {ErrVersion, &d.Version}, {ErrType, &d.Type}, {ErrFamily, &d.Family}, {ErrLength, &d.Length},
		{ErrEmpty, &d.Empty}, {ErrNotMulticast, &d.NotMulticast}, {ErrRangeOrder, &d.RangeOrder}, {ErrZeroCount, &d.ZeroCount},
	} {
		if errors.Is(err, c.err) {
			*c.count++
		}
	}
}

// CoordinatorStats counts what a [Coordinator] did.
type CoordinatorStats struct {
	Drops      Drops
	Received   [6]uint64 // messages accepted, by type; those of servers among themselves included
	Sent       uint64    // ASAs
	Unsendable uint64    // ASAs with times that no message can say
	Mismatched uint64    // ASRPs about other ranges than those announced last
}

// MAASStats counts what a [MAAS] did.
type MAASStats struct {
	Drops       Drops
	Received    [6]uint64 // messages accepted, by type
	Sent        [6]uint64 // messages sent, by type
	Unsendable  uint64    // messages with times that no message can say
	Collisions  uint64    // claims and preallocations that another server touched
	Conflicts   uint64    // addresses of ours that another server announces, each time some are added
	Defences    uint64    // AIUs sent in defence
	Failed      uint64    // allocations
	Withdrawals uint64    // ASAs that took space back
	Overflows   uint64    // things not recorded because of a limit
}
