// SPDX-License-Identifier: BSD-3-Clause

package lease

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"pgregory.net/rapid"
)

func (m *machine) Allocate(t *rapid.T) {
	m.tidy(m.now)
	m.turn(t)
	req, w := m.request(t)
	ctx, p := m.who(t)
	ok := m.answer(w, nil)
	l, err := m.pool.Allocate(ctx, req)
	m.settle(t, w, ok, l, err, &rectangle{who: p})
}

// AllocateByKey sends a request that may have been sent before.
func (m *machine) AllocateByKey(t *rapid.T) {
	m.tidy(m.now)
	m.turn(t)
	req, w := m.request(t)
	ctx, p := m.who(t)
	req.Key = rapid.SampledFrom([]string{"k1", "k2"}).Draw(t, "key")
	i := slices.IndexFunc(m.rects, func(r *rectangle) bool { return r.key == req.Key && r.who == p })
	var old *rectangle
	if i >= 0 {
		old = m.rects[i]
	}
	if old != nil && old.hold.IsZero() && !old.released && m.now.Before(old.end) {
		l, err := m.pool.Allocate(ctx, req)
		if err != nil || l.ID != old.id || !l.End.Equal(old.end) {
			t.Fatalf("LEASE-3.1-17: the same key gave %v, %v, want the lease until %v", l, err, old.end)
		}
		return
	}
	ok := m.answer(w, old)
	l, err := m.pool.Allocate(ctx, req)
	if old != nil && ok && err == nil {
		m.rects = slices.Delete(m.rects, i, i+1)
		left := *old // what is not taken again rests on
		left.addrs = slices.DeleteFunc(slices.Clone(old.addrs), func(a netip.Addr) bool {
			for b := range l.Addrs.Addrs() {
				if m.same(a, b) {
					return true
				}
			}
			return false
		})
		left.key, left.released = "", true
		if len(left.addrs) > 0 {
			m.rects = append(m.rects, &left)
		}
		if same := slices.Collect(l.Addrs.Addrs()); !m.shared() && w.n2 == 1 && len(old.addrs) == 1 && len(w.addrs) == len(m.universe) && !slices.Equal(same, old.addrs) {
			if until := m.until(old.addrs[0], l.Start, nil); !until.Add(-m.rest).Before(l.Start.Add(w.d1)) {
				t.Fatalf("LEASE-S-8: the same key got %v, had %v, which was free", same, old.addrs)
			}
		}
	}
	m.settle(t, w, ok, l, err, &rectangle{who: p, key: req.Key})
}

func (m *machine) Offer(t *rapid.T) {
	if m.shared() {
		t.Skip("offers are each pool's own")
	}
	m.tidy(m.now)
	req, w := m.request(t)
	ctx, p := m.who(t)
	m.made++
	req.ID = ID(fmt.Sprint("offer", m.made))
	hold := seconds(t, "hold", 1, 20)
	ok := m.answer(w, nil)
	l, err := m.pool.Offer(ctx, req, hold)
	m.settle(t, w, ok, l, err, &rectangle{who: p, hold: m.now.Add(hold)})
}

// TakeUp allocates what was offered, on terms of its own.
func (m *machine) TakeUp(t *rapid.T) {
	m.tidy(m.now)
	i := slices.IndexFunc(m.rects, func(r *rectangle) bool { return !r.hold.IsZero() })
	if i < 0 {
		t.Skip("no offer")
	}
	old := m.rects[i]
	req, w := m.request(t)
	req.ID = old.id
	ok := m.answer(w, old)
	l, err := m.pool.Allocate(WithPrincipal(context.Background(), old.who), req)
	if ok && err == nil {
		m.rects = slices.Delete(m.rects, i, i+1)
		w.end = l.End // offered addresses come before longer ones
		if l.ID != old.id {
			t.Fatal("MADCAP-D-59: the lease has another identifier than the offer")
		}
	}
	m.settle(t, w, ok, l, err, &rectangle{who: old.who})
}

// one draws a rectangle that is a lease, with its Lease.
func (m *machine) one(t *rapid.T) (*rectangle, Lease, context.Context) {
	m.tidy(m.now)
	var leases []*rectangle
	for _, r := range m.rects {
		if r.hold.IsZero() && !r.released {
			leases = append(leases, r)
		}
	}
	if len(leases) == 0 {
		t.Skip("no lease")
	}
	r := rapid.SampledFrom(leases).Draw(t, "lease")
	m.turn(t)
	return r, Lease{ID: r.id, Family: IPv4}, WithPrincipal(context.Background(), r.who)
}

