// SPDX-License-Identifier: BSD-3-Clause

package lease

// queue is a heap of records by the instant at which they are gone, with four
// children to a node. Each record knows its place.
type queue []*record

func (q queue) less(i, j int) bool { return q[i].gone < q[j].gone }

func (q queue) swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].slot, q[j].slot = int32(i), int32(j)
}

func (q *queue) push(r *record) {
	r.slot = int32(len(*q))
	*q = append(*q, r)
	q.up(int(r.slot))
}

func (q *queue) remove(r *record) {
	i, last := int(r.slot), len(*q)-1
	q.swap(i, last)
	(*q)[last] = nil
	*q = (*q)[:last]
	if i < last {
		q.fix((*q)[i])
	}
}

// fix restores the order after r.gone has changed.
func (q queue) fix(r *record) {
	q.up(int(r.slot))
	q.down(int(r.slot))
}

func (q queue) up(i int) {
	for i > 0 {
		parent := (i - 1) / 4
		if !q.less(i, parent) {
			return
		}
		q.swap(i, parent)
		i = parent
	}
}

func (q queue) down(i int) {
	for {
		least := i
		for kid := 4*i + 1; kid <= 4*i+4 && kid < len(q); kid++ {
			if q.less(kid, least) {
				least = kid
			}
		}
		if least == i {
			return
		}
		q.swap(i, least)
		i = least
	}
}

// until calls yield for records that are gone at t, in no order, until it
// returns false.
func (q queue) until(t instant, yield func(*record) bool) { q.untilFrom(0, t, yield) }

func (q queue) untilFrom(i int, t instant, yield func(*record) bool) bool {
	if i >= len(q) || q[i].gone > t {
		return true
	}
	if !yield(q[i]) {
		return false
	}
	for kid := 4*i + 1; kid <= 4*i+4; kid++ {
		if !q.untilFrom(kid, t, yield) {
			return false
		}
	}
	return true
}
