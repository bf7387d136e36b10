// SPDX-License-Identifier: BSD-3-Clause

package lease

// starts lists, ascending, the instants at which addresses of a zone become
// free: those after which a request may find a place it did not find before.
type starts struct {
	zone   *zone
	last   instant      // the one last returned
	listed []instant    // if not nil, these are all
	heap   []startPoint // the edge of the zone's queue as far as it is explored
	open   bool
}

// startPoint is the instant at which the i-th record of the queue is gone,
// or, with a negative i, just an instant.
type startPoint struct {
	at instant
	i  int
}

func (s *starts) next() (instant, bool) {
	if s.listed != nil {
		for len(s.listed) > 0 {
			t := s.listed[0]
			s.listed = s.listed[1:]
			if t > s.last {
				s.last = t
				return t, true
			}
		}
		return 0, false
	}
	if !s.open {
		s.open = true
		s.explore(0)
	}
	for len(s.heap) > 0 && s.heap[0].at <= s.last {
		p := s.pop()
		if p.i < 0 {
			continue
		}
		for kid := 4*p.i + 1; kid <= 4*p.i+4; kid++ {
			s.explore(kid)
		}
		// An offer that is taken up lasts beyond its hold.
		if busy := s.zone.queue[p.i].rec.busy(); busy > p.at {
			s.push(startPoint{busy, -1})
		}
	}
	best, ok := s.zone.gaps.next(s.last)
	if len(s.heap) > 0 {
		best, ok = min(best, s.heap[0].at), true
	}
	s.last = best
	return best, ok
}

func (s *starts) explore(i int) {
	if i < len(s.zone.queue) {
		s.push(startPoint{s.zone.queue[i].gone, i})
	}
}

func (s *starts) push(p startPoint) {
	s.heap = append(s.heap, p)
	for i := len(s.heap) - 1; i > 0; {
		parent := (i - 1) / 2
		if s.heap[parent].at <= s.heap[i].at {
			break
		}
		s.heap[parent], s.heap[i] = s.heap[i], s.heap[parent]
		i = parent
	}
}

func (s *starts) pop() startPoint {
	top, last := s.heap[0], len(s.heap)-1
	s.heap[0] = s.heap[last]
	s.heap = s.heap[:last]
	for i := 0; ; {
		least := i
		for kid := 2*i + 1; kid <= 2*i+2 && kid < last; kid++ {
			if s.heap[kid].at < s.heap[least].at {
				least = kid
			}
		}
		if least == i {
			return top
		}
		s.heap[i], s.heap[least] = s.heap[least], s.heap[i]
		i = least
	}
}
