// SPDX-License-Identifier: BSD-3-Clause

package madcapnet

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/madcap"
	"github.com/mcastalloc/malloc/scope"
)

// addPort returns the fake server with another last octet.
func addPort(at netip.AddrPort, last byte) netip.AddrPort {
	b := at.Addr().As4()
	b[3] = last
	return netip.AddrPortFrom(netip.AddrFrom4(b), at.Port())
}

// TestClientKeys: LEASE-3.1-17 over the wire.
func TestClientKeys(t *testing.T) {
	req := lease.Request{Scope: localScope, Key: "the camera in the yard"}
	bubble(t, "LEASE-3.1-17", func(t *testing.T) {
		n, c := known(t, granting, ClientConfig{})
		first, err := c.Allocate(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := c.Allocate(t.Context(), req); err != nil || !again.Equal(first) {
			t.Errorf("%v, %v, want %v", again, err, first)
		}
		n.wantTranscript("+0s REQUEST to 198.51.100.1")
		id := madcap.LeaseIdentifier(first.ID)
		if !id.IsShareable() || len(id) != 17 {
			t.Errorf("identifier %v", id)
		}
		time.Sleep(2 * time.Hour) // it is over: the key asks anew, by the same identifier
		later, err := c.Allocate(t.Context(), req)
		if err != nil || later.ID != first.ID || n.count(madcap.TypeRequest) != 2 {
			t.Errorf("%v, %v:\n%s", later, err, n.transcript())
		}
		if err := c.Release(t.Context(), later); err != nil {
			t.Error(err)
		}
		if _, err := c.Allocate(t.Context(), req); err != nil || n.count(madcap.TypeRequest) != 3 {
			t.Errorf("%v:\n%s", err, n.transcript())
		}
	})
	bubble(t, "identifiers", func(t *testing.T) {
		secret := []byte("secret")
		_, c := known(t, granting, ClientConfig{Secret: secret})
		_, d := known(t, granting, ClientConfig{})
		id := func(c *Client, p lease.Principal, key string) string {
			return string(c.identifier(lease.WithPrincipal(t.Context(), p), &lease.Request{Key: key}))
		}
		anne, bert := lease.Principal{Name: "anne"}, lease.Principal{Name: "bert"}
		all := map[string]bool{}
		for _, s := range []string{id(c, anne, "k"), id(c, bert, "k"), id(c, anne, "l"), id(d, anne, "k"), id(c, lease.Principal{Name: "anne", By: lease.ByAuth}, "k"),
			id(c, lease.Principal{Name: "a"}, "nnek"), id(c, lease.Principal{Name: "annek"}, "")} {
			all[s] = true
		}
		if len(all) != 7 {
			t.Errorf("%d identifiers of 7 requests", len(all))
		}
		if again := id(c, anne, "k"); !all[again] {
			t.Error("the same request has another identifier")
		}
	})
	bubble(t, "at once", func(t *testing.T) { // many ask, one REQUEST goes out
		n, c := known(t, silent, ClientConfig{})
		type result struct {
			l   lease.Lease
			err error
		}
		results := make(chan result)
		for range 10 {
			go func() {
				l, err := c.Allocate(t.Context(), req)
				results <- result{l, err}
			}()
		}
		synctest.Wait()
		n.wantTranscript("+0s REQUEST to 198.51.100.1")
		n.setScript(0, granting)
		var ids []lease.ID
		for range 10 {
			r := <-results
			if r.err != nil {
				t.Error(r.err)
			}
			ids = append(ids, r.l.ID)
		}
		if n.count(madcap.TypeRequest) != 2 || ids[0] != ids[9] {
			t.Errorf("%v:\n%s", ids, n.transcript())
		}
	})
	bubble(t, "waiting for another call", func(t *testing.T) {
		_, c := known(t, silent, ClientConfig{})
		go c.Allocate(t.Context(), req)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.Allocate(ctx, req); err != context.DeadlineExceeded {
			t.Errorf("error %v", err)
		}
		time.Sleep(time.Hour)
	})
	bubble(t, "after a restart", func(t *testing.T) { // the server has the lease, and gives it back
		n, c := known(t, except(madcap.TypeRequest, refusing(madcap.InvalidRequest(madcap.OptLeaseIdentifier)), granting), ClientConfig{Secret: []byte("secret")})
		l, err := c.Allocate(t.Context(), req)
		if err != nil || l.Addrs.IsEmpty() {
			t.Errorf("%v, %v", l, err)
		}
		n.wantTranscript("+0s REQUEST to 198.51.100.1", "+0s RENEW to 198.51.100.1")
		r := req
		r.Key, r.ID = "", l.ID
		_, err = c.Allocate(t.Context(), r) // without a key it is another request
		wantErr(t, err, lease.ErrInUse)
		r.ID = "\x00 in use at the server"
		_, err = c.Allocate(t.Context(), r)
		wantErr(t, err, lease.ErrInUse)
	})
	bubble(t, "not what was asked for", func(t *testing.T) {
		_, c := known(t, except(madcap.TypeRequest, refusing(madcap.InvalidRequest(madcap.OptLeaseIdentifier)), granting), ClientConfig{})
		r := req
		r.Count = lease.Count{Min: 2}
		_, err := c.Allocate(t.Context(), r)
		wantErr(t, err, lease.ErrInUse)
		r = req
		r.Scope = scope.IPv4OrganizationLocal().ID() // the script renews in the other one
		_, err = c.Allocate(t.Context(), r)
		wantErr(t, err, lease.ErrInUse)
	})
	bubble(t, "given identifier", func(t *testing.T) {
		n, c := known(t, granting, ClientConfig{})
		r := lease.Request{Scope: localScope, ID: "\x01\x00\x01\xc6\x33\x64\x01seven"}
		l, err := c.Allocate(t.Context(), r)
		if err != nil || l.ID != r.ID || string(n.last(madcap.TypeRequest).LeaseIdentifier) != string(r.ID) {
			t.Errorf("%v, %v", l, err)
		}
		_, err = c.Allocate(t.Context(), r)
		wantErr(t, err, lease.ErrInUse)
		r.Key = "key"
		_, err = c.Allocate(t.Context(), r)
		wantErr(t, err, lease.ErrInUse)
	})
}

// TestClientOwners: who may change what this client has got.
func TestClientOwners(t *testing.T) {
	anne, bert := lease.Principal{Name: "anne"}, lease.Principal{Name: "bert"}
	bubble(t, "LEASE-3.9-3", func(t *testing.T) {
		n, c := known(t, granting, ClientConfig{})
		l, err := c.Allocate(lease.WithPrincipal(t.Context(), anne), lease.Request{Scope: localScope})
		if err != nil {
			t.Fatal(err)
		}
		n.forget()
		ctx := lease.WithPrincipal(t.Context(), bert)
		_, err1 := c.ChangeLifetime(ctx, l, lease.Window{})
		_, err2 := c.ChangeStart(ctx, l, lease.Window{})
		_, err3 := c.Change(ctx, l, lease.Terms{})
		for _, err := range []error{err1, err2, err3, c.Release(ctx, l)} {
			wantErr(t, err, lease.ErrNotLeased)
		}
		n.wantTranscript()
		if err := c.Release(lease.WithPrincipal(t.Context(), anne), l); err != nil {
			t.Error(err)
		}
	})
	bubble(t, "another family", func(t *testing.T) {
		n, c := known(t, granting, ClientConfig{})
		l, err := c.Allocate(t.Context(), lease.Request{Scope: localScope})
		if err != nil {
			t.Fatal(err)
		}
		n.forget()
		l.Family = lease.IPv6
		wantErr(t, c.Release(t.Context(), l), lease.ErrNotLeased)
		n.wantTranscript()
	})
	bubble(t, "MADCAP-2.13.3-1", func(t *testing.T) { // shared: anybody who has the identifier
		n, c := known(t, granting, ClientConfig{})
		l, err := c.Allocate(lease.WithPrincipal(t.Context(), anne), lease.Request{Scope: localScope, Shared: true})
		if err != nil {
			t.Fatal(err)
		}
		if m := n.last(madcap.TypeRequest); len(m.Features.Value.Required) != 1 || m.Features.Value.Required[0] != madcap.SharedLeaseIdentifier {
			t.Errorf("sent %+v", m)
		}
		if err := c.Release(lease.WithPrincipal(t.Context(), bert), l); err != nil {
			t.Error(err)
		}
	})
	bubble(t, "MADCAP-2.4-9", func(t *testing.T) { // shared, and easy to guess
		n, c := known(t, granting, ClientConfig{})
		if _, err := c.Allocate(t.Context(), lease.Request{Scope: localScope, Shared: true, ID: "\x00 1"}); err == nil {
			t.Error("granted")
		}
		n.wantTranscript()
	})
	bubble(t, "owner policy", func(t *testing.T) {
		_, c := known(t, granting, ClientConfig{Owner: lease.AnyBearer})
		l, err := c.Allocate(lease.WithPrincipal(t.Context(), anne), lease.Request{Scope: localScope})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Release(lease.WithPrincipal(t.Context(), bert), l); err != nil {
			t.Error(err)
		}
	})
}

// remembers counts leases, keys, and keys of allocations under way.
func (c *Client) remembers() (ids, keys, busy int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.known.byID), len(c.known.byKey), len(c.known.busy)
}

