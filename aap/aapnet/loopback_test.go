// SPDX-License-Identifier: BSD-3-Clause

package aapnet

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/aap"
	"github.com/mcastalloc/malloc/scope"
)

// TestLoopback: AAP-2-1, AAP-3.2.1-1, AAP-D-14. On real sockets two servers of
// one host, with source ports of their own, hear each other and not themselves.
func TestLoopback(t *testing.T) {
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		t.Skip("no interface lo:", err)
	}
	for _, s := range []scope.Scope{local, scope.IPv6(3)} {
		t.Run(s.Range.First().String(), func(t *testing.T) {
			r := transient(s.Range)
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			cfg := MAASConfig{
				Machine: aap.MAASConfig{Scope: r, MaxPool: -1, Timing: aap.Timing{
					StartupWait: time.Millisecond, AnnounceWait: 40 * time.Millisecond, ResendWait: 10 * time.Millisecond, RepeatInterval: 20 * time.Millisecond,
				}},
				Network: Network{Interfaces: []net.Interface{*lo}, SourcePort: -1},
			}
			heard := make(chan struct{})
			var servers [2]*MAAS
			for i := range servers {
				s, err := NewMAAS(cfg)
				if err != nil {
					t.Skip("no multicast on loopback:", err)
				}
				servers[i] = s
				run(t, s)
				if err := s.conn.send(s.cfg.Machine.Group, []byte{0}); err != nil {
					t.Skip("no multicast on loopback:", err)
				}
			}
			first, _ := r.At(scope.U128(300))
			want, _ := scope.SetOf(scope.Single(first))
			end := time.Now().Add(time.Hour)
			if _, err := servers[0].Claim(ctx, aap.Want{Token: 1, Addrs: want, End: end}); err != nil {
				t.Fatal(err)
			}
			go func() {
				for servers[1].Stats().Received[aap.AIU] == 0 && ctx.Err() == nil {
					_, _ = servers[0].Claim(ctx, aap.Want{Token: 2, Count: 1, End: end}) // takes a moment
					_ = servers[0].Release(2)
				}
				close(heard)
			}()
			<-heard
			if servers[1].Stats().Received[aap.AIU] == 0 {
				t.Skip("this system loops no multicast back on lo")
			}
			if _, err := servers[1].Claim(ctx, aap.Want{Token: 1, Addrs: want, End: end}); err == nil {
				t.Error("both have the address")
			}
			if st := servers[0].Stats(); st.Conflicts > 0 {
				t.Errorf("it has a conflict with itself: %+v", st)
			}
		})
	}
}

// TestOpen: what cannot be opened is told.
func TestOpen(t *testing.T) {
	for name, cfg := range map[string]MAASConfig{
		"no scope":     {},
		"no interface": {Machine: aap.MAASConfig{Scope: local.Range}, Network: Network{Interfaces: []net.Interface{{Index: 1 << 30, Name: "none"}}}},
		"port":         {Machine: aap.MAASConfig{Scope: local.Range}, Network: Network{SourcePort: 1 << 20}},
	} {
		if _, err := NewMAAS(cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := NewAllocator(t.Context(), AllocatorConfig{}); err == nil {
		t.Error("an allocator without scopes")
	}
	if _, err := NewCoordinator(CoordinatorConfig{}); err == nil {
		t.Error("a coordinator without a scope")
	}
}
