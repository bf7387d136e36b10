// SPDX-License-Identifier: BSD-3-Clause

package lease

import (
	"time"

	"github.com/mcastalloc/malloc/scope"
)

// rates remembers who has asked how often, for Limits.Rate: for each principal
// and scope the instant at which all its requests so far would have been made
// if they had come one by one, evenly. What lies in the past need not be
// remembered.
type rates map[rateKey]instant

type rateKey struct {
	who   Principal
	scope scope.ID
}

// ratesMost bounds the principals remembered at once: beyond it the least busy
// of a few is forgotten for each that comes.
const (
	ratesMost  = 1 << 16
	ratesTried = 8
)

// take counts a request at now and reports whether it is within so many a
// minute. One that is not does not count.
func (m rates) take(key rateKey, most int, now instant) bool {
	even, known := m[key]
	even = max(even, now).add(time.Minute / time.Duration(most))
	if even.sub(now) > time.Minute {
		return false
	}
	if !known && len(m) >= ratesMost {
		m.forget(now)
	}
	m[key] = even
	return true
}

// forget makes room: of a few entries those that lie in the past go, or else
// the first of them.
func (m rates) forget(now instant) {
	var least rateKey
	first, tried, gone := never, 0, false
	for key, even := range m { // in no order
		if even <= now {
			delete(m, key)
			gone = true
		} else if even < first {
			least, first = key, even
		}
		if tried++; tried == ratesTried {
			break
		}
	}
	if !gone {
		delete(m, least)
	}
}

// meter counts an attempt against the caller's rate in the scope that it is
// about. A lease that is not known counts in the scope it says, or else in the
// default one of its family.
func (p *Pool) meter(who Principal, op string, req *Request, l Lease) error {
	if p.cfg.Limits == nil || op == "release" { // who gives back does not ask for anything
		return nil
	}
	now, _ := p.begin()
	defer p.mu.Unlock()
	f, id := l.Family, l.Scope
	if req != nil {
		f, id = req.Family, req.Scope
	} else if r := p.t.byID.get(l.ID); r != nil {
		f, id = r.zone.family, r.zone.scope.ID()
	}
	z, err := p.zone(op, f, id)
	if err != nil {
		return nil // what is wrong is said later
	}
	id = z.scope.ID()
	if most := p.cfg.Limits(who, id).Rate; most > 0 && !p.rates.take(rateKey{who, id}, most, now) {
		return &QuotaError{Limit: "Rate", Max: int64(most)}
	}
	return nil
}