func (m *machine) Release(t *rapid.T) {
	r, l, ctx := m.one(t)
	other := WithPrincipal(ctx, Principal{Name: "stranger"})
	if err := m.pool.Release(other, l); !errors.Is(err, ErrNotLeased) {
		t.Fatalf("LEASE-3.9-2: a stranger's release: %v", err)
	}
	if err := m.pool.Release(ctx, l); err != nil {
		t.Fatalf("LEASE-3.3-1: %v", err)
	}
	switch {
	case m.now.Before(r.start):
		m.rects = slices.DeleteFunc(m.rects, func(o *rectangle) bool { return o == r })
	case m.now.Before(r.end):
		r.end, r.released = m.now, true
	default:
		r.released = true
	}
}

func (m *machine) ChangeLifetime(t *rapid.T) {
	r, l, ctx := m.one(t)
	base := m.now
	if r.start.After(base) {
		base = r.start
	}
	min := base.Add(seconds(t, "min", 1, 50))
	max := min.Add(seconds(t, "max", 0, 50))
	lo, hi := min, max
	if limit := base.Add(m.longest); hi.After(limit) {
		hi = limit
	}
	for _, a := range r.addrs {
		if u := m.until(a, r.start, r).Add(-m.rest); u.Before(hi) {
			hi = u
		}
	}
	got, err := m.pool.ChangeLifetime(ctx, l, Window{min, max})
	switch {
	case m.shared() && err == nil && !got.End.After(hi) && !got.End.Before(lo):
		r.end = got.End
	case !hi.Before(lo):
		if err != nil || !got.End.Equal(hi) {
			t.Fatalf("LEASE-3.2-9: end %v, %v, want %v", got.End, err, hi)
		}
		r.end = hi
	case !r.end.Before(min) && !r.end.After(max):
		if err != nil || !got.End.Equal(r.end) {
			t.Fatalf("LEASE-3.2-5: end %v, %v, want %v as it was", got.End, err, r.end)
		}
	default:
		if !errors.Is(err, ErrUnchanged) {
			t.Fatalf("LEASE-3.2-5: end %v, error %v where nothing is possible", got.End, err)
		}
	}
}

func (m *machine) ChangeStart(t *rapid.T) {
	r, l, ctx := m.one(t)
	if !r.start.After(m.now) {
		got, err := m.pool.ChangeStart(ctx, l, NotAfter(r.start.Add(time.Second)))
		if r.start.Add(time.Second+DefaultSkew).Before(m.now) || err == nil && got.Start.Equal(r.start) {
			return
		}
		t.Fatalf("LEASE-3.10-9: a lease that has begun at %v: start %v, %v", r.start, got.Start, err)
	}
	length := r.end.Sub(m.now)
	w := wanted{s1: m.now.Add(time.Duration(rapid.Int64Range(0, int64(length-1)).Draw(t, "min"))).Truncate(time.Second)}
	if w.s1.Before(m.now) {
		w.s1 = m.now
	}
	w.s2 = w.s1.Add(seconds(t, "max", 0, 60))
	if !w.s2.Before(r.end) {
		w.s2 = r.end.Add(-1)
	}
	starts := []time.Time{w.s1, r.end.Add(-m.longest)}
	for _, o := range m.rects {
		starts = append(starts, o.end.Add(m.rest))
	}
	slices.SortFunc(starts, time.Time.Compare)
	want := time.Time{}
	for _, s := range starts {
		fits := !s.Before(w.s1) && !s.After(w.s2) && !r.end.After(s.Add(m.longest))
		for _, a := range r.addrs {
			fits = fits && !m.until(a, s, r).Before(r.end.Add(m.rest))
		}
		if fits {
			want = s
			break
		}
	}
	got, err := m.pool.ChangeStart(ctx, l, Window{w.s1, w.s2})
	switch {
	case m.shared() && !want.IsZero() && err == nil && !got.Start.Before(want) && !got.Start.After(w.s2):
		r.start = got.Start
	case !want.IsZero():
		if err != nil || !got.Start.Equal(want) || !got.End.Equal(r.end) {
			t.Fatalf("LEASE-3.10-7: %v..%v, %v, want %v..%v", got.Start, got.End, err, want, r.end)
		}
		r.start = want
	case !r.start.Before(w.s1) && !r.start.After(w.s2):
		if err != nil || !got.Start.Equal(r.start) {
			t.Fatalf("LEASE-3.10-8: %v, %v, want the start as it was", got.Start, err)
		}
	default:
		if !errors.Is(err, ErrUnchanged) {
			t.Fatalf("LEASE-3.10-8: %v, error %v where nothing is possible", got.Start, err)
		}
	}
}
