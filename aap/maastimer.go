// SPDX-License-Identifier: BSD-3-Clause

package aap

import (
	"container/heap"
	"time"
)

// timer is one thing that will be due. Its zero value with fire set is ready for
// use, and not armed.
type timer struct {
	due   time.Time
	fire  func(now time.Time)
	order uint64 // of arming, for those due at once
	index int    // in the heap, plus one; 0 if not armed
}

func (t *timer) armed() bool { return t.index > 0 }

// timers are the timers of one machine, a heap.
type timers struct {
	heap  timerHeap
	armed uint64 // how many were, ever
}

// arm has t fire at a time, instead of when it would have.
func (t *timers) arm(x *timer, due time.Time) {
	t.armed++
	x.due, x.order = due, t.armed
	if x.armed() {
		heap.Fix(&t.heap, x.index-1)
	} else {
		heap.Push(&t.heap, x)
	}
}

// disarm keeps x from firing.
func (t *timers) disarm(x *timer) {
	if x.armed() {
		heap.Remove(&t.heap, x.index-1)
	}
}

// next returns when the first timer is due.
func (t *timers) next() (time.Time, bool) {
	if len(t.heap) == 0 {
		return time.Time{}, false
	}
	return t.heap[0].due, true
}

// run fires what is due, in order.
func (t *timers) run(now time.Time) {
	for len(t.heap) > 0 && !t.heap[0].due.After(now) {
		x := heap.Pop(&t.heap).(*timer)
		x.fire(now)
	}
}

// timerHeap implements heap.Interface.
type timerHeap []*timer

func (h timerHeap) Len() int { return len(h) }
func (h timerHeap) Less(i, j int) bool {
	if c := h[i].due.Compare(h[j].due); c != 0 {
		return c < 0
	}
	return h[i].order < h[j].order
}
func (h timerHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i+1, j+1
}
func (h *timerHeap) Push(x any) {
	t := x.(*timer)
	*h = append(*h, t)
	t.index = len(*h)
}
func (h *timerHeap) Pop() any {
	old := *h
	t := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	t.index = 0
	return t
}
