// SPDX-License-Identifier: BSD-3-Clause

package madcapnet

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/madcap"
	"github.com/mcastalloc/malloc/scope"
)

// leaseNow is a lease of an earlier run that began a minute ago, leaseLater one
// that begins in an hour. Both end in two hours.
func leaseNow() lease.Lease {
	l := leaseLater()
	l.Start = time.Now().Add(-time.Minute)
	return l
}

func leaseLater() lease.Lease {
	return lease.Lease{ID: "\x00 a known lease ", Family: lease.IPv4, Scope: localScope, Addrs: scope.MustSet("239.255.1.1"),
		Start: time.Now().Add(time.Hour), End: time.Now().Add(2 * time.Hour), Server: fakeAt.Addr()}
}

// TestClientRenews: what a RENEW must repeat, and what it must not.
func TestClientRenews(t *testing.T) {
	const m, h = time.Minute, time.Hour
	in := func(d time.Duration) time.Time { return time.Now().Add(d) }
	for _, v := range []struct {
		name     string
		lease    func() lease.Lease
		change   func(c *Client, l lease.Lease) (lease.Lease, error)
		startIn  time.Duration // options 6 and 15, 0: none
		maxIn    time.Duration
		length   time.Duration
		shortest time.Duration
		wantIn   [2]time.Duration // the lease afterwards
	}{
		{"LEASE-W-2 longer, begun", leaseNow, func(c *Client, l lease.Lease) (lease.Lease, error) {
			return c.ChangeLifetime(context.Background(), l, lease.Window{Min: in(3 * h), Max: in(4 * h)})
		}, 0, 0, 4 * h, 3 * h, [2]time.Duration{-m, 4 * h}},
		{"LEASE-W-2 shorter, begun", leaseNow, func(c *Client, l lease.Lease) (lease.Lease, error) {
			return c.ChangeLifetime(context.Background(), l, lease.At(in(m)))
		}, 0, 0, m, m, [2]time.Duration{-m, m}},
		{"LEASE-W-2 no wish, begun", leaseNow, func(c *Client, l lease.Lease) (lease.Lease, error) {
			return c.ChangeLifetime(context.Background(), l, lease.Window{})
		}, 0, 0, 0, 0, [2]time.Duration{-m, h}},
		{"LEASE-W-2 longer, not begun", leaseLater, func(c *Client, l lease.Lease) (lease.Lease, error) {
			return c.ChangeLifetime(context.Background(), l, lease.At(in(5*h)))
		}, h, h, 4 * h, 4 * h, [2]time.Duration{h, 5 * h}},
		{"LEASE-W-2 earlier start", leaseLater, func(c *Client, l lease.Lease) (lease.Lease, error) {
			return c.ChangeStart(context.Background(), l, lease.At(in(30*m)))
		}, 30 * m, 30 * m, 90 * m, 90 * m, [2]time.Duration{30 * m, 2 * h}},
		{"LEASE-W-2 some later start", leaseLater, func(c *Client, l lease.Lease) (lease.Lease, error) {
			return c.ChangeStart(context.Background(), l, lease.Window{Min: in(70 * m), Max: in(80 * m)})
		}, 70 * m, 80 * m, 50 * m, 40 * m, [2]time.Duration{70 * m, 2 * h}},
		{"LEASE-W-2 both", leaseLater, func(c *Client, l lease.Lease) (lease.Lease, error) {
			return c.Change(context.Background(), l, lease.Terms{Start: lease.At(in(3 * h)), Lifetime: lease.Between(m, h)})
		}, 3 * h, 3 * h, h, m, [2]time.Duration{3 * h, 4 * h}},
		{"LEASE-W-2 as soon as possible", leaseLater, func(c *Client, l lease.Lease) (lease.Lease, error) {
			return c.Change(context.Background(), l, lease.Terms{Lifetime: lease.Exactly(5 * m)})
		}, 0, 0, 5 * m, 5 * m, [2]time.Duration{0, 5 * m}},
		{"both, begun", leaseNow, func(c *Client, l lease.Lease) (lease.Lease, error) { // the start stays, the length counts from now
			return c.Change(context.Background(), l, lease.Terms{Start: lease.At(in(h)), Lifetime: lease.Exactly(5 * m)})
		}, 0, 0, 5 * m, 5 * m, [2]time.Duration{-m, 5 * m}},
		{"LEASE-3.10-9", leaseNow, func(c *Client, l lease.Lease) (lease.Lease, error) { // the end stays, too
			return c.ChangeStart(context.Background(), l, lease.Window{Min: in(-2 * m), Max: in(m)})
		}, 0, 0, 2 * h, 2 * h, [2]time.Duration{-m, 2 * h}},
	} {
		bubble(t, v.name, func(t *testing.T) {
			n, c := known(t, granting, ClientConfig{})
			now, l := time.Now(), v.lease()
			got, err := v.change(c, l)
			if err != nil {
				t.Fatal(err)
			}
			n.wantTranscript("+0s RENEW to 198.51.100.1")
			m := n.last(madcap.TypeRenew)
			start, last := in(v.startIn), in(v.maxIn)
			if v.startIn == 0 {
				start = time.Time{}
			}
			if v.maxIn == 0 {
				last = time.Time{}
			}
			if !m.StartTime.Equal(start) || !m.MaxStartTime.Equal(last) || m.LeaseTime.Value != v.length || m.MinLeaseTime.Value != v.shortest || string(m.LeaseIdentifier) != string(l.ID) {
				t.Errorf("sent start %v to %v, length %v, at least %v", m.StartTime.Sub(now), m.MaxStartTime.Sub(now), m.LeaseTime, m.MinLeaseTime)
			}
			want := l
			want.Start, want.End = now.Add(v.wantIn[0]), now.Add(v.wantIn[1])
			if !got.Equal(want) {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

// TestClientRenewsLater: "as soon as possible" may be later than now.
func TestClientRenewsLater(t *testing.T) {
	bubble(t, "LEASE-W-2", func(t *testing.T) {
		start := time.Now().Add(10 * time.Minute)
		n, c := known(t, altered(madcap.TypeRenew, func(_, a *madcap.Message) {
			a.StartTime, a.CurrentTime = start, time.Now().Truncate(time.Second)
		}, granting), ClientConfig{})
		l, err := c.Change(t.Context(), leaseLater(), lease.Terms{Lifetime: lease.Exactly(time.Minute)})
		if err != nil || !l.Start.Equal(start) || !l.End.Equal(start.Add(time.Minute)) {
			t.Errorf("%v, %v", l, err)
		}
		n.wantTranscript("+0s RENEW to 198.51.100.1")
	})
}

// TestClientRenewsFails: the errors of changes, and what is sent for them.
func TestClientRenewsFails(t *testing.T) {
	in := func(d time.Duration) time.Time { return time.Now().Add(d) }
	refused := except(madcap.TypeRenew, refusing(madcap.NotCompleted(madcap.OptLeaseTime)), granting)
	for _, v := range []struct {
		name   string
		script func(*madcap.Message) *madcap.Message
		lease  func() lease.Lease
		change func(c *Client, l lease.Lease) (lease.Lease, error)
		want   error
		sent   int
	}{
		{"LEASE-3.2-5", refused, leaseNow, func(c *Client, l lease.Lease) (lease.Lease, error) {
			return c.ChangeLifetime(context.Background(), l, lease.NotBefore(in(3*time.Hour)))
		}, lease.ErrUnchanged, 1},
		{"LEASE-3.2-5 acceptable as it is", refused, leaseNow, func(c *Client, l lease.Lease) (lease.Lease, error) {
			return c.ChangeLifetime(context.Background(), l, lease.NotBefore(in(time.Hour)))
		}, nil, 1},
		{"LEASE-3.10-8 acceptable as it is", refused, leaseLater, func(c *Client, l lease.Lease) (lease.Lease, error) {
			return c.ChangeStart(context.Background(), l, lease.NotAfter(in(90*time.Minute)))
		}, nil, 1},
		{"LEASE-3.10-8", refused, leaseLater, func(c *Client, l lease.Lease) (lease.Lease, error) {
			return c.ChangeStart(context.Background(), l, lease.NotAfter(in(30*time.Minute)))
		}, lease.ErrUnchanged, 1},
		{"LEASE-3.10-9 begun", granting, leaseNow, func(c *Client, l lease.Lease) (lease.Lease, error) {
			return c.ChangeStart(context.Background(), l, lease.NotBefore(in(time.Minute)))
		}, lease.ErrUnchanged, 0},
		{"LEASE-3.10-3 begun", granting, leaseNow, func(c *Client, l lease.Lease) (lease.Lease, error) {
			return c.ChangeStart(context.Background(), l, lease.Window{Min: in(time.Minute), Max: in(-time.Minute)})
		}, lease.ErrStart, 0},
		{"LEASE-3.10-8 over", granting, func() lease.Lease { l := leaseNow(); l.End = in(-time.Second); return l }, func(c *Client, l lease.Lease) (lease.Lease, error) {
			return c.ChangeStart(context.Background(), l, lease.Window{})
		}, lease.ErrNotLeased, 0},
		{"LEASE-3.2-4", granting, leaseLater, func(c *Client, l lease.Lease) (lease.Lease, error) {
			return c.ChangeLifetime(context.Background(), l, lease.NotAfter(l.Start))
		}, lease.ErrLifetime, 0},
		{"LEASE-3.2-3", granting, func() lease.Lease { l := leaseNow(); l.Family = 3; return l }, func(c *Client, l lease.Lease) (lease.Lease, error) {
			return c.ChangeLifetime(context.Background(), l, lease.Window{})
		}, lease.ErrFamily, 0},
		{"other addresses", altered(madcap.TypeRenew, func(_, a *madcap.Message) {
			a.Ranges = madcap.Some([]scope.Range{scope.MustRange("239.255.1.2", "239.255.1.2")})
		}, granting), leaseNow, func(c *Client, l lease.Lease) (lease.Lease, error) {
			return c.ChangeLifetime(context.Background(), l, lease.Window{})
		}, lease.ErrConflict, 1},
		{"no server known", granting, func() lease.Lease { l := leaseNow(); l.Server = otherAt.Addr(); return l }, func(c *Client, l lease.Lease) (lease.Lease, error) {
			return c.ChangeLifetime(context.Background(), l, lease.Window{})
		}, lease.ErrNoServer, 4},
		{"LEASE-W-7 another server", altered(madcap.TypeRenew, func(_, a *madcap.Message) {
			*a = *refusing(madcap.ErrorOption{Code: madcap.CodeLeaseUnknown})(nil)
			a.ServerIdentifier = madcap.ServerIdentifierOf(otherAt.Addr())
		}, granting), leaseNow, func(c *Client, l lease.Lease) (lease.Lease, error) {
			return c.ChangeLifetime(context.Background(), l, lease.Window{})
		}, lease.ErrNoServer, 1},
		{"LEASE-W-7 the granting server", except(madcap.TypeRenew, refusing(madcap.ErrorOption{Code: madcap.CodeLeaseUnknown}), granting), leaseNow, func(c *Client, l lease.Lease) (lease.Lease, error) {
			return c.ChangeLifetime(context.Background(), l, lease.Window{})
		}, lease.ErrNotLeased, 1},
	} {
		bubble(t, v.name, func(t *testing.T) {
			n, c := known(t, v.script, ClientConfig{})
			l := v.lease()
			got, err := v.change(c, l)
			if v.want == nil {
				if err != nil || !got.Equal(l) {
					t.Errorf("%v, %v, want %v as it is", got, err, l)
				}
			} else {
				wantErr(t, err, v.want)
				if !got.Equal(lease.Lease{}) {
					t.Errorf("a lease with an error: %v", got)
				}
			}
			if sent := n.count(madcap.TypeRenew); sent != v.sent {
				t.Errorf("%d sent:\n%s", sent, n.transcript())
			}
		})
	}
}

// TestClientReleases: RELEASE goes to who granted the lease.
func TestClientReleases(t *testing.T) {
	bubble(t, "by the lease alone", func(t *testing.T) {
		n, c := knownBy(t, ClientConfig{}, &fakeServer{fakeAt, granting}, &fakeServer{otherAt, granting})
		l := leaseNow()
		l.Server = otherAt.Addr()
		if err := c.Release(t.Context(), l); err != nil {
			t.Error(err)
		}
		n.wantTranscript("+0s RELEASE to 198.51.100.2")
	})
	bubble(t, "where it answered from", func(t *testing.T) { // not where its identifier points
		n, c := known(t, altered(madcap.TypeRequest, func(_, a *madcap.Message) {
			a.ServerIdentifier = madcap.ServerIdentifierOf(otherAt.Addr())
		}, granting), ClientConfig{})
		l, err := c.Allocate(t.Context(), lease.Request{Scope: localScope})
		if err != nil || l.Server != otherAt.Addr() {
			t.Fatalf("%v, %v", l, err)
		}
		if err := c.Release(t.Context(), l); err != nil {
			t.Error(err)
		}
		n.wantTranscript("+0s REQUEST to 198.51.100.1", "+0s RELEASE to 198.51.100.1")
	})
	bubble(t, "no server", func(t *testing.T) {
		n, c := knownBy(t, ClientConfig{}, &fakeServer{fakeAt, granting})
		l := leaseNow()
		l.Server = scope.ID{}
		wantErr(t, c.Release(t.Context(), l), lease.ErrNotLeased)
		n.wantTranscript()
	})
	bubble(t, "no answer", func(t *testing.T) {
		n, c := known(t, silent, ClientConfig{})
		wantErr(t, c.Release(t.Context(), leaseNow()), lease.ErrNoServer)
		if n.count(madcap.TypeRelease) != 4 {
			t.Error(n.transcript())
		}
	})
}

// TestClientMobility: if the server of a lease has gone, another one that can
// is asked.
func TestClientMobility(t *testing.T) {
	features := func(fs ...madcap.Feature) func(*madcap.Message) *madcap.Message {
		return altered(madcap.TypeGetInfo, func(_, a *madcap.Message) {
			a.ScopeList = madcap.Opt[[]madcap.Zone]{}
			a.Features = madcap.Some(madcap.FeatureList{Supported: fs})
		}, granting)
	}
	bubble(t, "MADCAP-2.13.1-3", func(t *testing.T) {
		third := fakeAt
		third = addPort(third, 3)
		n, c := knownBy(t, ClientConfig{Mobility: true}, &fakeServer{fakeAt, silent},
			&fakeServer{otherAt, features(madcap.RetryAfter)}, &fakeServer{third, features(madcap.ServerMobility)})
		got, err := c.ChangeLifetime(t.Context(), leaseNow(), lease.Window{})
		if err != nil || got.Server != third.Addr() {
			t.Errorf("%v, %v", got, err)
		}
		n.wantTranscript("+0s RENEW to 198.51.100.1", "+4s RENEW to 198.51.100.1", "+12s RENEW to 198.51.100.1", "+28s RENEW to 198.51.100.1",
			"+1m0s GETINFO to 239.255.255.254", "+1m4s RENEW to 198.51.100.3")
		if m := n.last(madcap.TypeRenew); !slices.Contains(m.Features.Value.Required, madcap.ServerMobility) {
			t.Errorf("sent %+v", m)
		}
	})
	bubble(t, "MADCAP-2.13.1-4", func(t *testing.T) { // nobody else can: not asked twice
		n, c := knownBy(t, ClientConfig{Mobility: true}, &fakeServer{fakeAt, except(madcap.TypeRenew, silent, features(madcap.ServerMobility))})
		_, err := c.ChangeLifetime(t.Context(), leaseNow(), lease.Window{})
		wantErr(t, err, lease.ErrNoServer)
		if n.count(madcap.TypeRenew) != 4 || n.count(madcap.TypeGetInfo) != 1 {
			t.Error(n.transcript())
		}
	})
	bubble(t, "MADCAP-2.13.1-1", func(t *testing.T) {
		n, c := known(t, granting, ClientConfig{Mobility: true})
		if _, err := c.Allocate(t.Context(), lease.Request{Scope: localScope}); err != nil {
			t.Error(err)
		}
		if m := n.last(madcap.TypeRequest); !slices.Contains(m.Features.Value.Required, madcap.ServerMobility) {
			t.Errorf("sent %+v", m)
		}
	})
	bubble(t, "MADCAP-2.2.7-8", func(t *testing.T) { // without it nobody else is asked
		n, c := knownBy(t, ClientConfig{}, &fakeServer{fakeAt, silent}, &fakeServer{otherAt, features(madcap.ServerMobility)})
		_, err := c.ChangeLifetime(t.Context(), leaseNow(), lease.Window{})
		wantErr(t, err, lease.ErrNoServer)
		if n.count(madcap.TypeGetInfo) != 0 || n.count(madcap.TypeRenew) != 4 {
			t.Error(n.transcript())
		}
	})
}