// TestClientForgets: what is remembered is bounded, and leases do not suffer
// from it.
func TestClientForgets(t *testing.T) {
	bubble(t, "limit", func(t *testing.T) {
		_, c := known(t, granting, ClientConfig{MaxLeases: 5})
		var leases []lease.Lease
		for i := range 20 {
			l, err := c.Allocate(t.Context(), lease.Request{Scope: localScope, Key: fmt.Sprint(i)})
			if err != nil {
				t.Fatal(err)
			}
			leases = append(leases, l)
		}
		if ids, keys, busy := c.remembers(); ids != 5 || keys != 5 || busy != 0 {
			t.Errorf("%d leases, %d keys, %d busy", ids, keys, busy)
		}
		for _, l := range leases {
			if err := c.Release(t.Context(), l); err != nil {
				t.Error(err)
			}
		}
		if ids, keys, _ := c.remembers(); ids+keys != 0 {
			t.Error("released leases are remembered")
		}
	})
	bubble(t, "what is over goes first", func(t *testing.T) {
		_, c := known(t, granting, ClientConfig{MaxLeases: 3})
		for range 2 {
			c.Allocate(t.Context(), lease.Request{Scope: localScope, Lifetime: lease.Exactly(time.Minute)})
		}
		long := lease.Request{Scope: localScope, Lifetime: lease.Exactly(1000 * time.Hour), Key: "long"}
		l, err := c.Allocate(t.Context(), long)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Hour)
		c.Allocate(t.Context(), lease.Request{Scope: localScope})
		again, err := c.Allocate(t.Context(), long)
		if ids, _, _ := c.remembers(); err != nil || !again.Equal(l) || ids != 2 {
			t.Errorf("%v, %v, %d leases remembered", again, err, ids)
		}
	})
}
