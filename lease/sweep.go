// SPDX-License-Identifier: BSD-3-Clause

package lease

import (
	"context"
	"errors"
	"slices"
	"time"
)

// sweepAfter is for how long an entry must have said nothing that counts
// before it is deleted: longer than any commit can be under way, as a deleted
// entry has no version by which a late one would be noticed.
const sweepAfter = time.Hour

// Sweep deletes entries of the store that have not counted for an hour and
// the allowed clock skew, and returns their number. It only saves space: what
// is over does not count, swept or not. Call it now and then, once a day say,
// from one of the pools on a store; the others go on meanwhile. Without a
// store it does nothing.
func (p *Pool) Sweep(ctx context.Context) (int, error) {
	if p.j == nil {
		return 0, nil
	}
	p.mu.Lock()
	now, err := p.tick()
	p.mu.Unlock()
	if err != nil {
		return 0, err
	}
	past := now.add(-sweepAfter - p.cfg.Skew)
	swept := 0
	for _, prefix := range []string{idPrefix, keyPrefix, quotaPrefix, pagePrefix} {
		var batch []Write
		for e, err := range p.j.store.Load(ctx, prefix) {
			if err != nil {
				return swept, &Error{Op: "sweep", Err: storeError(err)}
			}
			if isOver(e, past) {
				batch = append(batch, Write{Key: e.Key, Version: e.Version})
			}
		}
		for part := range slices.Chunk(batch, p.j.most) {
			n, err := p.sweepSome(ctx, part)
			swept += n
			if err != nil {
				return swept, err
			}
		}
	}
	return swept, nil
}

// isOver reports whether nothing in an entry counts since some time. What
// cannot be read counts.
func isOver(e Entry, since instant) bool {
	over := true
	if e.Key[:2] == pagePrefix {
		latest, marks, err := decodePage(e.Value, func(r *storedRecord) { over = over && r.gone <= since })
		return over && latest <= since && len(marks) == 0 && err == nil
	}
	_, grants, err := decodeGrants(e.Value)
	return err == nil && !slices.ContainsFunc(grants, func(g grant) bool { return g.gone > since })
}

// sweepSome deletes some entries, but for those that somebody has written
// meanwhile.
func (p *Pool) sweepSome(ctx context.Context, batch []Write) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.enter(ctx); err != nil {
		return 0, err
	}
	defer p.j.leave()
	p.mu.Unlock()
	gone, err := p.delete(ctx, batch)
	p.mu.Lock()
	for _, w := range gone {
		page, ok := pageOfKey(w.Key)
		if ok && w.Key[:2] == pagePrefix && p.j.versions[page] == w.Version {
			delete(p.j.versions, page) // else what the table has is older still
		}
	}
	return len(gone), err
}

// delete commits deletions, one by one if somebody is in the way of one.
func (p *Pool) delete(ctx context.Context, batch []Write) (gone []Write, err error) {
	_, err = p.j.store.Commit(ctx, batch...)
	switch {
	case err == nil:
		return batch, nil
	case !errors.Is(err, ErrConflict):
		return nil, &Error{Op: "sweep", Err: storeError(err)}
	case len(batch) == 1:
		return nil, nil
	}
	for i := range batch {
		one, err := p.delete(ctx, batch[i:i+1])
		gone = append(gone, one...)
		if err != nil {
			return gone, err
		}
	}
	return gone, nil
}
