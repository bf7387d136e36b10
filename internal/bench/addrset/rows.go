// SPDX-License-Identifier: BSD-3-Clause

package addrset

import (
	"encoding/binary"
	"fmt"
	"iter"
	"math/rand/v2"
	"net/netip"
	"runtime"

	"github.com/gaissmai/bart"
	"github.com/mcastalloc/malloc/internal/bench/ratio"
	"github.com/mcastalloc/malloc/scope"
	"go4.org/netipx"
)

const (
	base = 239 << 24
	all  = 1 << 24 // addresses of 239.0.0.0/8
	many = 1 << 14 // prepared questions
)

func addr(n uint32) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], n)
	return netip.AddrFrom4(b)
}

// world is the workload at one size, in every form.
type world struct {
	taken []scope.Range // in random order
	set   scope.Set     // taken
	space *scope.Space  // what is not taken

	lite  bart.Lite     // taken
	used  *netipx.IPSet // taken
	empty *netipx.IPSet // what is not taken

	addrs    []netip.Addr   // random addresses of the /8
	blocks   []netip.Prefix // random /28s
	prefixes []netip.Prefix // free prefixes
	ranges   []scope.Range  // the same as ranges
}

func newWorld(n int) *world {
	rnd := rand.New(rand.NewPCG(uint64(n), 1))
	w := &world{}
	slot := uint32(all / n)
	var used netipx.IPSetBuilder
	for i := range uint32(n) {
		from := base + i*slot
		first := from + rnd.Uint32N(slot-1)
		last := first + rnd.Uint32N(from+slot-1-first)
		r := must(scope.NewRange(addr(first), addr(last)))
		w.taken = append(w.taken, r)
		used.AddRange(netipx.IPRangeFrom(r.First(), r.Last()))
		for p := range r.Prefixes() {
			w.lite.Insert(p)
		}
	}
	rnd.Shuffle(n, func(i, j int) { w.taken[i], w.taken[j] = w.taken[j], w.taken[i] })
	w.set = must(scope.SetOf(w.taken...))
	w.space = scope.NewSpace(must(scope.MustSet("239.0.0.0/8").Subtract(w.set)))
	w.used = must(used.IPSet())
	var empty netipx.IPSetBuilder
	empty.AddPrefix(netip.MustParsePrefix("239.0.0.0/8"))
	empty.RemoveSet(w.used)
	w.empty = must(empty.IPSet())
	for range many {
		w.addrs = append(w.addrs, addr(base+rnd.Uint32N(all)))
		w.blocks = append(w.blocks, netip.PrefixFrom(addr((base+rnd.Uint32N(all))&^15), 28))
		for { // a free address, made a shorter prefix while that is free
			a, _ := w.space.RandomAddr(rnd)
			p := netip.PrefixFrom(a, 32)
			for rnd.IntN(2) == 0 {
				wider := netip.PrefixFrom(a, p.Bits()-1).Masked()
				if !w.space.Covers(scope.RangeOf(wider)) {
					break
				}
				p = wider
			}
			w.prefixes = append(w.prefixes, p)
			w.ranges = append(w.ranges, scope.RangeOf(p))
			break
		}
	}
	return w
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// sink keeps the compiler from leaving out what is measured.
var sink int

// Rows measures row after row.
func Rows() iter.Seq[ratio.Row] {
	return func(yield func(ratio.Row) bool) {
		for _, n := range []int{1e4, 1e5, 1e6} {
			w := newWorld(n)
			for r := range w.rows(n) {
				if !yield(r) {
					return
				}
			}
		}
		for r := range full() {
			if !yield(r) {
				return
			}
		}
	}
}

func (w *world) rows(n int) iter.Seq[ratio.Row] {
	size := fmt.Sprintf(", n = %.0e", float64(n))
	return func(yield func(ratio.Row) bool) {
		more := true
		put := func(r ratio.Row) {
			more = more && yield(r)
		}
		spaceContains := func(n int) {
			for i := range n {
				if !w.space.Contains(w.addrs[i%many]) {
					sink++
				}
			}
		}
		setContains := func(n int) {
			for i := range n {
				if w.set.Contains(w.addrs[i%many]) {
					sink++
				}
			}
		}
		liteContains := func(n int) {
			for i := range n {
				if w.lite.Contains(w.addrs[i%many]) {
					sink++
				}
			}
		}
		netipxContains := func(n int) {
			for i := range n {
				if w.used.Contains(w.addrs[i%many]) {
					sink++
				}
			}
		}
		put(ratio.Time("is this address taken (Space)"+size, "bart Lite Contains", 1, spaceContains, liteContains))
		put(ratio.Time("is this address taken (Set)"+size, "bart Lite Contains", 1, setContains, liteContains))
		put(ratio.Time("is this address taken (Space)"+size, "netipx Contains", 0.3, spaceContains, netipxContains))
		put(ratio.Time("is this address taken (Set)"+size, "netipx Contains", 0.3, setContains, netipxContains))
		takeGive := func(n int) {
			for i := range n {
				r := w.ranges[i%many]
				w.space.Take(r)
				w.space.Add(r)
			}
		}
		put(ratio.Time("take and give one range"+size, "bart Lite Insert+Delete", 0.4, takeGive, func(n int) {
			for i := range n {
				w.lite.Insert(w.prefixes[i%many])
				w.lite.Delete(w.prefixes[i%many])
			}
		}))
		if n >= 1e5 {
			w.rows2(n, size, put, takeGive)
		}
	}
}

// rows2 measures what netipx is too slow for at every size.
func (w *world) rows2(n int, size string, put func(ratio.Row), takeGive func(int)) {
	if n == 1e5 {
		put(ratio.Time("is this block free"+size, "netipx OverlapsPrefix", 1e-4, func(n int) {
			for i := range n {
				if w.space.Covers(scope.RangeOf(w.blocks[i%many])) {
					sink++
				}
			}
		}, func(n int) {
			for i := range n {
				if !w.used.OverlapsPrefix(w.blocks[i%many]) {
					sink++
				}
			}
		}))
		put(ratio.Time("take and give one range"+size, "netipx AddSet+AddRange+IPSet", 3e-5, takeGive, func(n int) {
			for i := range n {
				var b netipx.IPSetBuilder
				b.AddSet(w.used)
				b.AddPrefix(w.prefixes[i%many])
				s := must(b.IPSet())
				sink += len(s.Ranges())
			}
		}))
		put(ratio.Time("find, take and give one address (first fit)"+size, "netipx RemoveFreePrefix(32)", 2e-6, func(n int) {
			for range n {
				r, _ := w.space.TakeFirst(scope.U128(1))
				w.space.Add(r)
			}
		}, func(n int) {
			for range n {
				_, s, _ := w.empty.RemoveFreePrefix(32)
				sink += len(s.Ranges())
			}
		}))
		rnd := rand.New(rand.NewPCG(3, 4))
		put(ratio.Time("find, take and give one address (at random)"+size, "netipx RemoveFreePrefix(32)", 2e-6, func(n int) {
			for range n {
				a, _ := w.space.RandomAddr(rnd)
				r := scope.Single(a)
				w.space.Take(r)
				w.space.Add(r)
			}
		}, func(n int) {
			for range n {
				_, s, _ := w.empty.RemoveFreePrefix(32)
				sink += len(s.Ranges())
			}
		}))
		put(ratio.Time("find, take and give a block of 16 (first)"+size, "netipx RemoveFreePrefix(28)", 5e-6, func(n int) {
			for range n {
				p, _ := w.space.NthPrefix(28, scope.Uint128{})
				r := scope.RangeOf(p)
				w.space.Take(r)
				w.space.Add(r)
			}
		}, func(n int) {
			for range n {
				_, s, _ := w.empty.RemoveFreePrefix(28)
				sink += len(s.Ranges())
			}
		}))
		put(ratio.Time("find, take and give a block of 16 (at random)"+size, "netipx RemoveFreePrefix(28)", 5e-6, func(n int) {
			for range n {
				p, _ := w.space.RandomPrefix(28, rnd)
				r := scope.RangeOf(p)
				w.space.Take(r)
				w.space.Add(r)
			}
		}, func(n int) {
			for range n {
				_, s, _ := w.empty.RemoveFreePrefix(28)
				sink += len(s.Ranges())
			}
		}))
	}
	buildPeer := func(k int) {
		for range k {
			var b netipx.IPSetBuilder
			for _, r := range w.taken {
				b.AddRange(netipx.IPRangeFrom(r.First(), r.Last()))
			}
			s := must(b.IPSet())
			sink += len(s.Ranges())
		}
	}
	put(ratio.Time("build a Set from N random ranges"+size, "netipx AddRange+IPSet", 0.3, func(k int) {
		for range k {
			s := must(scope.SetOf(w.taken...))
			sink += s.Len()
		}
	}, buildPeer))
	put(ratio.Time("build a Space from N random ranges"+size, "netipx AddRange+IPSet", 0.3, func(k int) {
		for range k {
			sink += scope.NewSpace(must(scope.SetOf(w.taken...))).Len()
		}
	}, buildPeer))
	peer := ratio.Heap(func() any {
		var b netipx.IPSetBuilder
		b.AddSet(w.used)
		return must(b.IPSet())
	}) / float64(n)
	weigh := func(what string, build func() any) {
		ours := ratio.Heap(build) / float64(n)
		put(ratio.Row{What: what + size, Peer: "netipx IPSet", Target: 0.5, Ratio: ours / peer, Low: ours / peer, High: ours / peer,
			Ours: ours, Theirs: peer, Allocs: -1, Unit: "B"})
	}
	weigh("heap a range, Set", func() any { return must(scope.SetOf(w.taken...)) })
	weigh("heap a range, Space built at once", func() any { return scope.NewSpace(w.set) })
	weigh("heap a range, Space grown range by range", func() any {
		s := &scope.Space{}
		for _, r := range w.taken {
			s.Add(r)
		}
		return s
	})
	runtime.KeepAlive(w)
}

// full measures the /8 that is 99.9 % full, against the floor, and how the
// cost grows with the number of fragments.
func full() iter.Seq[ratio.Row] {
	return func(yield func(ratio.Row) bool) {
		rnd := rand.New(rand.NewPCG(5, 6))
		floor, space := newTree64(), &scope.Space{}
		for range all / 1000 {
			n := rnd.Uint32N(all)
			floor.give(n)
			space.Add(scope.Single(addr(base + n)))
		}
		first := ratio.Time("find, take and give one address, 99.9 % full (first)", "tree64 floor", 4, func(n int) {
			for range n {
				r, _ := space.TakeFirst(scope.U128(1))
				space.Add(r)
			}
		}, func(n int) {
			for range n {
				x := floor.next(0)
				floor.take(x)
				floor.give(x)
			}
		})
		places, addrs := make([]uint32, many), make([]netip.Addr, many)
		for i := range places {
			places[i] = rnd.Uint32N(all)
			addrs[i] = addr(base + places[i])
		}
		next := ratio.Time("find, take and give one address, 99.9 % full (next to a place)", "tree64 floor", 4, func(n int) {
			for i := range n {
				a, ok := space.Next(addrs[i%many])
				if !ok {
					a, _ = space.At(scope.Uint128{})
				}
				r := scope.Single(a)
				space.Take(r)
				space.Add(r)
			}
		}, func(n int) {
			for i := range n {
				x := floor.next(places[i%many])
				floor.take(x)
				floor.give(x)
			}
		})
		if !yield(first) || !yield(next) {
			return
		}
		churn := func(space *scope.Space) func(int) {
			return func(n int) {
				for range n {
					r, _ := space.TakeFirst(scope.U128(1))
					space.Add(r)
				}
			}
		}
		runtime.KeepAlive(sink)
		yield(ratio.Time("find, take and give one address, n = 1e6", "the same at n = 1e2", 2,
			churn(newWorld(1e6).space), churn(newWorld(1e2).space)))
	}
}
