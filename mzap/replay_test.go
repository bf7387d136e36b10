// SPDX-License-Identifier: BSD-3-Clause

package mzap_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mcastalloc/malloc/mzap"
	"github.com/mcastalloc/malloc/mzap/mzaptest"
	"github.com/mcastalloc/malloc/scope"
	"pgregory.net/rapid"
)

// step is one call of a random history of a router.
type step struct {
	after  time.Duration
	packet mzap.Packet // no payload: Advance
}

// history draws calls that touch all parts of a router: messages about a few
// scopes by a few routers, now and then garbage, and waits of all lengths.
func history(rnd *rand.Rand, n int) (out []step) {
	scopes := []scope.Scope{scopeX, scopeY, localScope, mzaptestScope("Z", "239.130.128.0", "239.131.0.0")}
	for range n {
		s := step{after: time.Duration(rnd.Int64N(int64(time.Second)))}
		if rnd.IntN(3) == 0 {
			s.after = time.Duration(rnd.Int64N(int64(20 * time.Minute)))
		}
		if rnd.IntN(4) > 0 {
			m := zam(scopes[rnd.IntN(len(scopes))], "10.0.1.9")
			in := 1 + rnd.IntN(5)
			m.Type = mzap.Type(rnd.IntN(4))
			m.Origin = netip.AddrFrom4([4]byte{10, byte(rnd.IntN(7)), 0, byte(1 + rnd.IntN(5))})
			m.ZoneID = netip.AddrFrom4([4]byte{10, 0, 1, byte(1 + rnd.IntN(2))})
			m.HoldTime = time.Duration(rnd.IntN(4)*900) * time.Second
			m.Limit = uint8(rnd.IntN(4))
			switch m.Type {
			case mzap.ZCM:
				m.Limit, m.LocalZone, m.Routers = 0, netip.Addr{}, []netip.Addr{netip.AddrFrom4([4]byte{10, byte(rnd.IntN(7)), 0, byte(1 + rnd.IntN(5))})}
			case mzap.NIM:
				m.Limit, m.LocalZone, m.HoldTime, m.NotInside = 0, netip.Addr{}, 0, addr("239.150.0.0")
			}
			b, err := m.AppendBinary(nil)
			if err != nil {
				panic(err)
			}
			s.packet = mzap.Packet{Interface: in, Authenticated: rnd.IntN(3) == 0, Payload: b}
		}
		out = append(out, s)
	}
	return out
}

// do performs a step and returns what came of it in words.
func do(r *mzap.Router, now time.Time, s step) string {
	if s.packet.Payload == nil {
		r.Advance(now)
	} else if err := r.Receive(now, s.packet); err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%+v", slices.Collect(r.Effects()))
}

// TestReplay: the same calls have the same effects, and a router that is
// restarted from its snapshot, through JSON, goes on as if nothing had been.
// MALLOC_SEEDS=1000 replays more histories.
func TestReplay(t *testing.T) {
	for seed := range seeds(5) {
		steps := history(rand.New(rand.NewPCG(seed, 9)), 300)
		random := func() *rand.PCG { return rand.NewPCG(seed, 10) }
		sources := [3]*rand.PCG{random(), random(), random()}
		var routers [3]*mzap.Router
		build := func(i int, now time.Time) {
			cfg := rigConfig()
			cfg.Rand = rand.New(sources[i])
			r, err := mzap.NewRouter(cfg, now)
			if err != nil {
				t.Fatal(err)
			}
			routers[i] = r
			for range r.Effects() {
			}
		}
		now := epoch
		for i := range routers {
			build(i, now)
		}
		for i, s := range steps {
			now = now.Add(s.after)
			// The third router restarts before every step.
			saved := routers[2].Snapshot(now)
			loaded := saved
			if i%16 == 0 {
				loaded = throughJSON(t, saved)
			}
			state, err := sources[2].MarshalBinary()
			if err != nil {
				t.Fatal(err)
			}
			build(2, now)
			routers[2].Restore(loaded)
			for range routers[2].Effects() { // joins
			}
			if err := sources[2].UnmarshalBinary(state); err != nil {
				t.Fatal(err)
			}
			if i%16 == 0 {
				if d := cmp.Diff(saved, routers[2].Snapshot(now), sameMessage); d != "" {
					t.Fatalf("seed %d, step %d: the snapshot changed (-saved +restored):\n%s", seed, i, d)
				}
			}
			first := do(routers[0], now, s)
			if again := do(routers[1], now, s); again != first {
				t.Fatalf("seed %d, step %d: first\n%s\nthen\n%s", seed, i, first, again)
			}
			if restarted := do(routers[2], now, s); restarted != first {
				t.Fatalf("seed %d, step %d: without restart\n%s\nwith\n%s", seed, i, first, restarted)
			}
		}
	}
}

