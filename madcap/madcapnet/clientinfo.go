// SPDX-License-Identifier: BSD-3-Clause

package madcapnet

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/madcap"
	"github.com/mcastalloc/malloc/scope"
)

// knowledge is what the servers have told of one family, all of them merged.
type knowledge struct {
	scopes  []scope.Scope // smallest first, as far as the servers' order tells
	nesting *scope.Nesting
	servers []madcap.Answer // who has told it
	until   time.Time       // when it is to be asked for again
}

// Info asks the configured server, or all servers of the group, what they can
// tell: a GETINFO (section 2.2.1) with the options of ask, of which Family and
// OptionRequestList must be given. It returns each server's answer. Errors are
// those of package lease; one that stands for a NAK also is a *madcap.NakError.
func (c *Client) Info(ctx context.Context, ask *madcap.Message) ([]madcap.Answer, error) {
	to, err := c.serversOf("get information", ask.Family)
	if err != nil {
		return nil, err
	}
	d, err := c.exchange(ctx, func(now time.Time) (madcap.Handle, error) { return c.machine.GetInfo(now, to, ask) })
	if err != nil {
		return nil, c.failed("get information", err)
	}
	if d.Err != nil {
		return nil, c.refused("get information", d)
	}
	return d.Answers, nil
}

// serversOf returns where messages about a family go: the configured server or
// the group.
func (c *Client) serversOf(op string, f madcap.AddrFamily) (netip.AddrPort, error) {
	if c.cfg.Server.IsValid() {
		return c.cfg.Server, nil
	}
	if g, ok := c.groupOf(f); ok {
		return g, nil
	}
	return netip.AddrPort{}, &lease.Error{Op: op, Param: lease.ParamFamily, Got: f.String(), Want: "a family with a server group", Err: lease.ErrFamily}
}

func (c *Client) groupOf(f madcap.AddrFamily) (netip.AddrPort, bool) {
	group := madcap.DefaultServerGroup(f)
	for _, g := range c.cfg.Groups {
		if madcap.FamilyOf(g) == f {
			group = g
		}
	}
	return netip.AddrPortFrom(group, c.cfg.Port), group.IsValid()
}

// learnScopes asks for scopes, nesting and features, and remembers them.
func (c *Client) learnScopes(ctx context.Context, f lease.Family) (*knowledge, error) {
	answers, err := c.Info(ctx, &madcap.Message{
		Family:            madcap.AddrFamily(f),
		OptionRequestList: []madcap.OptionCode{madcap.OptScopeList, madcap.OptNestingState, madcap.OptFeatureList},
	})
	var nak *madcap.NakError
	if errors.As(err, &nak) && nak.Reason.Code == madcap.CodeNotCompleted {
		answers, err = nil, nil // the family is not served: no scopes
	}
	if err != nil {
		return nil, err
	}
	k := c.merge(answers)
	c.mu.Lock()
	defer c.mu.Unlock()
	k.until = c.cfg.Now().Add(c.cfg.ScopesFor)
	c.info[f] = k
	for _, a := range answers {
		c.known.learn(a)
	}
	return k, nil
}

// scopesOf returns what is known of a family, and asks if nothing is.
func (c *Client) scopesOf(ctx context.Context, f lease.Family) (*knowledge, error) {
	c.mu.Lock()
	k := c.info[f]
	fresh := k != nil && c.cfg.Now().Before(k.until)
	c.mu.Unlock()
	if fresh {
		return k, nil
	}
	return c.learnScopes(ctx, f)
}

// merge joins the scope lists of several servers: one entry a scope, with the
// names of all and the least TTL; in the order of the first server's list, what
// only others know behind it. Of two servers that disagree whether a scope
// nests in another neither is believed.
func (c *Client) merge(answers []madcap.Answer) *knowledge {
	k := &knowledge{servers: answers}
	at := make(map[scope.ID]int)
	names := make(map[scope.ID][]scope.Name)
	var ids []scope.ID
	for _, a := range answers {
		for _, z := range a.Message.ScopeList.Value {
			id := z.Range.First()
			i, ok := at[id]
			if !ok {
				i = len(k.scopes)
				at[id] = i
				ids = append(ids, id)
				k.scopes = append(k.scopes, scope.Scope{Range: z.Range, TTL: z.TTL, Divisible: isDivisible(z.Range)})
			}
			s := &k.scopes[i]
			if s.Range != z.Range {
				c.cfg.Logger.Warn("servers disagree about a scope", "one", s.Range, "other", z.Range, "server", a.From)
			}
			s.TTL = min(s.TTL, z.TTL)
			for _, n := range z.Names {
				names[id] = addName(names[id], scope.Name{Tag: string(n.Tag), Text: string(n.Text), Default: n.Default})
			}
		}
	}
	for i := range k.scopes {
		k.scopes[i].Names, _ = scope.NewNames(names[k.scopes[i].ID()]...)
	}
	k.nesting = scope.NewNesting(ids...)
	told := make(map[[2]scope.ID]scope.Relation)
	for _, a := range answers {
		zones := a.Message.ScopeList.Value
		if !a.Message.Nesting.Present {
			continue
		}
		for i := range zones {
			for j := range zones {
				pair := [2]scope.ID{zones[i].Range.First(), zones[j].Range.First()}
				r := scope.No
				if a.Message.Nesting.Value.Nests(i, j) {
					r = scope.Yes
				}
				if before, ok := told[pair]; ok && before != r {
					r = scope.Unknown
				}
				told[pair] = r
			}
		}
	}
	for pair, r := range told {
		if pair[0] != pair[1] {
			k.nesting.Set(pair[0], pair[1], r) // both are in the list
		}
	}
	return k
}

