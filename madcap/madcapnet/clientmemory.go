// SPDX-License-Identifier: BSD-3-Clause

package madcapnet

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/madcap"
)

// memory holds what a client knows of its leases beyond what the protocol can
// tell: who has got them and under which key. All of it may be forgotten; a
// lease itself is the caller's value.
type memory struct {
	most  int
	byID  map[lease.ID]*remembered
	byKey map[requestKey]*remembered
	busy  map[requestKey]chan struct{} // keys of allocations under way; closed when one ends
	swept time.Time
	paths map[netip.Addr]netip.AddrPort // server identifier to where that server answered from
}

// requestKey is a key, and whose.
type requestKey struct {
	who lease.Principal
	key string
}

// remembered is a lease, or a request that was put off.
type remembered struct {
	lease  lease.Lease
	owner  requestKey // no key: not asked for with one
	shared bool
	forget time.Time

	// What was put off: the message to send again, not before at, to server.
	put    *madcap.Message
	at     time.Time
	server netip.AddrPort
}

// isOver reports whether a lease has ended.
func (r *remembered) isOver(now time.Time) bool { return r.put == nil && !now.Before(r.lease.End) }

// maxPaths bounds memory.paths.
const maxPaths = 1024

func (m *memory) init(most int) {
	m.most = most
	m.byID = make(map[lease.ID]*remembered)
	m.byKey = make(map[requestKey]*remembered)
	m.busy = make(map[requestKey]chan struct{})
	m.paths = make(map[netip.Addr]netip.AddrPort)
}

// add remembers r in place of what it knew of the same lease.
func (m *memory) add(now time.Time, r *remembered) {
	m.drop(r.lease.ID)
	if len(m.byID) >= m.most && now.Sub(m.swept) > time.Minute {
		m.swept = now
		for id, old := range m.byID {
			if old.forget.Before(now) {
				m.drop(id)
			}
		}
	}
	for id := range m.byID {
		if len(m.byID) < m.most {
			break
		}
		m.drop(id)
	}
	m.byID[r.lease.ID] = r
	if r.owner.key != "" {
		m.byKey[r.owner] = r
	}
}

// drop forgets a lease.
func (m *memory) drop(id lease.ID) {
	r := m.byID[id]
	if r == nil {
		return
	}
	delete(m.byID, id)
	if m.byKey[r.owner] == r {
		delete(m.byKey, r.owner)
	}
}

// learn remembers where a server answers from.
func (m *memory) learn(a madcap.Answer) {
	id := a.Message.ServerIdentifier.Addr
	if !id.IsValid() {
		return
	}
	if _, ok := m.paths[id]; !ok && len(m.paths) >= maxPaths {
		clear(m.paths)
	}
	m.paths[id] = a.From
}

// enter begins an allocation: it waits until no other with the same key is
// under way, and returns what the key or the identifier stands for already: a
// live lease, or a request that was put off. leave must be called in the end.
func (c *Client) enter(ctx context.Context, req *lease.Request) (r *remembered, leave func(), err error) {
	owner := requestKey{lease.PrincipalFrom(ctx), req.Key}
	c.mu.Lock()
	for under := c.known.busy[owner]; req.Key != "" && under != nil; under = c.known.busy[owner] {
		c.mu.Unlock()
		select {
		case <-under:
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
		c.mu.Lock()
	}
	defer c.mu.Unlock()
	now := c.cfg.Now()
	if r = c.known.byID[req.ID]; r != nil && r.isOver(now) {
		r = nil
	}
	switch {
	case r != nil && (r.owner != owner || req.Key == ""):
		return nil, nil, &lease.Error{Op: "allocate", Param: lease.ParamID, Want: "an identifier that no lease has", Err: lease.ErrInUse}
	case r == nil && req.Key != "":
		if r = c.known.byKey[owner]; r != nil && r.isOver(now) {
			r = nil
		}
	}
	if req.Key == "" {
		return r, func() {}, nil
	}
	mine := make(chan struct{})
	c.known.busy[owner] = mine
	return r, func() {
		c.mu.Lock()
		delete(c.known.busy, owner)
		c.mu.Unlock()
		close(mine)
	}, nil
}

// identifier returns the Lease Identifier of a request: the one it names, or
// one made of its key, so that the same key asks for the same lease; else none,
// and the machine draws one.
func (c *Client) identifier(ctx context.Context, req *lease.Request) madcap.LeaseIdentifier {
	switch {
	case req.ID != "":
		return madcap.LeaseIdentifier(req.ID)
	case req.Key == "":
		return nil
	}
	who := lease.PrincipalFrom(ctx)
	mac := hmac.New(sha256.New, c.cfg.Secret)
	mac.Write(binary.BigEndian.AppendUint32([]byte{byte(who.By)}, uint32(len(who.Name))))
	mac.Write([]byte(who.Name + req.Key))
	return append(madcap.LeaseIdentifier{madcap.LeaseIdentifierRandom}, mac.Sum(nil)[:16]...)
}

// find completes a lease that a caller wants to change with what is remembered
// of it. It fails with lease.ErrNotLeased if the lease is somebody else's.
func (c *Client) find(ctx context.Context, op string, l lease.Lease) (lease.Lease, error) {
	if l.Family != lease.IPv4 && l.Family != lease.IPv6 {
		return l, &lease.Error{Op: op, Param: lease.ParamFamily, Got: l.Family.String(), Want: "IPv4 or IPv6", Err: lease.ErrFamily}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.known.byID[l.ID]
	switch {
	case l.ID == "", r != nil && !r.shared && !c.cfg.Owner(lease.PrincipalFrom(ctx), r.owner.who), r != nil && r.lease.Family != l.Family:
		return l, &lease.Error{Op: op, Err: lease.ErrNotLeased}
	case r != nil && r.put == nil:
		return r.lease, nil // the latest known state of it
	}
	return l, nil
}

// forget drops what is remembered of a lease.
func (c *Client) forget(id lease.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.known.drop(id)
}

// pathTo returns where the server of a lease is asked.
func (c *Client) pathTo(server netip.Addr) (netip.AddrPort, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch at, ok := c.known.paths[server]; {
	case ok:
		return at, true
	case !server.IsValid() || server == c.cfg.Server.Addr():
		return c.cfg.Server, c.cfg.Server.IsValid()
	}
	return netip.AddrPortFrom(server, c.cfg.Port), true
}