// throughJSON writes a snapshot as JSON and reads it back.
func throughJSON(t *testing.T, s mzap.RouterSnapshot) (loaded mzap.RouterSnapshot) {
	t.Helper()
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &loaded); err != nil {
		t.Fatal(err)
	}
	return loaded
}

// TestListenerReplay does the same for a listener.
func TestListenerReplay(t *testing.T) {
	for seed := range seeds(20) {
		now := epoch
		plain, restarted := newEar(t, mzap.ListenerConfig{}).l, newEar(t, mzap.ListenerConfig{}).l
		for i, s := range history(rand.New(rand.NewPCG(seed, 9)), 200) {
			now = now.Add(s.after)
			saved := restarted.Snapshot(now)
			restarted = newEar(t, mzap.ListenerConfig{}).l
			restarted.Restore(saved)
			for _, l := range []*mzap.Listener{plain, restarted} {
				if s.packet.Payload == nil {
					l.Advance(now)
				} else if err := l.Receive(now, s.packet); err != nil {
					t.Fatal(err)
				}
			}
			a, b := fmt.Sprintf("%+v", plain.Snapshot(now)), fmt.Sprintf("%+v", restarted.Snapshot(now))
			if a != b {
				t.Fatalf("seed %d, step %d: without restart\n%s\nwith\n%s", seed, i, a, b)
			}
			a, b = fmt.Sprint(plain.Nesting(now)), fmt.Sprint(restarted.Nesting(now))
			if a != b {
				t.Fatalf("seed %d, step %d: nesting %s, after a restart %s", seed, i, a, b)
			}
		}
	}
}

// TestRestartElsewhere: what is no longer configured is left out, and a pending
// ZLE keeps its group.
func TestRestartElsewhere(t *testing.T) {
	g := newRig(t)
	g.receive(1, zam(scopeY, "10.0.1.9"))
	g.receive(1, zcm(scopeX, "10.0.2.9"))
	g.receive(3, zcm(localScope, "10.3.0.9"))
	g.receive(1, exceeding(mzaptestScope("Z", "239.150.0.0", "239.150.0.255"), "10.0.1.9"))
	saved := g.r.Snapshot(g.now)
	cfg := rigConfig()
	cfg.Scopes = []mzap.Boundary{{Scope: localScope, Interfaces: []int{5}}, {Scope: scopeY, Interfaces: []int{5}}}
	r, err := mzap.NewRouter(cfg, g.now)
	if err != nil {
		t.Fatal(err)
	}
	for range r.Effects() {
	}
	r.Restore(saved)
	s := r.Snapshot(g.now)
	if len(s.NotInside) != 1 || len(s.Neighbours) != 0 || len(s.Zones[1].Routers) != 0 || len(s.PendingZLE) == 0 {
		t.Errorf("restored %+v", s)
	}
	if j := ofType[mzap.Join](slices.Collect(r.Effects())); len(j) != 1 || j[0].Group != addr("239.150.0.252") {
		t.Errorf("joined %v", j)
	}
}

