// SPDX-License-Identifier: BSD-3-Clause

// Code generated from sizes32.go by gentree.go. DO NOT EDIT.

package scope

import "slices"

// sizes128 finds spans by length (last-first, so that it fits a number): the
// lengths there are, and for each one where its spans start. Both are sets of
// numbers, which is what a tree128 is too.
type sizes128 struct {
	lengths *tree128
	starts  map[key128]starts128
}

// starts128 is a set of numbers: a sorted list while it is short.
type starts128 struct {
	few  []key128
	many *tree128
}

func newSizes128() *sizes128 {
	return &sizes128{newTree128(), map[key128]starts128{}}
}

func (s *sizes128) put(length, first key128) {
	at, ok := s.starts[length]
	if !ok {
		s.lengths.add(length, length)
	}
	switch {
	case at.many != nil:
		at.many.add(first, first)
		return
	case len(at.few) < fewStarts:
		i, _ := slices.BinarySearchFunc(at.few, first, cmp128)
		at.few = slices.Insert(at.few, i, first)
	default:
		at.many = newTree128()
		at.many.add(first, first)
		for _, x := range at.few {
			at.many.add(x, x)
		}
		at.few = nil
	}
	s.starts[length] = at
}

func (s *sizes128) drop(length, first key128) {
	at := s.starts[length]
	if at.many != nil {
		at.many.remove(first, first)
		if at.many.spans > 0 {
			return
		}
	} else {
		i, _ := slices.BinarySearchFunc(at.few, first, cmp128)
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
func (s *sizes128) best(length key128) (key128, bool) {
	r, ok := s.lengths.ceiling(length)
	if !ok {
		return min128, false
	}
	if lt128(length, r.first) {
		length = r.first
	}
	at := s.starts[length]
	if at.many == nil {
		return at.few[0], true
	}
	r, _ = at.many.ceiling(min128)
	return r.first, true
}
