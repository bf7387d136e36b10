// SPDX-License-Identifier: BSD-3-Clause

package aap

import (
	"net/netip"
	"slices"
	"time"

	"github.com/mcastalloc/malloc/scope"
)

// Normalize returns the normal form of ranges: sorted, disjoint, and neighbours
// with equal ends joined. Where ranges overlap, the latest end counts. Ranges
// without addresses and those with the zero time as end are left out. It leaves
// its argument as it is.
func Normalize(ranges []TimedRange) []TimedRange {
	switch len(ranges) {
	case 0:
		return nil
	case 1:
		if !ranges[0].Range.IsValid() || ranges[0].End.IsZero() {
			return nil
		}
		return []TimedRange{ranges[0]}
	}
	if isNormal(ranges) {
		return slices.Clone(ranges)
	}
	half := len(ranges) / 2
	return overlay(Normalize(ranges[:half]), Normalize(ranges[half:]), later)
}

// isNormal reports whether ranges are in normal form already.
func isNormal(ranges []TimedRange) bool {
	for i, r := range ranges {
		if !r.Range.IsValid() || r.End.IsZero() {
			return false
		}
		if i == 0 {
			continue
		}
		before := ranges[i-1]
		if !before.Range.Last().Less(r.Range.First()) || before.End.Equal(r.End) && before.Range.Last().Next() == r.Range.First() {
			return false
		}
	}
	return true
}

func later(x, y time.Time) time.Time {
	if y.After(x) {
		return y
	}
	return x
}

func earlier(x, y time.Time) time.Time {
	if y.Before(x) {
		return y
	}
	return x
}

// overlay lays two lists in normal form on each other and returns, in normal
// form, what f makes of the two ends at each address. The zero time stands for
// an address that is not in a list, and leaves it out of the result. f is not
// asked about addresses that are in neither.
func overlay(a, b []TimedRange, f func(x, y time.Time) time.Time) []TimedRange {
	var out []TimedRange
	x, y := head(a), head(b)
	for x.valid() || y.valid() {
		first := x.first
		if !x.valid() || y.valid() && y.first.Less(first) {
			first = y.first
		}
		last := x.reach(first, y.reach(first, netip.Addr{}))
		if end := f(x.end(first), y.end(first)); !end.IsZero() {
			out = join(out, first, last, end)
		}
		x.pass(last)
		y.pass(last)
	}
	return out
}

// cursor walks along a list in normal form: first is the first address of its
// first range that is still ahead.
type cursor struct {
	rest  []TimedRange
	first netip.Addr
}

func head(list []TimedRange) cursor {
	c := cursor{rest: list}
	if len(list) > 0 {
		c.first = list[0].Range.First()
	}
	return c
}

func (c *cursor) valid() bool { return len(c.rest) > 0 }

// end returns the end that the list has at an address no greater than c.first.
func (c *cursor) end(at netip.Addr) time.Time {
	if c.valid() && c.first == at {
		return c.rest[0].End
	}
	return time.Time{}
}

// reach returns the last address, at or after one no greater than c.first, up
// to which the list says the same; limit, if valid, is a bound to keep.
func (c *cursor) reach(at, limit netip.Addr) netip.Addr {
	if !c.valid() {
		return limit
	}
	last := c.rest[0].Range.Last()
	if c.first != at {
		if limit.IsValid() && limit.Less(c.first) {
			return limit
		}
		return c.first.Prev()
	}
	if limit.IsValid() && limit.Less(last) {
		return limit
	}
	return last
}

// pass moves behind an address.
func (c *cursor) pass(last netip.Addr) {
	switch {
	case !c.valid() || last.Less(c.first):
	case last.Less(c.rest[0].Range.Last()):
		c.first = last.Next()
	default:
		*c = head(c.rest[1:])
	}
}

// join appends a range to a list in normal form that ends before it.
func join(list []TimedRange, first, last netip.Addr, end time.Time) []TimedRange {
	if n := len(list) - 1; n >= 0 && list[n].End.Equal(end) && list[n].Range.Last().Next() == first {
		first = list[n].Range.First()
		list = list[:n]
	}
	r, err := scope.NewRange(first, last)
	if err != nil {
		return list // not with ranges that are valid
	}
	return append(list, TimedRange{r, end})
}

// live returns the part of ranges that is in force at now, in normal form: what
// has an end after now.
func live(ranges []TimedRange, now time.Time) []TimedRange {
	return overlay(Normalize(ranges), nil, func(end, _ time.Time) time.Time {
		if end.After(now) {
			return end
		}
		return time.Time{}
	})
}

// cut returns what of ranges lies within a space, each end no later than the
// space's, in normal form.
func cut(ranges, space []TimedRange) []TimedRange {
	return overlay(Normalize(ranges), Normalize(space), func(end, limit time.Time) time.Time {
		if end.IsZero() {
			return end
		}
		return earlier(end, limit)
	})
}

// without returns ranges except for the addresses of a set, in normal form.
func without(ranges []TimedRange, gone scope.Set) []TimedRange {
	mark := make([]TimedRange, 0, gone.Len())
	for r := range gone.Ranges() {
		mark = append(mark, TimedRange{r, time.Unix(0, 0)})
	}
	return overlay(Normalize(ranges), mark, func(end, marked time.Time) time.Time {
		if !marked.IsZero() {
			return time.Time{}
		}
		return end
	})
}

// Addrs returns the set of the addresses of ranges, which must be of one family.
func Addrs(ranges []TimedRange) scope.Set {
	var b scope.SetBuilder
	for _, r := range ranges {
		if r.Range.IsValid() {
			b.Add(r.Range)
		}
	}
	s, _ := b.Set() // fails on mixed families only
	return s
}
