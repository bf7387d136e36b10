// SPDX-License-Identifier: BSD-3-Clause

package lease

import (
	"container/heap"
	"context"
	"iter"
	"slices"
	"time"

	"github.com/mcastalloc/malloc/scope"
)

// The limits of watching: watchers of a pool, events kept for each, and how
// often one looks whether other pools on the store have changed something, or
// sources were closed.
const (
	watchersMost = 256
	eventsMost   = 256
	lookAgain    = time.Minute
)

// watcher is one Watch of a pool. The pool's lock guards it.
type watcher struct {
	who     Principal
	filter  Filter
	leases  map[ID]*watched
	alarms  alarms // the same
	sources map[*zone][]openSource
	events  []Event
	missed  bool
	wake    chan struct{} // has a value if there may be something new
	ended   bool
	release func() bool // stops the watch on the context
}

// watched is a lease as its watcher was told of it.
type watched struct {
	lease Lease
	at    instant // of the next event that only takes time
	told  bool    // that the end is near
	i     int     // place among the alarms
}

// openSource is a source as its watcher was told of it.
type openSource struct {
	src  *source
	open bool
}

// Watch implements [Watcher]. The pool does nothing meanwhile: it is the loop
// over the events that waits, with a timer. What other pools on the same store
// have done is told when this one hears of it.
func (p *Pool) Watch(ctx context.Context, f Filter) (iter.Seq[Event], error) {
	w := &watcher{
		who: PrincipalFrom(ctx), filter: f, leases: map[ID]*watched{}, sources: map[*zone][]openSource{}, wake: make(chan struct{}, 1),
	}
	p.mu.Lock()
	if len(p.watchers) >= watchersMost {
		p.mu.Unlock()
		return nil, &QuotaError{Limit: "Watchers", Max: watchersMost}
	}
	p.watchers = append(p.watchers, w)
	p.watched.Store(true)
	w.lookAtSources(p)
	w.release = context.AfterFunc(ctx, func() { p.unwatch(w) })
	p.mu.Unlock()
	for l, err := range p.Leases(ctx, f) {
		if err != nil {
			p.unwatch(w)
			return nil, err
		}
		now, _ := p.begin()
		w.notice(p, l.ID, now)
		p.mu.Unlock()
	}
	return func(yield func(Event) bool) {
		defer p.unwatch(w)
		for ctx.Err() == nil {
			events, wait, ended := w.take(p)
			if ended {
				return
			}
			for _, e := range events {
				if !yield(e) {
					return
				}
			}
			if len(events) == 0 {
				w.sleep(ctx, wait)
			}
		}
	}, nil
}

// unwatch forgets a watcher.
func (p *Pool) unwatch(w *watcher) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w.release()
	w.ended = true
	p.watchers = slices.DeleteFunc(p.watchers, func(o *watcher) bool { return o == w })
	p.watched.Store(len(p.watchers) > 0)
}

// sleep waits for d at most.
func (w *watcher) sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-w.wake:
	case <-t.C:
	case <-ctx.Done():
	}
}

// take returns what has happened and, if nothing has, how long to wait.
func (w *watcher) take(p *Pool) (events []Event, wait time.Duration, ended bool) {
	now, _ := p.begin()
	defer p.mu.Unlock()
	if p.j != nil && !p.j.exclusive {
		for id := range w.leases {
			w.notice(p, id, now)
		}
	}
	w.lookAtSources(p)
	w.ring(p, now)
	events, w.events = w.events, nil
	if w.missed {
		events, w.missed = append(events, Event{Kind: EventMissed}), false
	}
	wait = lookAgain
	if len(w.alarms) > 0 {
		wait = min(wait, w.alarms[0].at.sub(now))
	}
	return events, wait, w.ended
}

