// SPDX-License-Identifier: BSD-3-Clause

package lease

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"

	"github.com/mcastalloc/malloc/scope"
)

// name is an entry beside the pages that several pools on a store meet at,
// because they may do things about the same lease or principal in different
// pages. It lists grants: that of an identifier, that of a request's key, or
// those that count against a principal's limits in a scope. Who wants to act
// on a name reads it first, brings the table up to date if the two disagree,
// and writes it in the same commit. What it says about a grant may be older
// than what the pages say, and they are right then.
type name struct {
	key     string
	id      ID        // of an identifier
	who     Principal // of the others
	request string    // of a request's key
	scope   scope.ID  // of a principal
	version uint64
	grants  []grant
	damaged bool
}

// grant is what a name says about one: which it is, what was true when the
// name was written, and the pages it is in.
type grant struct {
	serial      serial
	start, gone instant
	state       state
	pages       []number
}

func idName(id ID) name {
	return name{key: hashed(idPrefix, []byte(id)), id: id}
}

func keyName(who Principal, key string) name {
	return name{key: hashed(keyPrefix, append(appendPrincipal(nil, who), key...)), who: who, request: key}
}

func quotaName(who Principal, id scope.ID) name {
	return name{key: hashed(quotaPrefix, appendNumber(appendPrincipal(nil, who), numberOf(id))), who: who, scope: id}
}

// hashed keeps lease identifiers and principals out of keys, which end up in
// logs.
func hashed(prefix string, b []byte) string {
	sum := sha256.Sum256(b)
	return prefix + hex.EncodeToString(sum[:16])
}

func appendPrincipal(b []byte, p Principal) []byte {
	return appendString(append(b, byte(p.By)), p.Name)
}

// here returns the records in the table that the name is about.
func (n *name) here(p *Pool) []*record {
	var r *record
	switch n.key[:2] {
	case quotaPrefix:
		return p.countedFor(n.who, n.scope)
	case idPrefix:
		r = p.t.byID.get(n.id)
	default:
		r = p.t.withKey(n.who, n.request)
	}
	if r == nil || r.stored == nil || r.gone <= p.latest {
		return nil
	}
	return []*record{r}
}

// countedFor returns what counts against a principal's limits in a scope and
// is in the store.
func (p *Pool) countedFor(who Principal, id scope.ID) (list []*record) {
	h, z := p.t.holders[who], p.zoneOf[id]
	if h == nil {
		return nil
	}
	for _, r := range h.records {
		if r.stored != nil && r.counts(z, p.latest) {
			list = append(list, r)
		}
	}
	return list
}

// write returns the records that the name lists after something was done to
// rec.
func (n *name) write(p *Pool, rec *record) []*record {
	if n.key[:2] == quotaPrefix {
		return n.here(p)
	}
	return []*record{rec}
}

// names returns what an operation on a lease depends on.
func (p *Pool) names(id ID) []name {
	if !p.shared() {
		return nil
	}
	return []name{idName(id)}
}

// requestNames returns what a request depends on, but for the identifier of a
// lease that has none yet.
func (p *Pool) requestNames(who Principal, req *Request) (names []name) {
	if !p.shared() {
		return nil
	}
	if req.ID != "" {
		names = append(names, idName(req.ID))
	}
	if req.Key != "" {
		names = append(names, keyName(who, req.Key))
	}
	return names
}

// written returns the names to write for a new lease: those that were looked
// at, and that of its identifier, which nobody has if it is new.
func (p *Pool) written(s *sight, r *record) []name {
	if !p.shared() {
		return nil
	}
	n := idName(r.id)
	if slices.ContainsFunc(s.names, func(m name) bool { return m.key == n.key }) {
		return s.names
	}
	return append(slices.Clip(s.names), n)
}

// lookAtQuota makes sure that an operation has looked at what counts against
// a principal's limits, if there are any.
func (p *Pool) lookAtQuota(s *sight, who Principal, z *zone) error {
	if p.cfg.Limits == nil || !p.shared() {
		return nil
	}
	if l := p.cfg.Limits(who, z.scope.ID()); l.Leases == 0 && l.Addrs == 0 {
		return nil
	}
	return s.lookAt(quotaName(who, z.scope.ID()))
}

// lookAtKey makes sure that a change of r has looked at the name of its
// request's key, and writes it, so that the same request finds r as it is then.
func (p *Pool) lookAtKey(s *sight, r *record) error {
	if !p.shared() || r.key == "" {
		return nil
	}
	return s.lookAt(keyName(r.holder.Principal, r.key))
}

func (s *sight) lookAt(n name) error {
	if slices.ContainsFunc(s.names, func(m name) bool { return m.key == n.key }) {
		return nil
	}
	return &lookAlso{name: n}
}

// lookAround makes sure that an operation has looked at the pages of some
// records, which the names it has looked at may know an older state of.
func (p *Pool) lookAround(s *sight, list ...*record) error {
	if !p.shared() || s.pages != nil || s.all || len(list) == 0 {
		return nil
	}
	var also lookAlso
	for _, r := range list {
		also.pages = append(also.pages, p.t.pagesOf(r)...)
	}
	return &also
}

// agrees reports whether the name says what is in the table.
func (n *name) agrees(p *Pool) bool {
	here := n.here(p)
	live := 0
	for _, g := range n.grants {
		if g.gone <= p.latest {
			continue
		}
		live++
		if !slices.ContainsFunc(here, func(r *record) bool {
			return r.stored.serial == g.serial && r.start == g.start && r.gone == g.gone && r.state == g.state
		}) {
			return false
		}
	}
	return live == len(here)
}

// encodeGrants returns the value of a name that lists the records.
func encodeGrants(latest instant, t *table, list []*record) []byte {
	b := appendHead(nil, latest)
	for _, r := range list {
		pages := t.pagesOf(r)
		b = append(b, r.stored.serial[:]...)
		b = binary.BigEndian.AppendUint64(b, uint64(r.start))
		b = binary.BigEndian.AppendUint64(b, uint64(r.gone))
		b = append(b, byte(r.state))
		b = binary.AppendUvarint(b, uint64(len(pages)))
		for _, p := range pages {
			b = appendNumber(b, p)
		}
	}
	return appendChecksum(b)
}

func decodeGrants(b []byte) (latest instant, list []grant, err error) {
	latest, b, err = consumeChecked(b)
	if err != nil {
		return 0, nil, err
	}
	d := decoder{b: b}
	for len(d.b) > 0 && !d.bad {
		g := grant{serial: serial(d.take(16)), start: instant(d.uint64()), gone: instant(d.uint64()), state: state(d.octet())}
		for n := d.uvarint(); n > 0 && !d.bad; n-- {
			g.pages = append(g.pages, d.number())
		}
		list = append(list, g)
	}
	if d.bad {
		return 0, nil, errDamaged
	}
	return latest, list, nil
}
