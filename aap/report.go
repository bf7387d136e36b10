// SPDX-License-Identifier: BSD-3-Clause

package aap

import (
	"math"
	"slices"
	"time"

	"github.com/mcastalloc/malloc/scope"
)

// reportsOn counts the use of a space for an ASRP (section 3.2.10.3): one report
// for each range of the ASA, in its order, with how many of its addresses are
// allocated. Preallocations do not count. Pass the ranges as announced, not in
// normal form: a coordinator wants its own back.
func reportsOn(announced []TimedRange, allocated scope.Set) []Report {
	reports := make([]Report, 0, len(announced))
	for _, a := range announced {
		reports = append(reports, Report{a.Range, saturate(sizeWithin(allocated, a.Range))})
	}
	return reports
}

// sizeWithin counts the addresses of a set in a range.
func sizeWithin(s scope.Set, r scope.Range) scope.Uint128 {
	one, err := scope.SetOf(r)
	if err != nil {
		return scope.Uint128{}
	}
	common, _ := s.Intersect(one) // of two families: nothing
	return common.Size()
}

// saturate returns n as the wire has it: 0xffffffff for that many or more
// (section 5.4.5).
func saturate(n scope.Uint128) uint32 {
	if n.Hi != 0 || n.Lo > math.MaxUint32 {
		return math.MaxUint32
	}
	return uint32(n.Lo)
}

// MergeRequests returns at most limit requests, but at least one, that stand for
// all of the given ones (section 3.2.10.3): sorted by end, those with the most
// similar ends put together until they fit. The merged request asks for both
// counts, as far as the wire can say, until the later end, which serves both
// (AAP-D-43). It leaves its argument as it is. See maxRequests for the limit.
func MergeRequests(requests []Request, limit int) []Request {
	q := slices.Clone(requests)
	slices.SortFunc(q, Request.Compare)
	for len(q) > max(limit, 1) {
		closest := 0
		for i := range len(q) - 1 {
			if q[i+1].End.Sub(q[i].End) < q[closest+1].End.Sub(q[closest].End) {
				closest = i
			}
		}
		both := uint64(q[closest].Count) + uint64(q[closest+1].Count)
		q[closest+1].Count = uint32(min(both, math.MaxUint32))
		q = slices.Delete(q, closest, closest+1)
	}
	return q
}

// unmet returns the requests that a space still cannot satisfy, in their order,
// oldest first (section 3.2.10.1): one is satisfied when the addresses available
// until its end, give or take the tolerance, less those allocated and those
// that earlier requests take, are enough. It is for when the space has grown.
func unmet(requests []Request, space []TimedRange, allocated scope.Set, tolerance time.Duration) []Request {
	space = Normalize(space)
	free := make([]scope.Uint128, len(space))
	for i, s := range space {
		free[i] = s.Range.Size().Sub(sizeWithin(allocated, s.Range))
	}
	var left []Request
	var taken scope.Uint128
	for _, r := range requests {
		var available scope.Uint128
		for i, s := range space {
			if !s.End.Before(r.End.Add(-tolerance)) {
				available = available.Add(free[i])
			}
		}
		if more := taken.Add(scope.U128(uint64(r.Count))); available.Cmp(more) >= 0 {
			taken = more
		} else {
			left = append(left, r)
		}
	}
	return left
}