// tell lets the watchers know that something may have happened to a lease.
func (p *Pool) tell(id ID) {
	if id == "" || !p.watched.Load() {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, w := range p.watchers {
		w.notice(p, id, p.latest)
	}
}

// clash tells the watchers of a lease that somebody else uses its addresses.
func (p *Pool) clash(l Lease, addrs scope.Set) {
	common, _ := l.Addrs.Intersect(addrs)
	for _, w := range p.watchers {
		if w.leases[l.ID] != nil {
			w.add(Event{Kind: EventClash, Lease: l, Scope: l.Scope, Addrs: common})
		}
	}
}

// notice compares a lease with what the watcher knows of it.
func (w *watcher) notice(p *Pool, id ID, now instant) {
	r, k := p.t.byID.get(id), w.leases[id]
	live := r != nil && r.gone > now && r.live(now)
	switch {
	case !live && k != nil:
		w.forget(k)
		e := Event{Kind: EventReleased, Lease: k.lease, Scope: k.lease.Scope}
		if instantOf(k.lease.End) <= now {
			e.Kind = EventExpired
		}
		w.add(e)
	case live && k == nil:
		if l := r.lease(); p.cfg.Owner(w.who, r.holder.Principal) && w.filter.Match(l) {
			k = &watched{lease: l, at: w.nearEnd(l)}
			w.leases[id] = k
			heap.Push(&w.alarms, k)
			w.rouse() // the loop waits for this alarm, too
		}
	case live && (r.start != instantOf(k.lease.Start) || r.end != instantOf(k.lease.End)):
		l := r.lease()
		k.lease, k.at, k.told = l, w.nearEnd(l), false
		heap.Fix(&w.alarms, k.i)
		w.add(Event{Kind: EventChanged, Lease: l, Scope: l.Scope})
	}
}

// nearEnd returns when the end of a lease counts as near.
func (w *watcher) nearEnd(l Lease) instant {
	ahead := w.filter.Ahead
	if ahead == 0 {
		ahead = l.End.Sub(l.Start) / 4
	}
	return instantOf(l.End).add(-ahead)
}

// ring tells of the leases whose time has come.
func (w *watcher) ring(p *Pool, now instant) {
	for len(w.alarms) > 0 && w.alarms[0].at <= now {
		k := w.alarms[0]
		switch w.notice(p, k.lease.ID, now); {
		case k.i < 0 || k.at > now: // it is over, or was moved
		case k.told:
			w.forget(k) // over by the clock, whatever is known of it
		default:
			k.told, k.at = true, instantOf(k.lease.End)
			heap.Fix(&w.alarms, k.i)
			w.add(Event{Kind: EventExpiring, Lease: k.lease, Scope: k.lease.Scope})
		}
	}
}

func (w *watcher) forget(k *watched) {
	heap.Remove(&w.alarms, k.i)
	delete(w.leases, k.lease.ID)
	k.i = -1
}

// lookAtSources tells of addresses that are not to be granted any more.
func (w *watcher) lookAtSources(p *Pool) {
	for _, z := range p.t.zones {
		id := z.scope.ID()
		if z.hidden || w.filter.Family != 0 && w.filter.Family != z.family || w.filter.Scope.IsValid() && w.filter.Scope != id {
			continue
		}
		var now []openSource
		for _, src := range z.sources {
			now = append(now, openSource{src, !src.shut()})
		}
		if before := w.sources[z]; !slices.Equal(before, now) {
			w.sources[z] = now
			if gone, err := openAddrs(before).Subtract(openAddrs(now)); err == nil && !gone.IsEmpty() {
				w.add(Event{Kind: EventClosed, Scope: id, Addrs: gone})
			}
		}
	}
}

func openAddrs(list []openSource) scope.Set {
	var b scope.SetBuilder
	for _, s := range list {
		if s.open {
			b.AddSet(s.src.addrs)
		}
	}
	set, _ := b.Set()
	return set
}

// add keeps an event, or notes that one is missed.
func (w *watcher) add(e Event) {
	if len(w.events) < eventsMost {
		w.events = append(w.events, e)
	} else {
		w.missed = true
	}
	w.rouse()
}

// rouse lets the loop look.
func (w *watcher) rouse() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// alarms is a heap by the instant.
type alarms []*watched

func (a alarms) Len() int           { return len(a) }
func (a alarms) Less(i, j int) bool { return a[i].at < a[j].at }
func (a alarms) Swap(i, j int)      { a[i], a[j] = a[j], a[i]; a[i].i, a[j].i = i, j }

// Push and Pop are for package heap.
func (a *alarms) Push(x any) {
	k := x.(*watched)
	k.i = len(*a)
	*a = append(*a, k)
}

func (a *alarms) Pop() any {
	last := len(*a) - 1
	k := (*a)[last]
	(*a)[last] = nil
	*a = (*a)[:last]
	return k
}
