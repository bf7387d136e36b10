// SPDX-License-Identifier: BSD-3-Clause

package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/scope"
)

// What is printed as JSON, apart from leases.
type (
	scopeJSON struct {
		Scope     scope.ID    `json:"scope"`
		Range     scope.Range `json:"range"`
		TTL       uint8       `json:"ttl"`
		Divisible bool        `json:"divisible,omitempty"`
		Names     []nameJSON  `json:"names,omitempty"`
	}
	nameJSON struct {
		Tag     string `json:"tag"`
		Text    string `json:"text"`
		Default bool   `json:"default,omitempty"`
	}
	holdingJSON struct {
		Who   string    `json:"who"`
		By    string    `json:"by"`
		Scope scope.ID  `json:"scope"`
		Addrs scope.Set `json:"addrs"`
		Start time.Time `json:"start"`
		End   time.Time `json:"end"`
	}
)

func describe(s scope.Scope) scopeJSON {
	j := scopeJSON{Scope: s.ID(), Range: s.Range, TTL: s.TTL, Divisible: s.Divisible}
	for n := range s.Names.All() {
		j.Names = append(j.Names, nameJSON{n.Tag, n.Text, n.Default})
	}
	return j
}

func holding(h lease.Held) holdingJSON {
	return holdingJSON{h.Who.Name, h.Who.By.String(), h.Scope, h.Addrs, h.Start, h.End}
}

func (a *app) printJSON(v any) error { return json.NewEncoder(a.out).Encode(v) }

// printLease prints the addresses for programs, and for people what else there
// is to know.
func (a *app) printLease(l lease.Lease, file string) error {
	if a.asJSON {
		return a.printJSON(l)
	}
	for addr := range l.Addrs.Addrs() {
		if _, err := fmt.Fprintln(a.out, addr); err != nil {
			return err
		}
	}
	handle := file
	if handle == "" && a.from.store != "" {
		handle = l.Addr().String()
	}
	fmt.Fprintf(a.err, "from %s until %s; ", local(l.Start), local(l.End))
	if handle == "" {
		fmt.Fprintln(a.err, "to renew or release a lease, get it with -save or -json")
	} else {
		fmt.Fprintf(a.err, "renew or release it as %s\n", handle)
	}
	return nil
}

func local(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05 MST") }

// saveLease writes a lease into a file, all or nothing; others may not read
// it, as whoever knows the identifier can release it.
func (a *app) saveLease(path string, l lease.Lease) error {
	if path == "" {
		return nil
	}
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".alloc-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(append(text, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// findLease returns the lease that the argument stands for, and the file if it
// was in one.
func (a *app) findLease(ctx context.Context, from lease.Allocator, args []string) (l lease.Lease, file string, err error) {
	if len(args) > 1 {
		return l, "", usagef("%q is too much: want one lease, after the flags", args[1])
	}
	handle := os.Getenv("MALLOC_LEASE")
	if len(args) == 1 {
		handle = args[0]
	}
	var text []byte
	addr, notAddr := netip.ParseAddr(handle)
	switch {
	case handle == "":
		return l, "", usagef("which lease? Name its file, or set MALLOC_LEASE")
	case handle == "-":
		text, err = io.ReadAll(a.in)
	case strings.HasPrefix(handle, "{"):
		text = []byte(handle)
	case notAddr == nil:
		l, err = leaseOf(ctx, from, addr)
		return l, "", err
	default:
		file = handle
		text, err = os.ReadFile(file)
	}
	if err != nil {
		return l, "", err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(&l); err != nil || l.ID == "" {
		return l, "", usagef("%s holds no lease as \"alloc get\" saves or prints it: %v", cmp.Or(file, "the argument"), err)
	}
	return l, file, nil
}

// leaseOf returns the caller's lease of an address, if the allocator can tell.
func leaseOf(ctx context.Context, from lease.Allocator, addr netip.Addr) (lease.Lease, error) {
	one, err := scope.SetOf(scope.Single(addr))
	if err != nil {
		return lease.Lease{}, usageError{err}
	}
	for l, err := range lease.Leases(ctx, from, lease.Filter{Addrs: one}) {
		if errors.Is(err, lease.ErrUnsupported) {
			return lease.Lease{}, usagef("a MADCAP server does not know leases by their addresses: want what \"alloc get\" has saved or printed as JSON")
		}
		return l, err
	}
	return lease.Lease{}, fmt.Errorf("%v: %w", addr, lease.ErrNotLeased)
}

// parseCount reads 3 or 3-10.
func parseCount(text string) (lease.Count, error) {
	lo, hi, both := strings.Cut(text, "-")
	least, err1 := strconv.ParseUint(lo, 10, 16)
	most, err2 := least, error(nil)
	if both {
		most, err2 = strconv.ParseUint(hi, 10, 16)
	}
	if err1 != nil || err2 != nil || least == 0 || most < least {
		return lease.Count{}, errors.New("want a number of 1 to 65535, or two like 3-10")
	}
	return lease.Count{Min: int(least), Max: int(most)}, nil
}

// defineFor defines the flag -for.
func defineFor(f *flag.FlagSet, s *lease.Span, otherwise string) {
	f.Func("for", "how `long`, 90m, 24h or, if less will do, 10m-24h ("+otherwise+")", func(text string) error {
		lo, hi, both := strings.Cut(text, "-")
		if !both {
			hi = lo
		}
		least, err1 := time.ParseDuration(lo)
		most, err2 := time.ParseDuration(hi)
		if err1 != nil || err2 != nil || least <= 0 || most < least {
			return errors.New("want a length of time like 90m or 24h, or two like 10m-24h")
		}
		*s = lease.Between(least, most)
		return nil
	})
}

// parseTime reads an instant, a time of day (the next one) or what is added to
// now.
func parseTime(text string, now time.Time) (time.Time, error) {
	if after, ok := strings.CutPrefix(text, "+"); ok {
		if d, err := time.ParseDuration(after); err == nil && d >= 0 {
			return now.Add(d), nil
		}
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04", "2006-01-02T15:04", "2006-01-02 15:04:05"} {
		if t, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			return t, nil
		}
	}
	if t, err := time.ParseInLocation("15:04", text, now.Location()); err == nil {
		t = time.Date(now.Year(), now.Month(), now.Day(), t.Hour(), t.Minute(), 0, 0, now.Location())
		if t.Before(now) {
			t = t.AddDate(0, 0, 1)
		}
		return t, nil
	}
	return time.Time{}, errors.New("want a time like 20:15, 2026-12-24 20:15, 2026-12-24T20:15:00+01:00 or +2h")
}
