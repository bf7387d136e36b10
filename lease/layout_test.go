// SPDX-License-Identifier: BSD-3-Clause

package lease

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/scope"
)

// storePool opens a pool of the IPv4 Local scope on a store.
func storePool(t *testing.T, s Store, now *time.Time, change ...func(*Config)) *Pool {
	t.Helper()
	c := Config{
		Scopes: []scope.Scope{scope.IPv4Local()}, Store: s,
		Now:     func() time.Time { return *now },
		Damaged: func(key string, err error) { t.Errorf("%s: %v", key, err) },
	}
	for _, f := range change {
		f(&c)
	}
	p, err := NewPool(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func storeKeys(s *MemoryStore) string {
	var words []string
	for k := range s.entries {
		words = append(words, k[:strings.IndexByte(k+"/", '/')])
	}
	slices.Sort(words)
	return strings.Join(words, " ")
}

func TestLayout(t *testing.T) {
	now := epoch
	s := &MemoryStore{}
	p := storePool(t, s, &now)
	l, err := p.Allocate(t.Context(), Request{Family: IPv4, Addrs: scope.MustSet("239.255.0.62-239.255.0.66"), Count: Count{Min: 5}, Key: "k"})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := storeKeys(s), "i k layout p p"; got != want {
		t.Errorf("LEASE-S-4: five addresses over a page's end make entries %s, want %s", got, want)
	}
	if e := s.entries["layout"]; string(e.Value) != `{"version":1,"pageBits":6}` {
		t.Errorf("LEASE-S-12: the layout is %s", e.Value)
	}
	for k := range s.entries {
		if strings.Contains(k, hex.EncodeToString([]byte(l.ID))) {
			t.Errorf("LEASE-4-3: the key %q has the lease identifier", k)
		}
	}
	before := maps.Clone(s.entries)
	now = now.Add(time.Minute)
	for range p.Leases(t.Context(), Filter{}) {
	}
	if _, err := p.Allocate(t.Context(), Request{Family: IPv4, Key: "k"}); err != nil || s.version != before["layout"].Version+1 {
		t.Errorf("LEASE-3.1-17: a repeat wrote something: version %d, %v", s.version, err)
	}
	if _, err := NewPool(Config{Scopes: []scope.Scope{scope.IPv4Local()}, Store: s, LinkUnique: true}); !errors.Is(err, ErrStore) {
		t.Errorf("LEASE-S-12, LEASE-U-4: a pool with another layout: %v", err)
	}
	s.entries["layout"] = Entry{"layout", 1, []byte(`{"version":2,"pageBits":6}`)}
	if _, err := NewPool(Config{Scopes: []scope.Scope{scope.IPv4Local()}, Store: s}); !errors.Is(err, ErrStore) {
		t.Errorf("LEASE-S-12: a newer layout: %v", err)
	}
}

func TestExpiryWritesNothing(t *testing.T) {
	now := epoch
	s := &MemoryStore{}
	p := storePool(t, s, &now)
	l, err := p.Allocate(t.Context(), Request{Family: IPv4, Lifetime: Exactly(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	version := s.version
	now = now.Add(3 * time.Hour)
	for range p.Leases(t.Context(), Filter{}) {
		t.Error("LEASE-S-5: a lease that is over is listed")
	}
	if s.version != version {
		t.Error("LEASE-S-5: expiry wrote something")
	}
	p = storePool(t, s, &now)
	if _, err := p.Allocate(t.Context(), Request{Family: IPv4, Addrs: l.Addrs}); err != nil {
		t.Errorf("LEASE-S-5: what is over in the store still counts: %v", err)
	}
}

func TestDamagedEntries(t *testing.T) {
	now := epoch
	s := &MemoryStore{}
	p := storePool(t, s, &now)
	bad, err := p.Allocate(t.Context(), Request{Family: IPv4, Addrs: scope.MustSet("239.255.0.70")})
	if err != nil {
		t.Fatal(err)
	}
	good, err := p.Allocate(t.Context(), Request{Family: IPv4, Addrs: scope.MustSet("239.255.9.9")})
	if err != nil {
		t.Fatal(err)
	}
	key := pageKey(pageOf(numberOf(bad.Addr())))
	for i := range s.entries[key].Value {
		value := slices.Clone(s.entries[key].Value)
		value[i] ^= 0x40
		broken := &MemoryStore{entries: maps.Clone(s.entries), version: s.version}
		for k := range broken.entries {
			broken.keys.insert(k)
		}
		broken.entries[key] = Entry{key, 9, value}
		var reported []string
		p := storePool(t, broken, &now, func(c *Config) {
			c.Damaged = func(key string, err error) { reported = append(reported, key) }
		})
		if len(reported) != 1 || reported[0] != key {
			t.Fatalf("LEASE-S-11: octet %d damaged: reported %q, want %q", i, reported, key)
		}
		if _, err := p.Allocate(t.Context(), Request{Family: IPv4, Addrs: scope.MustSet("239.255.0.64/26")}); !errors.Is(err, ErrNone) {
			t.Errorf("LEASE-S-11: an address of the damaged page was granted: %v", err)
		}
		if _, err := p.ChangeLifetime(t.Context(), good, Window{}); err != nil {
			t.Errorf("LEASE-S-11: the rest is lost: %v", err)
		}
	}
}

func TestClockAfterRestart(t *testing.T) {
	now := epoch
	s := &MemoryStore{}
	p := storePool(t, s, &now)
	l, err := p.Allocate(t.Context(), Request{Family: IPv4})
	if err != nil {
		t.Fatal(err)
	}
	now = now.Add(-2 * time.Hour)
	p = storePool(t, s, &now)
	if _, err := p.Allocate(t.Context(), Request{Family: IPv4}); !errors.Is(err, ErrSkew) {
		t.Errorf("LEASE-S-6: a start with a clock two hours behind: %v", err)
	}
	if err := p.Release(t.Context(), l); err != nil {
		t.Errorf("LEASE-S-6: what was given stays valid: %v", err)
	}
}

// LEASE-S-2: what was put off is there after a restart, and one's place kept.
func TestDeferredSurvives(t *testing.T) {
	now := epoch
	s := &MemoryStore{}
	one := func(c *Config) {
		c.Scopes, c.Sources = nil, []Source{{Scope: scope.IPv4Local(), Addrs: scope.MustSet("239.255.1.1")}}
	}
	p := storePool(t, s, &now, one)
	if _, err := p.Allocate(t.Context(), Request{Family: IPv4, Lifetime: Exactly(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	_, err := p.Allocate(t.Context(), Request{Family: IPv4, Retry: true, Lifetime: Exactly(time.Hour)})
	var later *TryLaterError
	if !errors.As(err, &later) {
		t.Fatal(err)
	}
	p = storePool(t, s, &now, one)
	now = later.At
	if _, err := p.Allocate(WithPrincipal(t.Context(), Principal{Name: "other"}), Request{Family: IPv4}); !errors.Is(err, ErrNone) {
		t.Errorf("LEASE-S-2: the place was lost: %v", err)
	}
	if l, err := p.Resume(t.Context(), later.Pending); err != nil || l.ID != later.Pending.Request.ID {
		t.Errorf("LEASE-S-2: %v, %v", l, err)
	}
}

func TestCommitIsBounded(t *testing.T) {
	now := epoch
	s := &largest{}
	p := storePool(t, s, &now)
	l, err := p.Allocate(t.Context(), Request{Family: IPv4, Count: Count{1, 60000}})
	if n, _ := l.Addrs.Size().Uint64(); err != nil || n < 1000 || s.most > DefaultMaxWrites {
		t.Errorf("LEASE-S-4: %d addresses in %d writes, %v", n, s.most, err)
	}
	if _, err := p.Allocate(t.Context(), Request{Family: IPv4, Count: Count{60000, 60000}}); !errors.Is(err, ErrNone) {
		t.Errorf("LEASE-S-4: more than a commit can take: %v", err)
	}
}

// largest remembers its largest commit.
type largest struct {
	MemoryStore
	most int
}

func (s *largest) Commit(ctx context.Context, writes ...Write) (uint64, error) {
	s.most = max(s.most, len(writes))
	return s.MemoryStore.Commit(ctx, writes...)
}

// FuzzPage feeds anything to the decoders of what lies in a store; a page that
// decodes is written as it was.
func FuzzPage(f *testing.F) {
	now := epoch
	s := &MemoryStore{}
	p, err := NewPool(Config{Scopes: []scope.Scope{scope.IPv4Local()}, Store: s, Now: func() time.Time { return now }})
	if err != nil {
		f.Fatal(err)
	}
	for i := range 3 {
		if _, err := p.Allocate(context.Background(), Request{Family: IPv4, Key: fmt.Sprint(i), Count: Count{Min: 1 + i}}); err != nil {
			f.Fatal(err)
		}
	}
	for _, e := range s.entries {
		f.Add(e.Value[:max(len(e.Value)-4, 0)])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		b = appendChecksum(b)
		decodeGrants(b)
		var records []*record
		latest, marks, err := decodePage(b, func(s *storedRecord) {
			s.holder = &holder{Principal: s.who}
			s.zone = &zone{scope: scope.Scope{Range: scope.Single(s.scope)}}
			records = append(records, &s.record)
		})
		if err != nil {
			return
		}
		again := encodePage(latest, marks, records)
		var count int
		if l, m, err := decodePage(again, func(s *storedRecord) { count++ }); err != nil || l != latest || !slices.Equal(m, marks) || count != len(records) {
			t.Fatalf("%x decodes to %d records, written again as %x: %v", b, len(records), again, err)
		}
	})
}

// LEASE-3.1-17, LEASE-S-4 a: a pool that has heard of a lease, and not that
// another one has prolonged it, still finds it by its key.
func TestKeyOfProlonged(t *testing.T) {
	now := epoch
	s := &MemoryStore{}
	noGuard := func(c *Config) { c.Guard = NoGuard }
	p, other := storePool(t, s, &now, noGuard), storePool(t, s, &now, noGuard)
	req := Request{Family: IPv4, Key: "k", Lifetime: Exactly(time.Hour)}
	l, err := p.Allocate(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := other.Allocate(t.Context(), req); err != nil || !again.Equal(l) {
		t.Fatal(again, err)
	}
	if l, err = p.ChangeLifetime(t.Context(), l, At(l.End.Add(time.Hour))); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Hour)
	if again, err := other.Allocate(t.Context(), req); err != nil || !again.Equal(l) {
		t.Errorf("LEASE-3.1-17: the same key gave %v, %v, want %v", again, err, l)
	}
}
