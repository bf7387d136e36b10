// SPDX-License-Identifier: BSD-3-Clause

package lease

import (
	"math/bits"

	"github.com/mcastalloc/malloc/scope"
)

// unclaimed takes addresses that nobody has at any time, for a lease that
// ends between lo and hi.
func (s *search) unclaimed(lo, hi instant) {
	open := s.q.zone.sources
	first := s.sourceFor(open, lo, hi)
	if first < 0 {
		return
	}
	if s.left == 1 && len(s.c.picks) == 0 {
		a, _ := open[first].free.RandomAddr(s.q.rnd)
		n := numberOf(a)
		s.pick(span{n, n}, open[first])
		return
	}
	// What is chosen goes out of the free space until all is chosen.
	had := len(s.c.picks)
	for _, p := range s.c.picks {
		s.hide(p, true)
	}
	for i := range open {
		if src := open[(first+i)%len(open)]; src.serves(s.q.who, lo) {
			s.blocks(src)
		}
	}
	for i, p := range s.c.picks {
		if i >= had || p.fresh {
			s.hide(p, false)
		}
	}
}

// sourceFor chooses the source to begin with: at random, each address with
// the same chance, among the sources valid until hi; without free addresses
// in these, the one that is valid longest. It returns -1 if there is nothing
// free at all.
func (s *search) sourceFor(open []*source, lo, hi instant) int {
	best := -1
	var sum number
	for i, src := range open {
		n := src.free.Size()
		if n.IsZero() || !src.serves(s.q.who, lo) {
			continue
		}
		if best < 0 {
			best = i
		} else if src.until < hi {
			break
		} else if n.Hi != 0 || sum.Hi != 0 || s.q.rnd.Uint64N(sum.Lo+n.Lo) < n.Lo {
			best = i
		}
		sum = sum.Add(n)
	}
	return best
}

func (s *search) pick(run span, src *source) {
	s.left -= run.size()
	s.c.picks = append(s.c.picks, pick{run, src.until, true})
}

// hide takes the addresses of a fresh pick out of the free space, or puts
// them back.
func (s *search) hide(p pick, out bool) {
	if !p.fresh {
		return
	}
	if out {
		s.t.take(s.t.fold(p.span))
	} else {
		s.t.give(s.t.fold(p.span))
	}
}

// blocks takes what is still needed from src, in aligned blocks as large as
// possible, so that a lease has few ranges.
func (s *search) blocks(src *source) {
	width := 128
	if s.q.zone.family == IPv4 {
		width = 32
	}
	for host := bits.Len(uint(s.left - 1)); s.left > 0 && host >= 0; {
		p, ok := src.free.RandomPrefix(width-host, s.q.rnd)
		if !ok {
			host--
			continue
		}
		run := spanOf(scope.RangeOf(p)).head(s.left)
		s.pick(run, src)
		s.t.take(s.t.fold(run))
		if s.left > 0 {
			host = min(host, bits.Len(uint(s.left-1)))
		}
	}
}
