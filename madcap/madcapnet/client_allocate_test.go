// SPDX-License-Identifier: BSD-3-Clause

package madcapnet

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/madcap"
	"github.com/mcastalloc/malloc/scope"
)

var localScope = scope.IPv4Local().ID()

// bubble runs a test in virtual time.
func bubble(t *testing.T, name string, f func(t *testing.T)) {
	t.Run(name, func(t *testing.T) { synctest.Test(t, f) })
}

// wantErr checks the class of an error, and that it wraps no other.
func wantErr(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error %v, want %v", err, want)
	}
	n := 0
	for _, s := range []error{lease.ErrFamily, lease.ErrScope, lease.ErrCount, lease.ErrLifetime, lease.ErrStart, lease.ErrNone, lease.ErrTryLater,
		lease.ErrUnchanged, lease.ErrNotLeased, lease.ErrInUse, lease.ErrSkew, lease.ErrDenied, lease.ErrNoServer, lease.ErrConflict, lease.ErrUnsupported} {
		if errors.Is(err, s) {
			n++
		}
	}
	if n > 1 {
		t.Errorf("LEASE-E-1: %v is %d errors at once", err, n)
	}
}

// TestClientNoServer: nobody is there, or nobody any more.
func TestClientNoServer(t *testing.T) {
	bubble(t, "LEASE-W-6 REQUEST", func(t *testing.T) {
		n, c := known(t, silent, ClientConfig{})
		_, err := c.Allocate(t.Context(), lease.Request{Scope: localScope})
		wantErr(t, err, lease.ErrNoServer)
		n.wantTranscript("+0s REQUEST to 198.51.100.1", "+4s REQUEST to 198.51.100.1", "+12s REQUEST to 198.51.100.1",
			"+28s REQUEST to 198.51.100.1", "+1m0s RELEASE to 198.51.100.1")
	})
	bubble(t, "dies between OFFER and ACK", func(t *testing.T) {
		n, c := knownBy(t, ClientConfig{}, &fakeServer{fakeAt, except(madcap.TypeRequest, silent, granting)})
		_, err := c.Allocate(t.Context(), lease.Request{Scope: localScope})
		wantErr(t, err, lease.ErrNoServer)
		if !strings.HasSuffix(n.transcript(), "+1m4s RELEASE to 198.51.100.1\n") {
			t.Error(n.transcript())
		}
	})
	bubble(t, "MADCAP-D-29 no OFFER, but there are servers", func(t *testing.T) {
		n, c := knownBy(t, ClientConfig{}, &fakeServer{fakeAt, silent})
		_, err := c.Allocate(t.Context(), lease.Request{Scope: localScope})
		wantErr(t, err, lease.ErrNone)
		if n.count(madcap.TypeDiscover) != 4 || n.count(madcap.TypeRelease) != 0 {
			t.Error(n.transcript())
		}
	})
	bubble(t, "no server for the scopes", func(t *testing.T) {
		n := newFakeNet(t)
		c := n.client(ClientConfig{})
		_, err := c.Allocate(t.Context(), lease.Request{Scope: localScope})
		wantErr(t, err, lease.ErrNoServer)
		_, err = c.Scopes(t.Context(), lease.IPv4)
		wantErr(t, err, lease.ErrNoServer)
		if n.count(madcap.TypeDiscover) != 0 || n.sent[0].peer != groupAt {
			t.Error(n.transcript())
		}
	})
	bubble(t, "the socket does not send", func(t *testing.T) {
		n, c := known(t, silent, ClientConfig{})
		n.setFail(errors.New("no route to host"))
		_, err := c.Allocate(t.Context(), lease.Request{Scope: localScope})
		wantErr(t, err, lease.ErrNoServer)
		if !strings.Contains(err.Error(), "no route to host") {
			t.Errorf("%v does not say why", err)
		}
	})
}

