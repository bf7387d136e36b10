// SPDX-License-Identifier: BSD-3-Clause

package madcap

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/mcastalloc/malloc/scope"
)

// GetInfo asks one server, or all servers of a group, for the options of
// m.OptionRequestList: usually OptScopeList, OptNestingState and
// OptFeatureList. m.Family is the family of the scopes. Its Lease Identifier is
// always a fresh one (RFC 2730, section 2.2.1).
func (c *Client) GetInfo(now time.Time, to netip.AddrPort, m *Message) (Handle, error) {
	return c.start(now, TypeGetInfo, to, m)
}

// Allocate asks the servers of a group for a new lease: it multicasts a
// DISCOVER, collects their OFFERs, chooses one, and multicasts the REQUEST that
// takes it (sections 2.2.2 to 2.2.4). m names at least Family and Scope.
func (c *Client) Allocate(now time.Time, group netip.AddrPort, m *Message) (Handle, error) {
	return c.start(now, TypeDiscover, group, m)
}

// Request asks a known server for a new lease, by unicast (section 2.2.4). m
// names at least Family and Scope. If it names the server's identifier, answers
// from any other are ignored.
//
// It also asks again for what was put off: send Done.Request to the server that
// put it off, at Done.RetryAt or later (section 2.13.2).
func (c *Client) Request(now time.Time, server netip.AddrPort, m *Message) (Handle, error) {
	return c.start(now, TypeRequest, server, m)
}

// Renew asks the server that granted the lease m.LeaseIdentifier to change its
// start and end (section 2.2.7). What m leaves out becomes the server's
// default: the longest lease, and a start as soon as possible.
//
// RENEW carries no Server Identifier; if m has one, it says who granted the
// lease, and another server is only asked if m requires ServerMobility.
func (c *Client) Renew(now time.Time, server netip.AddrPort, m *Message) (Handle, error) {
	return c.start(now, TypeRenew, server, m)
}

// Release gives the lease m.LeaseIdentifier back, or gives up what was put off
// (section 2.2.8). For m.ServerIdentifier see Renew.
func (c *Client) Release(now time.Time, server netip.AddrPort, m *Message) (Handle, error) {
	return c.start(now, TypeRelease, server, m)
}

// Cancel stops a transaction: nothing more is sent, answers are ignored, and no
// Done comes. If a REQUEST has gone out, a server may have granted it: then
// Cancel starts a RELEASE, and returns its handle and true.
func (c *Client) Cancel(now time.Time, h Handle) (release Handle, ok bool) {
	tx := c.byHandle[h]
	if tx == nil {
		return 0, false
	}
	c.forget(tx)
	c.stats.Cancelled++
	if tx.request.Type != TypeRequest {
		return 0, false
	}
	if tx.stray.IsValid() && tx.stray != tx.server {
		c.abandon(tx, tx.stray)
	}
	release, err := c.Release(now, tx.server, &Message{Family: tx.request.Family, LeaseIdentifier: tx.request.LeaseIdentifier})
	return release, err == nil
}

// start begins a transaction with a message of type t.
func (c *Client) start(now time.Time, t MessageType, to netip.AddrPort, ask *Message) (Handle, error) {
	to = netip.AddrPortFrom(to.Addr().Unmap(), to.Port())
	if err := checkDestination(t, to, ask); err != nil {
		return 0, err
	}
	m := *ask
	m.Type = t
	switch t {
	case TypeRenew, TypeRelease:
		m.ServerIdentifier = ServerIdentifier{} // it was for checkDestination
	case TypeGetInfo:
		m.LeaseIdentifier = RandomLeaseIdentifier(c.cfg.Rand)
		if slices.Contains(m.OptionRequestList, OptNestingState) && !slices.Contains(m.OptionRequestList, OptScopeList) {
			m.OptionRequestList = append([]OptionCode{OptScopeList}, m.OptionRequestList...)
		}
	case TypeDiscover, TypeRequest:
		if err := m.prepareAllocation(); err != nil {
			return 0, err
		}
		if len(m.LeaseIdentifier) == 0 {
			m.LeaseIdentifier = RandomLeaseIdentifier(c.cfg.Rand)
		}
		if c.allocating[string(m.LeaseIdentifier)] {
			return 0, notSent(t, OptLeaseIdentifier, ErrValue, "another allocation under way bears it")
		}
	}
	if err := m.prepareFeatures(); err != nil {
		return 0, err
	}
	m.setCurrentTime(now)
	if len(c.byHandle) >= c.cfg.MaxTransactions {
		return 0, fmt.Errorf("madcap: %v: %w, want at most %d", t, ErrBusy, c.cfg.MaxTransactions)
	}
	m.XID = c.newXID()
	packet, err := m.AppendValid(nil, 0, to.Addr().IsMulticast())
	if err != nil {
		return 0, err
	}
	tx := &transaction{to: to, server: to, packet: packet}
	if err := tx.request.Decode(packet); err != nil {
		return 0, err
	}
	tx.request.Order = slices.Clone(ask.Order)
	c.last++
	tx.handle = c.last
	c.begin(now, tx)
	return tx.handle, nil
}

