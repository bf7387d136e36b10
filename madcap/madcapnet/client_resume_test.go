// SPDX-License-Identifier: BSD-3-Clause

package madcapnet

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/madcap"
	"github.com/mcastalloc/malloc/scope"
)

// TestClientTriesLater plays LEASE-W-5.
func TestClientTriesLater(t *testing.T) {
	putOff := func(*madcap.Message) *madcap.Message {
		now := time.Now().Truncate(time.Second)
		return &madcap.Message{Type: madcap.TypeAck, Scope: localScope, LeaseTime: madcap.Some(time.Hour), Ranges: madcap.Some([]scope.Range{}),
			CurrentTime: now, RetryTime: now.Add(time.Hour),
			Features: madcap.Some(madcap.FeatureList{Supported: []madcap.Feature{madcap.RetryAfter}, Required: []madcap.Feature{madcap.RetryAfter}})}
	}
	deferring := except(madcap.TypeRequest, putOff, granting)
	req := lease.Request{Scope: localScope, Retry: true, Count: lease.Count{Min: 1, Max: 4}, Lifetime: lease.Between(time.Minute, time.Hour)}
	later := func(t *testing.T, c *Client, req lease.Request) *lease.TryLaterError {
		t.Helper()
		_, err := c.Allocate(t.Context(), req)
		wantErr(t, err, lease.ErrTryLater)
		var e *lease.TryLaterError
		if !errors.As(err, &e) {
			t.Fatalf("error %v", err)
		}
		return e
	}
	bubble(t, "LEASE-W-5", func(t *testing.T) {
		n, c := known(t, deferring, ClientConfig{})
		e := later(t, c, req)
		if !e.At.Equal(n.begin.Add(time.Hour)) || e.Pending.At != e.At || e.Pending.Request.ID == "" {
			t.Errorf("error %+v", e)
		}
		first := n.last(madcap.TypeRequest)
		_, err := c.Resume(t.Context(), e.Pending) // too early
		wantErr(t, err, lease.ErrTryLater)
		n.wantTranscript("+0s REQUEST to 198.51.100.1")
		time.Sleep(time.Hour)
		_, err = c.Resume(t.Context(), e.Pending) // put off again
		wantErr(t, err, lease.ErrTryLater)
		n.setScript(0, granting)
		time.Sleep(time.Hour)
		l, err := c.Resume(t.Context(), e.Pending)
		if err != nil || l.ID != e.Pending.Request.ID || l.Addrs.Size() != scope.U128(4) {
			t.Errorf("%v, %v", l, err)
		}
		again := n.last(madcap.TypeRequest)
		if again.XID == first.XID {
			t.Error("the same transaction")
		}
		again.XID = first.XID
		if a, _ := again.MarshalBinary(); string(a) != string(n.sent[0].raw) {
			t.Errorf("other options:\n%x\n%x", a, n.sent[0].raw)
		}
		n.wantTranscript("+0s REQUEST to 198.51.100.1", "+1h0m0s REQUEST to 198.51.100.1", "+2h0m0s REQUEST to 198.51.100.1")
	})
	bubble(t, "LEASE-W-5 after a restart", func(t *testing.T) {
		n, c := known(t, deferring, ClientConfig{})
		r := req
		r.Start, r.Lifetime, r.End = lease.NotAfter(time.Now().Add(48*time.Hour)), lease.Span{}, lease.Window{Min: time.Now().Add(30 * time.Hour), Max: time.Now().Add(90 * time.Hour)}
		e := later(t, c, r)
		if !e.Pending.Request.End.IsZero() {
			t.Errorf("an end and a lifetime at once: %+v", e.Pending.Request)
		}
		stored, err := json.Marshal(e.Pending)
		if err != nil {
			t.Fatal(err)
		}
		var p lease.Pending
		if err := json.Unmarshal(stored, &p); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Hour)
		n2, c2 := known(t, granting, ClientConfig{})
		l, err := c2.Resume(t.Context(), p)
		if err != nil || l.ID != p.Request.ID {
			t.Fatalf("%v, %v", l, err)
		}
		first, again := n.last(madcap.TypeRequest), n2.last(madcap.TypeRequest)
		if !again.CurrentTime.Equal(first.CurrentTime.Add(2 * time.Hour)) {
			t.Errorf("clock %v, then %v", first.CurrentTime, again.CurrentTime)
		}
		again.XID, again.CurrentTime = first.XID, first.CurrentTime
		if a, _ := again.MarshalBinary(); string(a) != string(n.sent[0].raw) {
			t.Errorf("other options:\n%x\n%x", a, n.sent[0].raw)
		}
	})
	bubble(t, "LEASE-W-5 by a client that knows of no server", func(t *testing.T) {
		_, c := known(t, deferring, ClientConfig{})
		e := later(t, c, req)
		if e.Pending.Server != fakeAt {
			t.Errorf("put off by %v, want %v", e.Pending.Server, fakeAt)
		}
		time.Sleep(2 * time.Hour)
		n := newFakeNet(t, &fakeServer{fakeAt, granting})
		if l, err := n.client(ClientConfig{}).Resume(t.Context(), e.Pending); err != nil || l.ID != e.Pending.Request.ID {
			t.Errorf("%v, %v", l, err)
		}
		n.wantTranscript("+0s REQUEST to 198.51.100.1")
	})
	bubble(t, "the same key asks again", func(t *testing.T) {
		n, c := known(t, deferring, ClientConfig{})
		r := req
		r.Key = "key"
		e := later(t, c, r)
		if again := later(t, c, r); !again.At.Equal(e.At) || again.Pending.Request.ID != e.Pending.Request.ID {
			t.Errorf("%+v, then %+v", e, again)
		}
		n.wantTranscript("+0s REQUEST to 198.51.100.1")
		time.Sleep(time.Hour)
		n.setScript(0, granting)
		l, err := c.Allocate(t.Context(), r)
		if err != nil || l.ID != e.Pending.Request.ID {
			t.Errorf("%v, %v", l, err)
		}
	})
	bubble(t, "LEASE-W-5 given up", func(t *testing.T) {
		n, c := known(t, deferring, ClientConfig{})
		e := later(t, c, req)
		if err := c.Cancel(t.Context(), e.Pending); err != nil {
			t.Error(err)
		}
		if m := n.last(madcap.TypeRelease); string(m.LeaseIdentifier) != string(e.Pending.Request.ID) {
			t.Errorf("released %+v", m)
		}
	})
	bubble(t, "asked for anew after it was given up", func(t *testing.T) {
		n, c := known(t, deferring, ClientConfig{})
		r := req
		r.Key = "key"
		if err := c.Cancel(t.Context(), later(t, c, r).Pending); err != nil {
			t.Error(err)
		}
		n.setScript(0, granting)
		if _, err := c.Allocate(t.Context(), r); err != nil {
			t.Error(err)
		}
	})
	bubble(t, "LEASE-W-5 not offered", func(t *testing.T) { // and so ignored
		_, c := known(t, deferring, ClientConfig{})
		r := req
		r.Retry = false
		_, err := c.Allocate(t.Context(), r)
		wantErr(t, err, lease.ErrNoServer)
	})
	bubble(t, "somebody else's", func(t *testing.T) {
		_, c := known(t, deferring, ClientConfig{})
		e := later(t, c, req)
		ctx := lease.WithPrincipal(t.Context(), lease.Principal{Name: "eve"})
		_, err := c.Resume(ctx, e.Pending)
		wantErr(t, err, lease.ErrNotLeased)
		wantErr(t, c.Cancel(ctx, e.Pending), lease.ErrNotLeased)
	})
}