// TestClientCancels: a context that ends leaves no lease behind.
func TestClientCancels(t *testing.T) {
	bubble(t, "LEASE-W-6", func(t *testing.T) {
		n, c := known(t, silent, ClientConfig{})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		_, err := c.Allocate(ctx, lease.Request{Scope: localScope})
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(n.begin) != 10*time.Second {
			t.Errorf("error %v after %v", err, time.Since(n.begin))
		}
		time.Sleep(5 * time.Second)
		n.wantTranscript("+0s REQUEST to 198.51.100.1", "+4s REQUEST to 198.51.100.1", "+10s RELEASE to 198.51.100.1", "+14s RELEASE to 198.51.100.1")
		ask, release := n.last(madcap.TypeRequest), n.last(madcap.TypeRelease)
		if string(ask.LeaseIdentifier) != string(release.LeaseIdentifier) {
			t.Error("another identifier is released")
		}
	})
	bubble(t, "LEASE-3.1-18 in the middle of a DISCOVER", func(t *testing.T) {
		n, c := knownBy(t, ClientConfig{}, &fakeServer{fakeAt, silent})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := c.Allocate(ctx, lease.Request{Scope: localScope})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		time.Sleep(time.Hour)
		n.wantTranscript("+0s DISCOVER to 239.255.255.254")
	})
	bubble(t, "together with a lease of no use", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		n, c := known(t, altered(madcap.TypeRequest, func(_, a *madcap.Message) {
			cancel()
			a.StartTime, a.CurrentTime = time.Now().Add(time.Hour).Truncate(time.Second), time.Now().Truncate(time.Second)
		}, granting), ClientConfig{})
		if _, err := c.Allocate(ctx, lease.Request{Scope: localScope}); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		n.wantTranscript("+0s REQUEST to 198.51.100.1", "+0s RELEASE to 198.51.100.1")
	})
	bubble(t, "in the middle of a RELEASE", func(t *testing.T) { // nobody wants the lease, so it is released all the same
		n, c := known(t, silent, ClientConfig{})
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if err := c.Release(ctx, leaseNow()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		time.Sleep(time.Hour)
		n.wantTranscript("+0s RELEASE to 198.51.100.1", "+4s RELEASE to 198.51.100.1", "+12s RELEASE to 198.51.100.1", "+28s RELEASE to 198.51.100.1")
	})
	bubble(t, "in the middle of a RENEW", func(t *testing.T) {
		n, c := known(t, silent, ClientConfig{})
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if _, err := c.ChangeLifetime(ctx, leaseNow(), lease.Window{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		time.Sleep(time.Hour)
		n.wantTranscript("+0s RENEW to 198.51.100.1", "+4s RENEW to 198.51.100.1")
	})
	bubble(t, "before anything is sent", func(t *testing.T) {
		n, c := known(t, granting, ClientConfig{})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		l := lease.Lease{ID: "\x00 a lease", Family: lease.IPv4, Server: fakeAt.Addr()}
		_, err1 := c.Allocate(ctx, lease.Request{Scope: localScope})
		_, err2 := c.ChangeLifetime(ctx, l, lease.Window{})
		_, err3 := c.Scopes(ctx, lease.IPv4)
		_, err4 := c.Resume(ctx, lease.Pending{})
		for _, err := range []error{err1, err2, err3, err4, c.Release(ctx, l)} {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("error %v", err)
			}
		}
		n.wantTranscript()
	})
	bubble(t, "Close", func(t *testing.T) {
		n, c := known(t, silent, ClientConfig{})
		failed := make(chan error)
		go func() {
			_, err := c.Allocate(context.Background(), lease.Request{Scope: localScope})
			failed <- err
		}()
		synctest.Wait()
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		err := <-failed
		wantErr(t, err, lease.ErrNoServer)
		if !errors.Is(err, net.ErrClosed) {
			t.Errorf("error %v, want net.ErrClosed", err)
		}
		n.wantTranscript("+0s REQUEST to 198.51.100.1", "+0s RELEASE to 198.51.100.1")
		_, err = c.Scopes(t.Context(), lease.IPv4)
		wantErr(t, err, lease.ErrNoServer)
		if n.closed {
			t.Error("a connection that was given is closed")
		}
		if !n.expires[len(n.expires)-1].IsZero() {
			t.Error("a read deadline is left on the connection")
		}
		if err := c.Close(); err != nil {
			t.Errorf("second Close: %v", err)
		}
	})
}

// TestClientGrants: what is sent for a request, and what becomes of the answer.
func TestClientGrants(t *testing.T) {
	bubble(t, "discovery", func(t *testing.T) {
		later := altered(madcap.TypeDiscover, func(_, a *madcap.Message) {
			a.StartTime, a.CurrentTime = time.Now().Add(time.Hour).Truncate(time.Second), time.Now().Truncate(time.Second)
		}, granting)
		n, c := knownBy(t, ClientConfig{}, &fakeServer{fakeAt, except(madcap.TypeRequest, silent, later)},
			&fakeServer{otherAt, granting})
		begin := time.Now()
		l, err := c.Allocate(t.Context(), lease.Request{Scope: localScope, Count: lease.Count{Min: 2, Max: 3}, Lifetime: lease.Exactly(time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		n.wantTranscript("+0s DISCOVER to 239.255.255.254", "+4s REQUEST to 239.255.255.254")
		if m := n.last(madcap.TypeRequest); m.ServerIdentifier.Addr != otherAt.Addr() {
			t.Errorf("chose %v", m.ServerIdentifier)
		}
		want := lease.Lease{ID: lease.ID(n.last(madcap.TypeRequest).LeaseIdentifier), Family: lease.IPv4, Scope: localScope,
			Addrs: scope.MustSet("239.255.1.1-239.255.1.3"), Start: begin.Add(4 * time.Second), End: begin.Add(4*time.Second + time.Hour), Server: otherAt.Addr()}
		if !l.Equal(want) {
			t.Errorf("got %#v, want %#v", l, want)
		}
	})
	bubble(t, "LEASE-3.1-1 default scope", func(t *testing.T) { // the first that is listed
		n, c := known(t, granting, ClientConfig{})
		l, err := c.Allocate(t.Context(), lease.Request{Family: lease.IPv4})
		if err != nil || l.Scope != localScope {
			t.Errorf("%v, %v", l, err)
		}
		n.wantTranscript("+0s REQUEST to 198.51.100.1")
	})
	bubble(t, "MADCAP-2.7-1", func(t *testing.T) { // a scope that is not in effect here is not asked for
		n, c := known(t, granting, ClientConfig{ScopesFor: time.Minute})
		_, err := c.Allocate(t.Context(), lease.Request{Scope: scope.IPv4Allocation().ID()})
		wantErr(t, err, lease.ErrScope)
		n.wantTranscript()
		time.Sleep(time.Minute) // what is known gets old
		_, err = c.Allocate(t.Context(), lease.Request{Scope: scope.IPv4Allocation().ID()})
		wantErr(t, err, lease.ErrScope)
		n.wantTranscript("+1m0s GETINFO to 198.51.100.1")
	})
	bubble(t, "another group", func(t *testing.T) { // where servers need not tell of scopes
		n := newFakeNet(t, &fakeServer{fakeAt, except(madcap.TypeGetInfo, silent, granting)})
		c := n.client(ClientConfig{Groups: []netip.Addr{netip.MustParseAddr("239.195.255.254")}})
		if _, err := c.Allocate(t.Context(), lease.Request{Scope: localScope}); err != nil {
			t.Error(err)
		}
		n.wantTranscript("+0s DISCOVER to 239.195.255.254", "+4s REQUEST to 239.195.255.254")
	})
	bubble(t, "LEASE-W-1 RENEW to the right length", func(t *testing.T) {
		slow := altered(madcap.TypeRequest, func(ask, a *madcap.Message) { a.StartTime = a.StartTime.Add(100 * time.Second) }, granting)
		n, c := known(t, slow, ClientConfig{})
		start, end := time.Now().Add(time.Hour), time.Now().Add(2*time.Hour)
		l, err := c.Allocate(t.Context(), lease.Request{Scope: localScope, Start: lease.Window{Min: start, Max: start.Add(time.Hour)}, End: lease.At(end)})
		if err != nil || !l.Start.Equal(start.Add(100*time.Second)) || !l.End.Equal(end) {
			t.Errorf("%v, %v", l, err)
		}
		n.wantTranscript("+0s REQUEST to 198.51.100.1", "+0s RENEW to 198.51.100.1")
		if m := n.last(madcap.TypeRenew); m.LeaseTime.Value != time.Hour-100*time.Second || !m.StartTime.Equal(start.Add(100*time.Second)) {
			t.Errorf("RENEW %+v", m)
		}
	})
	bubble(t, "LEASE-W-1 not at a whole second", func(t *testing.T) { // asked for a little longer, told the right end
		n, c := known(t, granting, ClientConfig{})
		end := time.Now().Add(time.Hour + time.Second/2)
		l, err := c.Allocate(t.Context(), lease.Request{Scope: localScope, End: lease.At(end)})
		if err != nil || !l.End.Equal(end) || n.last(madcap.TypeRequest).LeaseTime.Value != time.Hour+time.Second {
			t.Errorf("%v, %v", l, err)
		}
	})
	bubble(t, "LEASE-3.1-3 longer than asked", func(t *testing.T) { // the caller gets what he wanted
		n, c := known(t, altered(madcap.TypeRequest, func(_, a *madcap.Message) { a.LeaseTime = madcap.Some(5 * time.Hour) }, granting), ClientConfig{})
		l, err := c.Allocate(t.Context(), lease.Request{Scope: localScope, Lifetime: lease.Exactly(time.Hour)})
		if err != nil || l.End.Sub(l.Start) != time.Hour {
			t.Errorf("%v, %v", l, err)
		}
		n.wantTranscript("+0s REQUEST to 198.51.100.1")
	})
	bubble(t, "MADCAP-D-10", func(t *testing.T) { // a server of another kind of address
		_, c := known(t, altered(madcap.TypeRequest, func(_, a *madcap.Message) {
			a.ServerIdentifier = madcap.ServerIdentifier{Family: 16389, Opaque: []byte("server")}
		}, granting), ClientConfig{})
		if l, err := c.Allocate(t.Context(), lease.Request{Scope: localScope}); err != nil || l.Server != fakeAt.Addr() {
			t.Errorf("%v by %v, %v", l, l.Server, err)
		}
	})
	bubble(t, "LEASE-W-1 no right length", func(t *testing.T) {
		slow := altered(madcap.TypeRequest, func(ask, a *madcap.Message) { a.StartTime = a.StartTime.Add(100 * time.Second) },
			except(madcap.TypeRenew, refusing(madcap.NotCompleted(madcap.OptLeaseTime)), granting))
		n, c := known(t, slow, ClientConfig{})
		start, end := time.Now().Add(time.Hour), time.Now().Add(2*time.Hour)
		l, err := c.Allocate(t.Context(), lease.Request{Scope: localScope, Start: lease.Window{Min: start, Max: start.Add(time.Hour)}, End: lease.At(end)})
		wantErr(t, err, lease.ErrNone)
		if !l.Equal(lease.Lease{}) {
			t.Errorf("a lease with an error: %v", l)
		}
		n.wantTranscript("+0s REQUEST to 198.51.100.1", "+0s RENEW to 198.51.100.1", "+0s RELEASE to 198.51.100.1")
	})
	for name, v := range map[string]struct {
		start  func(time.Time) lease.Window
		change func(now time.Time, a *madcap.Message)
	}{
		"LEASE-W-3 later than now":       {func(time.Time) lease.Window { return lease.Window{} }, func(now time.Time, a *madcap.Message) { a.StartTime, a.CurrentTime = now.Add(time.Hour), now }},
		"LEASE-W-3 at once, asked later": {func(now time.Time) lease.Window { return lease.NotBefore(now.Add(time.Hour)) }, func(now time.Time, a *madcap.Message) { a.StartTime, a.CurrentTime = time.Time{}, time.Time{} }},
		"LEASE-W-3 earlier than asked":   {func(now time.Time) lease.Window { return lease.NotBefore(now.Add(time.Hour)) }, func(now time.Time, a *madcap.Message) { a.StartTime = now.Add(time.Minute) }},
		"over already":                   {func(time.Time) lease.Window { return lease.Window{} }, func(now time.Time, a *madcap.Message) { a.StartTime, a.CurrentTime = now.Add(-time.Hour), now }},
	} {
		bubble(t, name, func(t *testing.T) {
			n, c := known(t, altered(madcap.TypeRequest, func(_, a *madcap.Message) { v.change(time.Now().Truncate(time.Second), a) }, granting), ClientConfig{})
			_, err := c.Allocate(t.Context(), lease.Request{Scope: localScope, Start: v.start(time.Now()), End: lease.Window{}, Lifetime: lease.Exactly(time.Hour)})
			wantErr(t, err, lease.ErrNone)
			n.wantTranscript("+0s REQUEST to 198.51.100.1", "+0s RELEASE to 198.51.100.1")
		})
	}
	bubble(t, "begun by the server's clock", func(t *testing.T) { // Start Time, but not after Current Time
		n, c := known(t, altered(madcap.TypeRequest, func(_, a *madcap.Message) {
			a.StartTime = time.Now().Add(20 * time.Second).Truncate(time.Second)
			a.CurrentTime = a.StartTime
		}, granting), ClientConfig{})
		if _, err := c.Allocate(t.Context(), lease.Request{Scope: localScope}); err != nil {
			t.Errorf("error %v", err)
		}
		n.wantTranscript("+0s REQUEST to 198.51.100.1")
	})
	bubble(t, "LEASE-W-4", func(t *testing.T) {
		n, c := known(t, granting, ClientConfig{})
		if _, err := c.Allocate(t.Context(), lease.Request{Scope: localScope, Count: lease.Count{Min: 1, Max: 1 << 20}, Lifetime: lease.AtMost(250 * 365 * 24 * time.Hour)}); err != nil {
			t.Error(err)
		}
		m := n.last(madcap.TypeRequest)
		if m.Addresses != (madcap.NumberOfAddresses{Min: 1, Desired: 65535}) || m.LeaseTime.Value != maxLength {
			t.Errorf("sent %+v", m)
		}
		_, err := c.Allocate(t.Context(), lease.Request{Scope: localScope, Count: lease.Count{Min: 65536}})
		wantErr(t, err, lease.ErrCount)
	})
	bubble(t, "LEASE-W-10", func(t *testing.T) { // more than a block says, more than a datagram holds
		n, c := known(t, granting, ClientConfig{})
		wide := scope.IPv4OrganizationLocal()
		set, _ := scope.SetOf(wide.Range)
		c.Allocate(t.Context(), lease.Request{Scope: wide.ID(), Addrs: set})
		m := n.last(madcap.TypeRequest)
		sum := scope.Uint128{}
		for _, r := range m.Ranges.Value {
			sum = sum.Add(r.Size())
		}
		if sum != set.Size() || len(m.Ranges.Value) != 5 || m.Addresses != (madcap.NumberOfAddresses{Min: 1, Desired: 1}) {
			t.Errorf("%d blocks of %v addresses, %+v asked for", len(m.Ranges.Value), sum, m.Addresses)
		}
		n.forget()
		var b scope.SetBuilder
		for i := range 12000 {
			a, _ := wide.Range.At(scope.U128(uint64(2 * i)))
			b.Add(scope.Single(a))
		}
		set, _ = b.Set()
		_, err := c.Allocate(t.Context(), lease.Request{Scope: wide.ID(), Addrs: set})
		wantErr(t, err, lease.ErrCount)
		n.wantTranscript()
	})
	bubble(t, "LEASE-U-7", func(t *testing.T) { // cannot be said
		n, c := known(t, granting, ClientConfig{})
		pair := [2]scope.Range{scope.MustRange("239.255.1.0", "239.255.1.9"), scope.MustRange("239.255.2.0", "239.255.2.9")}
		_, err := c.Allocate(t.Context(), lease.Request{Scope: localScope, Pair: pair})
		wantErr(t, err, lease.ErrUnsupported)
		n.wantTranscript()
	})
	bubble(t, "LEASE-W-12", func(t *testing.T) {
		n, c := known(t, except(madcap.TypeRequest, refusing(madcap.NotCompleted(madcap.NoOption)), granting), ClientConfig{})
		_, err := c.Allocate(t.Context(), lease.Request{Scope: localScope})
		wantErr(t, err, lease.ErrNone)
		time.Sleep(time.Hour)
		n.wantTranscript("+0s REQUEST to 198.51.100.1")
	})
	for _, key := range []string{"", "key"} { // silence: on to the next server, unless the identifier cannot change
		bubble(t, "MADCAP-D-35 key="+key, func(t *testing.T) {
			n := newFakeNet(t, &fakeServer{fakeAt, except(madcap.TypeRequest, silent, granting)}, &fakeServer{otherAt, granting})
			c := n.client(ClientConfig{Secure: true})
			l, err := c.Allocate(t.Context(), lease.Request{Scope: localScope, Key: key})
			if key != "" {
				wantErr(t, err, lease.ErrNoServer)
			} else if err != nil || l.Server != otherAt.Addr() {
				t.Errorf("%v, %v", l, err)
			}
		})
	}
	bubble(t, "LEASE-W-9", func(t *testing.T) { // by GETINFO, then by unicast, one server after the other
		n := newFakeNet(t, &fakeServer{fakeAt, except(madcap.TypeRequest, refusing(madcap.NotCompleted(madcap.NoOption)), granting)}, &fakeServer{otherAt, granting})
		c := n.client(ClientConfig{Secure: true})
		l, err := c.Allocate(t.Context(), lease.Request{Scope: localScope})
		if err != nil || l.Server != otherAt.Addr() {
			t.Errorf("%v, %v", l, err)
		}
		n.wantTranscript("+0s GETINFO to 239.255.255.254", "+4s REQUEST to 198.51.100.1", "+4s REQUEST to 198.51.100.2")
		if string(n.sent[1].msg.LeaseIdentifier) == string(n.sent[2].msg.LeaseIdentifier) {
			t.Error("MADCAP-D-35: the same identifier at two servers")
		}
	})
}
