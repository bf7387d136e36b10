// SPDX-License-Identifier: BSD-3-Clause

package lease

// queue is a heap of records by the instant at which they are gone, with four
// children to a node. Each record knows its place; the instants stand in the
// queue too, so that keeping it in order reads no record.
type queue []queued

type queued struct {
	gone instant // as rec.gone
	rec  *record
}

// set puts e at i.
func (q queue) set(i int, e queued) {
	q[i] = e
	e.rec.slot = int32(i)
}

func (q *queue) push(r *record) {
	*q = append(*q, queued{})
	q.up(len(*q)-1, queued{r.gone, r})
}

func (q *queue) remove(r *record) {
	last := len(*q) - 1
	e := (*q)[last]
	(*q)[last] = queued{}
	*q = (*q)[:last]
	if e.rec != r {
		q.move(int(r.slot), e)
	}
}

// fix restores the order after r.gone has changed.
func (q queue) fix(r *record) { q.move(int(r.slot), queued{r.gone, r}) }

// move puts e where it belongs, at i, above or below, in the place of what is
// at i.
func (q queue) move(i int, e queued) {
	if i > 0 && e.gone < q[(i-1)/4].gone {
		q.up(i, e)
	} else {
		q.down(i, e)
	}
}

func (q queue) up(i int, e queued) {
	for i > 0 {
		parent := (i - 1) / 4
		if q[parent].gone <= e.gone {
			break
		}
		q.set(i, q[parent])
		i = parent
	}
	q.set(i, e)
}

func (q queue) down(i int, e queued) {
	for {
		least, gone := i, e.gone
		for kid := 4*i + 1; kid <= 4*i+4 && kid < len(q); kid++ {
			if q[kid].gone < gone {
				least, gone = kid, q[kid].gone
			}
		}
		if least == i {
			break
		}
		q.set(i, q[least])
		i = least
	}
	q.set(i, e)
}

// until calls yield for records that are gone at t, in no order, until it
// returns false.
func (q queue) until(t instant, yield func(*record) bool) { q.untilFrom(0, t, yield) }

func (q queue) untilFrom(i int, t instant, yield func(*record) bool) bool {
	if i >= len(q) || q[i].gone > t {
		return true
	}
	if !yield(q[i].rec) {
		return false
	}
	for kid := 4*i + 1; kid <= 4*i+4; kid++ {
		if !q.untilFrom(kid, t, yield) {
			return false
		}
	}
	return true
}