func notSent(t MessageType, at OptionCode, err error, detail string) error {
	return &Error{Type: t, Option: at, Offset: -1, Err: err, Detail: detail}
}

// checkDestination says whether a message of type t may be sent there.
func checkDestination(t MessageType, to netip.AddrPort, m *Message) error {
	bad := func(why string) error {
		return notSent(t, NoOption, ErrDestination, fmt.Sprintf("%v: %s", to, why))
	}
	a := to.Addr()
	switch granted := m.ServerIdentifier.Addr; {
	case !a.IsValid() || a.IsUnspecified() || to.Port() == 0:
		return bad("want an address and a port")
	case a.IsMulticast() && t != TypeDiscover && t != TypeGetInfo:
		return bad("want one server (RFC 2730, sections 2.2.4, 2.2.7, 2.2.8)")
	case !a.IsMulticast() && t == TypeDiscover:
		return bad("want a server group (RFC 2730, section 1.5)")
	case a.IsMulticast() && inGlobalScope(a):
		return bad("want a group that is not in the global scope (RFC 2730, section 2.11)")
	case (t == TypeRenew || t == TypeRelease) && granted.IsValid() && granted != a.WithZone("") &&
		!slices.Contains(m.Features.Value.Required, ServerMobility):
		return bad(fmt.Sprintf("want %v, which granted the lease, or ServerMobility (RFC 2730, section 2.2.7)", granted))
	}
	return nil
}

// prepareAllocation makes number and ranges of a DISCOVER or REQUEST say what
// they mean.
func (m *Message) prepareAllocation() error {
	m.Ranges.Present = len(m.Ranges.Value) > 0
	listed := 0
	if m.Ranges.Present {
		n, disjoint, err := count(m.Ranges.Value)
		if err != nil {
			return notSent(m.Type, OptAddressRanges, ErrValue, err.Error())
		}
		if !disjoint {
			return notSent(m.Type, OptAddressRanges, ErrValue, "ranges overlap")
		}
		listed = n
	}
	one := m.Addresses.IsZero() || m.Addresses.Min <= 1 && m.Addresses.Desired == 1
	switch {
	case one && listed > 1:
		m.Addresses = NumberOfAddresses{Min: 1, Desired: 1}
	case one:
		m.Addresses = NumberOfAddresses{}
	}
	return nil
}

// count returns how many addresses the ranges hold together, counted once, and
// whether no two ranges overlap. More than an int holds count as the most it
// holds.
func count(ranges []scope.Range) (n int, disjoint bool, err error) {
	all, err := scope.SetOf(ranges...)
	if err != nil {
		return 0, false, err
	}
	var sum scope.Uint128
	for _, r := range ranges {
		sum = sum.Add(r.Size())
	}
	size := all.Size()
	n = int(^uint(0) >> 1)
	if size.Hi == 0 && size.Lo < uint64(n) {
		n = int(size.Lo)
	}
	return n, sum == size, nil
}

// prepareFeatures declares every feature the message names as supported
// (decision MADCAP-D-25), and holds a shared lease to an identifier that is
// hard to guess (RFC 2730, section 2.4).
func (m *Message) prepareFeatures() error {
	if !m.Features.Present {
		return nil
	}
	l := &m.Features.Value
	shared := slices.Contains(l.Requested, SharedLeaseIdentifier) || slices.Contains(l.Required, SharedLeaseIdentifier)
	if shared && len(m.LeaseIdentifier) > 0 && !m.LeaseIdentifier.IsShareable() {
		return notSent(m.Type, OptLeaseIdentifier, ErrValue, "a shared lease wants type 0 and at least 8 random octets")
	}
	supported := slices.Clone(l.Supported)
	for _, list := range [...][]Feature{l.Requested, l.Required} {
		for _, f := range list {
			if !slices.Contains(supported, f) {
				supported = append(supported, f)
			}
		}
	}
	l.Supported = supported
	return nil
}

// setCurrentTime brings Current Time up to date, where the message has it or
// another absolute time (RFC 2730, section 2.12).
func (m *Message) setCurrentTime(now time.Time) {
	if !m.CurrentTime.IsZero() || !m.StartTime.IsZero() || !m.MaxStartTime.IsZero() {
		m.CurrentTime = now.UTC().Truncate(time.Second)
	}
}