// TestLimits: whatever is thrown at them, a router and a listener keep no more
// than they are told to, and the entry that expires soonest goes first.
func TestLimits(t *testing.T) {
	cfg := rigConfig()
	cfg.Limits = mzap.RouterLimits{Routers: 3, NotInside: 4, Duplicates: 5}
	cfg.Rand = rand.New(rand.NewPCG(1, 1))
	rapid.Check(t, func(t *rapid.T) {
		r, err := mzap.NewRouter(cfg, epoch)
		if err != nil {
			t.Fatal(err)
		}
		l, err := mzap.NewListener(mzap.ListenerConfig{MaxScopes: 4, MaxNotInside: 5})
		if err != nil {
			t.Fatal(err)
		}
		now, known := epoch, map[scope.ID]bool{}
		for range rapid.IntRange(1, 60).Draw(t, "messages") {
			m := mzaptest.Message().Draw(t, "message")
			if rapid.Bool().Draw(t, "about X") && m.Is4() && m.NotInside != scopeX.ID() {
				m.Range = scopeX.Range
			}
			b, err := m.AppendBinary(nil)
			if err != nil {
				t.Fatal(err)
			}
			now = now.Add(time.Duration(rapid.IntRange(0, 900).Draw(t, "wait")) * time.Second)
			p := mzap.Packet{Interface: rapid.IntRange(0, 6).Draw(t, "in"), Payload: b}
			if err := r.Receive(now, p); err != nil {
				t.Fatal(err)
			}
			if err := l.Receive(now, p); err != nil {
				t.Fatal(err)
			}
			r.Advance(now)
			for range r.Effects() {
			}
			for x := range l.Effects() {
				switch x := x.(type) {
				case mzap.Appeared:
					known[x.Scope.ID()] = true
				case mzap.Gone:
					delete(known, x.Scope.ID())
				}
			}
			s := r.Snapshot(now)
			if len(s.NotInside) > 4 || len(s.ZAMs) > 5 || len(s.NIMs) > 5 || len(s.Neighbours) > 5 {
				t.Fatalf("%+v", s)
			}
			for _, z := range s.Zones {
				if len(z.Routers) > 3 || len(z.Mismatches) > 3 || len(z.Silent) > 3 {
					t.Fatalf("%+v", z)
				}
			}
			found := l.Discovered(now)
			if len(found) > 4 || len(found) != len(known) || len(l.Snapshot(now).NotInside) > 5 {
				t.Fatalf("listener: %v, told its owner of %v", found, known)
			}
		}
	})
	e := newEar(t, mzap.ListenerConfig{MaxScopes: 2})
	for i, hold := range []int{300, 200, 100, 250} {
		m := zam(mzaptestScope("s", fmt.Sprintf("239.%d.0.0", i), fmt.Sprintf("239.%d.0.255", i)), "10.0.0.9")
		m.HoldTime = time.Duration(hold) * time.Second
		e.hear(m)
	}
	if got := e.l.Discovered(e.now); len(got) != 2 || got[0].Scope.ID() != addr("239.0.0.0") || got[1].Scope.ID() != addr("239.3.0.0") || e.l.Stats().Evicted != 2 {
		t.Errorf("kept %v", got)
	}
}

// FuzzRouter throws any octets, in any order, at a router and a listener: they
// neither panic nor send anything malformed, nor anything longer than a relay of
// what came in.
func FuzzRouter(f *testing.F) {
	for i, w := range worked {
		f.Add(golden(f, w.name), uint8(i), golden(f, worked[(i+1)%len(worked)].name), uint8(1))
	}
	f.Fuzz(func(t *testing.T, a []byte, inA uint8, b []byte, inB uint8) {
		g := newRig(t)
		g.effects()
		l := newEar(t, mzap.ListenerConfig{}).l
		for _, p := range []mzap.Packet{{Interface: int(inA % 7), Payload: a}, {Interface: int(inB % 7), Payload: b}, {Interface: 1, Payload: a}} {
			if g.r.Receive(g.now, p) != nil {
				continue
			}
			l.Receive(g.now, p)
			for _, s := range ofType[mzap.Send](g.effects()) {
				var m mzap.Message
				if err := m.Decode(s.Packet); err != nil {
					t.Fatalf("%x made it send %x: %v", p.Payload, s.Packet, err)
				}
				if len(s.Packet) > len(p.Payload)+8 {
					t.Fatalf("%x made it send %x", p.Payload, s.Packet)
				}
			}
			g.now = g.now.Add(time.Minute)
		}
		for _, s := range ofType[mzap.Send](g.wait(time.Hour)) {
			var m mzap.Message
			if err := m.Decode(s.Packet); err != nil {
				t.Fatalf("later sends %x: %v", s.Packet, err)
			}
		}
	})
}
