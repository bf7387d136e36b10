// SPDX-License-Identifier: BSD-3-Clause

package scope

import "slices"

// sizes32 finds spans by length (last-first, so that it fits a number): the
// lengths there are, and for each one where its spans start. Both are sets of
// numbers, which is what a tree32 is too.
type sizes32 struct {
	lengths *tree32
	starts  map[key32]starts32
}

// starts32 is a set of numbers: a sorted list while it is short.
type starts32 struct {
	few  []key32
	many *tree32
}

func newSizes32() *sizes32 {
	return &sizes32{newTree32(), map[key32]starts32{}}
}

func (s *sizes32) put(length, first key32) {
	at, ok := s.starts[length]
	if !ok {
		s.lengths.add(length, length)
	}
	switch {
	case at.many != nil:
		at.many.add(first, first)
		return
	case len(at.few) < fewStarts:
		i, _ := slices.BinarySearchFunc(at.few, first, cmp32)
		at.few = slices.Insert(at.few, i, first)
	default:
		at.many = newTree32()
		at.many.add(first, first)
		for _, x := range at.few {
			at.many.add(x, x)
		}
		at.few = nil
	}
	s.starts[length] = at
}

func (s *sizes32) drop(length, first key32) {
	at := s.starts[length]
	if at.many != nil {
		at.many.remove(first, first)
		if at.many.spans > 0 {
			return
		}
	} else {
		i, _ := slices.BinarySearchFunc(at.few, first, cmp32)
		at.few = slices.Delete(at.few, i, i+1)
		if len(at.few) > 0 {
			s.starts[length] = at
			return
		}
	}
	delete(s.starts, length)
	s.lengths.remove(length, length)
}

// best returns the lowest start of the spans with the smallest length that is
// not below the wanted one.
func (s *sizes32) best(length key32) (key32, bool) {
	r, ok := s.lengths.ceiling(length)
	if !ok {
		return min32, false
	}
	if lt32(length, r.first) {
		length = r.first
	}
	at := s.starts[length]
	if at.many == nil {
		return at.few[0], true
	}
	r, _ = at.many.ceiling(min32)
	return r.first, true
}