// isDivisible reports whether a scope is the global one: MADCAP does not tell
// which scopes are divisible.
func isDivisible(r scope.Range) bool {
	return r == scope.IPv4Global().Range || r == scope.IPv6(14).Range
}

// addName adds a name that package scope can keep and that is not there in its
// language yet; the first default stays the only one.
func addName(names []scope.Name, n scope.Name) []scope.Name {
	for _, old := range names {
		n.Default = n.Default && !old.Default
	}
	longer := append(slices.Clip(names), n)
	if _, err := scope.NewNames(longer...); err != nil {
		return names
	}
	return longer
}

// Scopes implements lease.Allocator: it asks the servers (section 2.2.1) and
// merges what they say. Errors: lease.ErrFamily, lease.ErrNoServer.
func (c *Client) Scopes(ctx context.Context, f lease.Family) ([]scope.Scope, error) {
	if f != lease.IPv4 && f != lease.IPv6 {
		return nil, &lease.Error{Op: "list scopes", Param: lease.ParamFamily, Got: f.String(), Want: "IPv4 or IPv6", Err: lease.ErrFamily}
	}
	k, err := c.learnScopes(ctx, f)
	if err != nil {
		return nil, err
	}
	return slices.Clone(k.scopes), nil
}

// Nesting implements lease.Allocator: it asks the servers (RFC 2907). A pair is
// unknown if none of them tells, or if they disagree. The wire cannot tell "no"
// from "not known yet", so a No may be either.
func (c *Client) Nesting(ctx context.Context, ids ...scope.ID) (*scope.Nesting, error) {
	bad := func(id scope.ID) error {
		return &lease.Error{Op: "nesting", Param: lease.ParamScope, Got: id.String(), Want: "scopes that the servers list, of one family", Err: lease.ErrScope}
	}
	n := scope.NewNesting(ids...)
	if len(ids) == 0 {
		return n, nil
	}
	for _, id := range ids {
		if !id.IsValid() || id.Is4() != ids[0].Is4() {
			return nil, bad(id)
		}
	}
	k, err := c.learnScopes(ctx, lease.FamilyOf(ids[0]))
	if err != nil {
		return nil, err
	}
	for _, inner := range ids {
		if !k.has(inner) {
			return nil, bad(inner)
		}
	}
	for _, inner := range n.IDs() {
		for _, outer := range n.IDs() {
			if inner != outer {
				n.Set(inner, outer, k.nesting.Of(inner, outer))
			}
		}
	}
	return n, nil
}

// scope returns the listed scope with an identity.
func (k *knowledge) scope(id scope.ID) (scope.Scope, bool) {
	if i := slices.IndexFunc(k.scopes, func(s scope.Scope) bool { return s.ID() == id }); i >= 0 {
		return k.scopes[i], true
	}
	return scope.Scope{}, false
}

func (k *knowledge) has(id scope.ID) bool {
	_, ok := k.scope(id)
	return ok
}

// scopeFor fills in family and scope of a request. The scope must be in effect
// here: that is asked of the servers unless it is known (section 2.7), or the
// client is configured to use a group on which servers need not tell.
func (c *Client) scopeFor(ctx context.Context, req *lease.Request) error {
	bad := func(p lease.Param, got, want string, err error) error {
		return &lease.Error{Op: "allocate", Param: p, Got: got, Want: want, Err: err}
	}
	f := req.Family
	switch {
	case f == 0 && !req.Scope.IsValid(), f != 0 && f != lease.IPv4 && f != lease.IPv6:
		return bad(lease.ParamFamily, f.String(), "IPv4 or IPv6", lease.ErrFamily)
	case f == 0:
		f = lease.FamilyOf(req.Scope)
	case req.Scope.IsValid() && f != lease.FamilyOf(req.Scope):
		return bad(lease.ParamScope, req.Scope.String(), "a scope of "+f.String(), lease.ErrScope)
	}
	req.Family = f
	if group, _ := c.groupOf(madcap.AddrFamily(f)); req.Scope.IsValid() && !c.cfg.Server.IsValid() &&
		group.Addr() != madcap.DefaultServerGroup(madcap.AddrFamily(f)) {
		return nil
	}
	k, err := c.scopesOf(ctx, f)
	switch {
	case err != nil:
		return err
	case req.Scope.IsValid() && !k.has(req.Scope):
		return bad(lease.ParamScope, req.Scope.String(), "a scope that is served here", lease.ErrScope)
	case !req.Scope.IsValid() && len(k.scopes) == 0:
		return bad(lease.ParamScope, "", "a scope, as the servers list none of "+f.String(), lease.ErrScope)
	case !req.Scope.IsValid():
		req.Scope = k.scopes[0].ID()
	}
	if s, ok := k.scope(req.Scope); ok {
		for r := range req.Addrs.Ranges() {
			if !s.Range.Covers(r) && r.Is4() {
				return bad(lease.ParamAddrs, req.Addrs.String(), "addresses in "+s.Range.String(), lease.ErrScope)
			}
		}
	}
	return nil
}
