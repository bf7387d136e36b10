// SPDX-License-Identifier: BSD-3-Clause

package lease_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/scope"
)

func sample() lease.Lease {
	return lease.Lease{
		ID:     lease.NewID(rand.New(rand.NewPCG(1, 2))),
		Family: lease.IPv4,
		Scope:  scope.IPv4Local().ID(),
		Addrs:  scope.MustSet("239.255.1.4-239.255.1.9", "239.255.7.7"),
		Start:  time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
		End:    time.Date(2026, 3, 1, 13, 0, 0, 0, time.UTC),
		Server: netip.MustParseAddr("192.0.2.1"),
	}
}

func TestLeaseSurvivesJSON(t *testing.T) {
	for _, l := range []lease.Lease{sample(), {Family: lease.IPv6, ID: "x"}} {
		b, err := json.Marshal(l)
		if err != nil {
			t.Fatal(err)
		}
		var back lease.Lease
		if err := json.Unmarshal(b, &back); err != nil || !back.Equal(l) {
			t.Errorf("%s\ngives %#v, %v\nwant %#v", b, back, err, l)
		}
	}
}

// LEASE-4-3: nothing a program prints by habit shows an identifier, while
// storing one keeps it.
func TestIDIsHidden(t *testing.T) {
	l := sample()
	secret, _ := l.ID.MarshalText()
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("granted", "lease", l, "id", l.ID)
	err := &lease.Error{Op: "release", Err: lease.ErrNotLeased}
	for name, s := range map[string]string{
		"String":   l.ID.String(),
		"%v":       fmt.Sprintf("%v %s", l, l),
		"%+v, %#v": fmt.Sprintf("%+v %#v", l.ID, l.ID),
		"slog":     log.String(),
		"error":    err.Error(),
	} {
		if strings.Contains(s, string(secret)) || strings.Contains(s, string(l.ID)) {
			t.Errorf("LEASE-4-3: %s shows the identifier: %q", name, s)
		}
	}
	if len(l.ID) != 17 || l.ID[0] != 0 {
		t.Errorf("LEASE-4-3: an identifier of %d octets and type %d, want type 0 and 16 random octets", len(l.ID), l.ID[0])
	}
	if !l.ID.Equal(sample().ID) || l.ID.Equal(l.ID[1:]) || l.ID.Equal(lease.NewID(rand.New(rand.NewPCG(1, 3)))) {
		t.Error("LEASE-4-3: Equal is wrong")
	}
}

func TestFamilyNumbers(t *testing.T) {
	if lease.IPv4 != 1 || lease.IPv6 != 2 {
		t.Error("LEASE-2-1: families are not numbered as IANA does")
	}
	for addr, want := range map[string]lease.Family{"239.1.2.3": lease.IPv4, "ff15::1": lease.IPv6} {
		if got := lease.FamilyOf(netip.MustParseAddr(addr)); got != want {
			t.Errorf("LEASE-2-1: FamilyOf(%s) = %v", addr, got)
		}
	}
	if lease.FamilyOf(netip.Addr{}) != 0 {
		t.Error("LEASE-2-1: the zero address has a family")
	}
}
