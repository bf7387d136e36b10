// SPDX-License-Identifier: BSD-3-Clause

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"time"

	"github.com/mcastalloc/malloc/masc"
	"github.com/mcastalloc/malloc/masc/mascnet"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: mascd configuration.json")
		os.Exit(2)
	}
	if err := run(ctx, os.Args[1], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "mascd:", err)
		os.Exit(1)
	}
}

// run runs all nodes of a configuration until ctx is done or one fails.
func run(ctx context.Context, file string, out io.Writer) error {
	c, err := readConfig(file)
	if err != nil {
		return err
	}
	if c.Stop > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Duration(c.Stop))
		defer cancel()
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	w := &printer{out: out, began: time.Now()}
	var all sync.WaitGroup
	for i := range c.Nodes {
		n := &c.Nodes[i]
		cfg, err := c.server(n)
		if err != nil {
			cancel(err)
			break
		}
		cfg.Logger = slog.New(slog.NewTextHandler(&named{w, n.Name}, &slog.HandlerOptions{ReplaceAttr: plain}))
		s, err := mascnet.New(cfg)
		if err != nil {
			cfg.Listener.Close()
			cancel(err)
			break
		}
		all.Go(func() {
			if err := s.Run(ctx); err != nil {
				cancel(fmt.Errorf("node %q: %w", n.Name, err))
			}
		})
		all.Go(func() { watch(ctx, n, s, &named{w, n.Name}) })
	}
	<-ctx.Done()
	all.Wait()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

// plain leaves time and level out of the log: the printer adds the time.
func plain(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey || a.Key == slog.LevelKey {
		return slog.Attr{}
	}
	return a
}

// watch tells the node what the domain needs, and prints what changes.
func watch(ctx context.Context, n *node, s *mascnet.Server, out io.Writer) {
	ask := time.After(time.Duration(n.WantAfter))
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var seen masc.NodeStats
	known := map[string]bool{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-ask:
			s.Do(ctx, func(now time.Time, m *masc.Node) {
				m.SetDemand(now, 0, masc.Demand{InUse: n.Want / 2, Want: n.Want})
			})
			continue
		case <-tick.C:
		}
		s.Do(ctx, func(now time.Time, m *masc.Node) {
			news := map[string]bool{}
			for c := range m.Claims(now) {
				switch {
				case c.Domain != masc.NumberID(n.Domain) || c.Type != masc.NewClaim && c.Type != masc.ClaimToExpand:
				case c.Prefix.IsHint():
					news[fmt.Sprintf("asks its parent for a /%d", c.Prefix.Bits())] = true
				default:
					news[fmt.Sprintf("claims %v with %v at %s", c.Prefix, c.Type, c.Timestamp.Time().Format(time.TimeOnly))] = true
				}
			}
			for _, a := range m.Allotments(now) {
				what := "manages"
				if a.Use {
					what = "may use"
				}
				news[fmt.Sprintf("%s %v until %s", what, a.Prefix, a.End.Format(time.DateTime))] = true
			}
			if st := m.Stats(); st.Collisions != seen.Collisions {
				fmt.Fprintln(out, "lost a collision: somebody else has the better claim")
				seen = st
			}
			for line := range news {
				if !known[line] {
					fmt.Fprintln(out, line)
				}
			}
			known = news
		})
	}
}

// printer writes lines of several nodes with the time since the start.
type printer struct {
	mu    sync.Mutex
	out   io.Writer
	began time.Time
}

// named is a node's way to a printer.
type named struct {
	*printer
	name string
}

// Write implements io.Writer.
func (w *named) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	fmt.Fprintf(w.out, "%6.2f  %-8s %s", time.Since(w.began).Seconds(), w.name, b)
	return len(b), nil
}
