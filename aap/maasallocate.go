// SPDX-License-Identifier: BSD-3-Clause

package aap

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/mcastalloc/malloc/scope"
)

// Errors of a [MAAS]: of its verbs, and in [Failed].
var (
	// ErrToken: the token is in use, or of no allocation.
	ErrToken = errors.New("aap: wrong token")
	// ErrWant: what is asked for makes no sense, or is outside of the scope.
	ErrWant = errors.New("aap: bad request for addresses")
	// ErrBusy: too many allocations are under way (MAASConfig.MaxWaiting).
	ErrBusy = errors.New("aap: too many allocations under way")
	// ErrUnavailable: there are not as many addresses, or not until then. In a
	// large scope the coordinators have been told by an ANA (section 3.2.9).
	ErrUnavailable = errors.New("aap: not enough addresses available")
	// ErrContended: others claimed the same addresses time and again (AAP-D-24), or
	// have the particular ones that were wanted. Either it was bad luck or an attack.
	ErrContended = errors.New("aap: addresses contended")
)

// Token names an allocation of a [MAAS]. Its user chooses it, and may use it
// again when the allocation is over.
type Token uint64

// Want says what addresses an application wants.
type Want struct {
	Token Token
	// Count is how many addresses, at least 1.
	Count uint32
	// Min is how many will do if there are not Count; 0 stands for Count.
	Min uint32
	// Addrs, if not empty, are the particular addresses wanted; Count and Min then
	// may be zero and stand for all of them.
	Addrs scope.Set
	// End is until when. Parts of a second are cut off. A few allocations with
	// ends far ahead, reused, are better for the network than many short ones
	// (section 3.2.8).
	End time.Time
}

// Allocation is what a [MAAS] has allocated.
type Allocation struct {
	Token Token
	Addrs scope.Set
	End   time.Time // it is ours while the clock shows less
}

// Allocate asks for addresses. The answer is an effect, [Granted] or [Failed]:
// of this very call if addresses of the pool will do, otherwise after 10 s, or
// longer if others want the same or while the server listens. It returns ErrWant,
// ErrToken or ErrBusy, and then there is no other answer.
func (m *MAAS) Allocate(now time.Time, w Want) error {
	w.End = w.End.Truncate(time.Second).UTC()
	if err := m.checkWant(now, &w); err != nil {
		return err
	}
	j := &job{want: w}
	m.jobs[w.Token] = j
	if m.canAllocate(now) {
		m.startJob(now, j)
	} else {
		m.waiting = append(m.waiting, j)
	}
	m.run(now)
	return nil
}

func (m *MAAS) checkWant(now time.Time, w *Want) error {
	if !w.Addrs.IsEmpty() {
		n, ok := w.Addrs.Size().Uint64()
		if n > 1<<31 || !ok || !m.cfg.Scope.Covers(w.Addrs.Bounds()) || w.Addrs.Overlaps(m.reserved) {
			return fmt.Errorf("%w: %v, want addresses of %v that are not reserved, at most 2^31", ErrWant, w.Addrs, m.cfg.Scope)
		}
		w.Count = cmp.Or(w.Count, uint32(n))
		if uint64(w.Count) > n {
			return fmt.Errorf("%w: %d addresses of %v", ErrWant, w.Count, w.Addrs)
		}
	}
	w.Min = cmp.Or(w.Min, w.Count)
	_, ok := seconds(w.End)
	switch {
	case w.Count == 0 || w.Min > w.Count:
		return fmt.Errorf("%w: %d to %d addresses", ErrWant, w.Min, w.Count)
	case !ok || !w.End.After(now):
		return fmt.Errorf("%w: until %v, want an end from now to 2106", ErrWant, w.End)
	case m.own[w.Token] != nil || m.jobs[w.Token] != nil:
		return fmt.Errorf("%w: %d is in use", ErrToken, w.Token)
	case len(m.jobs) >= m.cfg.MaxWaiting:
		return ErrBusy
	}
	return nil
}

// Release gives an allocation back: it is announced as ended, to be forgotten
// by all (section 3.2.8). One that is only asked for is cancelled without a word
// and gets no answer. It returns ErrToken if there is none.
func (m *MAAS) Release(now time.Time, t Token) error {
	if j := m.jobs[t]; j != nil {
		m.cancel(now, j)
		return nil
	}
	h := m.own[t]
	if h == nil {
		return fmt.Errorf("%w: %d is of no allocation", ErrToken, t)
	}
	m.delete(now, h)
	m.run(now)
	return nil
}

// SetEnd moves the end of an allocation, either way, and announces that (section
// 3.2.8). It takes effect at once: no claim is needed. It returns ErrToken if
// there is no such allocation, ErrWant if the end has passed or cannot be said,
// and ErrUnavailable if the space is not available for as long.
func (m *MAAS) SetEnd(now time.Time, t Token, end time.Time) error {
	end = end.Truncate(time.Second).UTC()
	h := m.own[t]
	_, ok := seconds(end)
	switch {
	case h == nil:
		return fmt.Errorf("%w: %d is of no allocation", ErrToken, t)
	case !ok || !end.After(now):
		return fmt.Errorf("%w: until %v, want an end from now to 2106", ErrWant, end)
	case m.cfg.Large && end.After(h.end) && !uncovered(timed(h.addrs, end), m.space.Ranges, 0).IsEmpty():
		return fmt.Errorf("%w: until %v", ErrUnavailable, end)
	}
	m.moveEnd(now, h, end)
	m.run(now)
	return nil
}

// Yield gives up addresses of an allocation that are [Lost], without a word:
// they are somebody else's now. Without addresses left the allocation is over.
// It returns ErrToken if there is none.
func (m *MAAS) Yield(now time.Time, t Token, addrs scope.Set) error {
	h := m.own[t]
	if h == nil {
		return fmt.Errorf("%w: %d is of no allocation", ErrToken, t)
	}
	m.yield(now, h, addrs)
	m.run(now)
	return nil
}

// Allocations yields what the server has allocated, by token; nothing that is
// still being claimed. The server must not be used meanwhile.
func (m *MAAS) Allocations() iter.Seq[Allocation] {
	return func(yield func(Allocation) bool) {
		for _, t := range sortedKeys(m.own) {
			if !yield(m.own[t].Allocation()) {
				return
			}
		}
	}
}

// Allocation returns what was granted to a token.
func (m *MAAS) Allocation(t Token) (Allocation, bool) {
	if h := m.own[t]; h != nil {
		return h.Allocation(), true
	}
	return Allocation{}, false
}

// SetPool changes the least number of addresses to keep preallocated (see
// MAASConfig.Pool).
func (m *MAAS) SetPool(now time.Time, n int) {
	m.cfg.Pool = max(n, 0)
	m.fillPool(now)
}

func sortedKeys[V any](m map[Token]V) []Token {
	keys := make([]Token, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// timed returns the ranges of a set with one end.
func timed(s scope.Set, end time.Time) []TimedRange {
	out := make([]TimedRange, 0, s.Len())
	for r := range s.Ranges() {
		out = append(out, TimedRange{r, end})
	}
	return out
}
