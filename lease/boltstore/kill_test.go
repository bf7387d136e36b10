// SPDX-License-Identifier: BSD-3-Clause

package boltstore_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/lease/boltstore"
	"github.com/mcastalloc/malloc/scope"
)

// note is what the child says after each call that has returned, and before
// each release.
type note struct {
	Lease     lease.Lease
	Releasing bool
	Released  bool
}

const childEnv = "BOLTSTORE_CHILD"

func openPool(path string) (*lease.Pool, *boltstore.Store, error) {
	s, err := boltstore.Open(path)
	if err != nil {
		return nil, nil, err
	}
	p, err := lease.NewPool(lease.Config{
		Sources: []lease.Source{{Scope: scope.IPv4Local(), Addrs: scope.MustSet("239.255.1.0/24")}},
		Store:   s, Guard: lease.NoGuard,
		Damaged: func(key string, err error) { panic(key + ": " + err.Error()) },
	})
	return p, s, err
}

// TestChild is the process that is killed: it allocates, changes and releases
// in several goroutines, and says what it has been told.
func TestChild(t *testing.T) {
	path := os.Getenv(childEnv)
	if path == "" {
		t.Skip("this is for TestKill")
	}
	p, _, err := openPool(path)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	out := json.NewEncoder(os.Stdout)
	say := func(n note) { // when it returns, it is in the pipe
		mu.Lock()
		defer mu.Unlock()
		out.Encode(n)
	}
	for i := range 4 {
		go func() {
			ctx := lease.WithPrincipal(context.Background(), lease.Principal{Name: strconv.Itoa(i)})
			for {
				l, err := p.Allocate(ctx, lease.Request{Family: lease.IPv4, Count: lease.Count{Min: 1, Max: 3}, Lifetime: lease.Exactly(time.Hour)})
				if err != nil {
					return // full
				}
				say(note{Lease: l})
				if rand.IntN(2) == 0 {
					if l, err = p.ChangeLifetime(ctx, l, lease.Window{}); err == nil {
						say(note{Lease: l})
					}
				}
				if rand.IntN(5) > 0 {
					say(note{Lease: l, Releasing: true})
					if err := p.Release(ctx, l); err == nil {
						say(note{Lease: l, Releasing: true, Released: true})
					}
				}
			}
		}()
	}
	select {}
}

// TestKill kills a process with kill -9 again and again: LEASE-S-1. More often
// with MALLOC_KILLS=300.
func TestKill(t *testing.T) {
	kills := 8
	if n, err := strconv.Atoi(os.Getenv("MALLOC_KILLS")); err == nil {
		kills = n
	}
	path := filepath.Join(t.TempDir(), "leases.db")
	granted := 0
	for round := range kills {
		told := map[lease.ID]note{}
		child := exec.Command(os.Args[0], "-test.run=^TestChild$")
		child.Env = append(os.Environ(), childEnv+"="+path)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Duration(20+rand.IntN(150))*time.Millisecond, func() { child.Process.Kill() })
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			var n note
			if json.Unmarshal(lines.Bytes(), &n) == nil {
				told[n.Lease.ID] = n
			}
		}
		child.Wait()
		granted += len(told)
		if err := checkTold(path, told); err != nil {
			t.Fatalf("LEASE-S-1, LEASE-2908.3-2: after kill %d: %v", round, err)
		}
	}
	if granted < kills {
		t.Errorf("only %d leases were granted in %d processes", granted, kills)
	}
	t.Logf("%d leases in %d processes", granted, kills)
}

// checkTold opens the file and looks for what was acknowledged.
func checkTold(path string, told map[lease.ID]note) error {
	p, s, err := openPool(path)
	if err != nil {
		return err
	}
	defer s.Close()
	var all scope.Set
	for i := range 4 {
		ctx := lease.WithPrincipal(context.Background(), lease.Principal{Name: strconv.Itoa(i)})
		for l, err := range p.Leases(ctx, lease.Filter{}) {
			n, ok := told[l.ID]
			switch {
			case err != nil:
				return err
			case all.Overlaps(l.Addrs):
				return fmt.Errorf("%v is leased twice", l.Addrs)
			case n.Released:
				return fmt.Errorf("%v was released", l)
			case ok && (l.End.Before(n.Lease.End) || !l.Addrs.Equal(n.Lease.Addrs)):
				return fmt.Errorf("%v was granted as %v", l, n.Lease)
			}
			all, _ = all.Union(l.Addrs)
			delete(told, l.ID)
			if err := p.Release(ctx, l); err != nil { // room for the next child
				return err
			}
		}
	}
	for _, n := range told {
		if !n.Releasing {
			return fmt.Errorf("%v is lost", n.Lease)
		}
	}
	return nil
}
