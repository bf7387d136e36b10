// SPDX-License-Identifier: BSD-3-Clause

package masc_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/masc"
	"github.com/mcastalloc/malloc/masc/masctest"
)

// rig drives one Session as node 192.0.2.1 of the top-level domain 64500
// towards node 192.0.2.7 of the child domain 64501.
type rig struct {
	t   *testing.T
	s   *masc.Session
	now time.Time
}

func newRig(t *testing.T, change func(*masc.SessionConfig)) *rig {
	cfg := masc.SessionConfig{OpenRules: masc.OpenRules{Domain: masc.NumberID(64500), Node: node("192.0.2.1"), Role: masc.Parent,
		Family: masc.FamilyIPv4, PeerDomain: masc.NumberID(64501)}}
	if change != nil {
		change(&cfg)
	}
	s, err := masc.NewSession(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return &rig{t, s, masctest.Epoch}
}

// did returns what the session wants done, in short words.
func (r *rig) did() string {
	var out []string
	for e := range r.s.Effects() {
		switch e := e.(type) {
		case *masc.Dial:
			out = append(out, "dial")
		case *masc.Close:
			out = append(out, "close")
		case *masc.Up:
			out = append(out, "up")
		case *masc.Down:
			out = append(out, "down")
		case *masc.Received:
			out = append(out, fmt.Sprint("update ", len(e.Update.Claims)))
		case *masc.Alert:
			out = append(out, "alert")
		case *masc.Write:
			var m masc.Message
			if err := m.Decode(e.Packet); err != nil {
				r.t.Errorf("wrote %x: %v", e.Packet, err)
			}
			s := m.Type.String()
			if m.Type == masc.TypeNotification {
				n := m.Notification
				s = fmt.Sprintf("%d/%d", n.Reason.Code(), n.Reason.Subcode())
				if n.Stay {
					s += " stay"
				}
			}
			out = append(out, s)
		}
	}
	return strings.Join(out, ", ")
}

func (r *rig) want(id, want string, state masc.State) {
	r.t.Helper()
	if got := r.did(); got != want {
		r.t.Errorf("%s: %q, want %q", id, got, want)
	}
	if r.s.State() != state {
		r.t.Errorf("%s: state %v, want %v", id, r.s.State(), state)
	}
}

func (r *rig) wait(d time.Duration) {
	r.now = r.now.Add(d)
	r.s.Advance(r.now)
}

func (r *rig) receive(m masc.Message) {
	b, err := m.MarshalBinary()
	if err != nil {
		r.t.Fatal(err)
	}
	r.s.Receive(r.now, b)
}

var (
	keepalive = masc.Message{Type: masc.TypeKeepalive}
	goodOpen  = masc.Message{Type: masc.TypeOpen, Open: masc.Open{Role: masc.Child, HoldTime: 90 * time.Second,
		Domain: masc.NumberID(64501), Node: node("192.0.2.7"), Parent: masc.NumberID(64500)}}
)

func notification(r masc.Reason, stay bool) masc.Message {
	return masc.Message{Type: masc.TypeNotification, Notification: masc.Notification{Reason: r, Stay: stay}}
}

// reach brings a session into a state and forgets what it did.
func (r *rig) reach(s masc.State) {
	if s >= masc.Connect {
		r.s.Start(r.now)
	}
	if s == masc.Active {
		r.s.ConnectFailed(r.now)
	}
	if s >= masc.OpenSent {
		r.s.Connected(r.now, true)
	}
	if s >= masc.OpenConfirm {
		r.receive(goodOpen)
	}
	if s == masc.Established {
		r.receive(keepalive)
	}
	r.did()
	if r.s.State() != s {
		r.t.Fatalf("state %v instead of %v", r.s.State(), s)
	}
}

// TestFSM fires every event in every state: what is done, and the state
// afterwards. Empty: nothing is done and the state stays.
func TestFSM(t *testing.T) {
	badHeader := []byte{0, 4, 9, 0} // may stay
	fatalHeader := []byte{0, 5, 4, 0, 0}
	events := map[string]func(r *rig){
		"E1 Start":         func(r *rig) { r.s.Start(r.now) },
		"E2 Stop":          func(r *rig) { r.s.Stop(r.now) },
		"E3 up":            func(r *rig) { r.s.Connected(r.now, false) },
		"E4 failed":        func(r *rig) { r.s.ConnectFailed(r.now) },
		"E5 closed":        func(r *rig) { r.s.Disconnected(r.now) },
		"E6 error":         func(r *rig) { r.s.TransportError(r.now, errors.New("reset")) },
		"E10 OPEN":         func(r *rig) { r.receive(goodOpen) },
		"E11 bad OPEN":     func(r *rig) { m := goodOpen; m.Open.Role = masc.Parent; r.receive(m) },
		"E11 header":       func(r *rig) { r.s.Receive(r.now, badHeader) },
		"E11 fatal header": func(r *rig) { r.s.Receive(r.now, fatalHeader) },
		"E12 KEEPALIVE":    func(r *rig) { r.receive(keepalive) },
		"E13 UPDATE":       func(r *rig) { r.receive(update(claim(masc.NewClaim, "228.0.0.0/16"))) },
		"E14 bad UPDATE":   func(r *rig) { r.s.Receive(r.now, patch(packet(r.t, "new-claim"), 9, 0)) },
		"E14 rejected": func(r *rig) {
			r.receive(update(claim(masc.NewClaim, "228.0.0.0/16")))
			r.s.Reject(r.now, masc.NoParentPrefix)
		},
		"E15 closes":     func(r *rig) { r.receive(notification(masc.Cease, false)) },
		"E16 stays":      func(r *rig) { r.receive(notification(masc.NonContiguousMask, true)) },
		"E16 bad":        func(r *rig) { r.s.Receive(r.now, []byte{0, 6, 3, 0, 0x88, 0}) },
		"E15 bad":        func(r *rig) { r.s.Receive(r.now, []byte{0, 6, 3, 0, 0x08, 0}) },
		"E17 unexpected": func(r *rig) { r.s.Unexpected(r.now) },
		"E18 lost":       func(r *rig) { r.s.Yield(r.now) },
		"stream error": func(r *rig) {
			_, err := masc.NewReader(bytes.NewReader([]byte{0, 3, 1, 1})).Next()
			r.s.Fault(r.now, err)
		},
	}
	type row [6]string // Idle, Connect, Active, OpenSent, OpenConfirm, Established; "-> X" if the state changes
	const (
		gone  = "close -> Idle"
		fsm51 = "5/1, close -> Idle"
		fsm50 = "5/0, close -> Idle"
		fsmEs = "5/0, close, down -> Idle"
	)
	// The IDs: MASC-10.1-7, MASC-10.1-11, MASC-10.1-12, MASC-10.1-16, MASC-10.1-17, MASC-10.1-28, MASC-10.1-29,
	// MASC-10.1-37, MASC-10.1-38, MASC-10.1-48, MASC-10.1-50, MASC-8.5-1, MASC-D-42, MASC-D-41, MASC-10.1-1, MASC-10.1-30, MASC-10.1-39,
	// MASC-10.1-51, MASC-8-4, MASC-7.5-2, MASC-8-2, MASC-8.3-1, MASC-8.7-2.
	for name, want := range map[string]row{
		"E1 Start":         {"dial -> Connect", "", "", "", "", ""},                                                       // MASC-10.1-2
		"E2 Stop":          {"", gone, gone, "7/0, close -> Idle", "7/0, close -> Idle", "7/0, close, down -> Idle"},      // MASC-10.1-27, MASC-10.1-36, MASC-10.1-47, MASC-8.7-1
		"E3 up":            {"", "OPEN -> OpenSent", "OPEN -> OpenSent", fsm51, fsm50, fsmEs},                             // MASC-10.1-8, MASC-10.1-13, MASC-7.2-1
		"E4 failed":        {"", " -> Active", gone, fsm51, fsm50, fsmEs},                                                 // MASC-10.1-9
		"E5 closed":        {"", gone, gone, "close -> Active", gone, "close, down -> Idle"},                              // MASC-10.1-25, MASC-10.1-35, MASC-10.1-43
		"E6 error":         {"", gone, gone, gone, gone, "close, down -> Idle"},                                           //
		"E10 OPEN":         {"", gone, gone, "KEEPALIVE -> OpenConfirm", fsm50, fsmEs},                                    // MASC-10.1-20, MASC-10.1-24, MASC-7.2-2
		"E11 bad OPEN":     {"", gone, gone, "alert, 2/8, close -> Idle", fsm50, fsmEs},                                   // MASC-10.1-18, MASC-10.1-4
		"E11 header":       {"", gone, gone, "alert, 1/2, close -> Idle", "alert, 1/2, close -> Idle", "alert, 1/2 stay"}, // MASC-D-7
		"E11 fatal header": {"", gone, gone, "alert, 1/1, close -> Idle", "alert, 1/1, close -> Idle", "alert, 1/1, close, down -> Idle"},
		"E12 KEEPALIVE":    {"", gone, gone, fsm51, "up -> Established", ""},                                                                                   // MASC-10.1-31, MASC-7.2-3
		"E13 UPDATE":       {"", gone, gone, fsm51, fsm50, "update 1"},                                                                                         // MASC-11-1
		"E14 bad UPDATE":   {"", gone, gone, fsm51, fsm50, "alert, 3/13, close, down -> Idle"},                                                                 // MASC-10.1-42, MASC-7.5-1
		"E14 rejected":     {"", gone, gone, fsm51, fsm50, "update 1, alert, 3/24 stay"},                                                                       // MASC-7.5-5
		"E15 closes":       {"", "alert, close -> Idle", "alert, close -> Idle", "alert, close -> Idle", "alert, close -> Idle", "alert, close, down -> Idle"}, // MASC-10.1-33, MASC-10.1-41
		"E16 stays":        {"", gone, gone, "alert", "alert", "alert"},                                                                                        // MASC-D-41
		"E16 bad":          {"", gone, gone, "alert, alert, 6/0, close -> Idle", "alert, alert, 6/0, close -> Idle", "alert, alert, 6/0, close, down -> Idle"}, // MASC-8.6-1
		"E15 bad":          {"", "alert, close -> Idle", "alert, close -> Idle", "alert, close -> Idle", "alert, close -> Idle", "alert, close, down -> Idle"}, // MASC-8.6-3
		"E17 unexpected":   {"", "", "", "", "", ""},                                                                                                           // MASC-10.1-15
		"E18 lost":         {"", gone, gone, "7/0, close -> Idle", "7/0, close -> Idle", "7/0, close, down -> Idle"},                                           // MASC-8.8-8
		"stream error":     {"", gone, gone, "alert, 1/1, close -> Idle", "alert, 1/1, close -> Idle", "alert, 1/1, close, down -> Idle"},
	} {
		for state, what := range want {
			s := masc.State(state)
			t.Run(fmt.Sprint(s, "/", name), func(t *testing.T) {
				r := newRig(t, nil)
				r.reach(s)
				events[name](r)
				doing, next, changes := strings.Cut(what, " -> ")
				after := s
				if changes {
					after = masc.State(slices.Index([]string{"Idle", "Connect", "Active", "OpenSent", "OpenConfirm", "Established"}, next))
				}
				got := r.did()
				if s <= masc.Active && strings.HasPrefix(got, "alert, ") && !strings.HasPrefix(doing, "alert") {
					got = strings.TrimPrefix(got, "alert, ") // a note about what was received is welcome
				}
				if s == masc.Idle && doing == "" && !strings.Contains(got, "dial") {
					got = strings.TrimPrefix(got, "alert")
				}
				if got != doing || r.s.State() != after {
					t.Errorf("did %q, now %v; want %q, %v", got, r.s.State(), doing, after)
				}
			})
		}
	}
	for s := range masc.State(6) { // the table itself is complete
		for ev := range masc.Events {
			if do, next := masc.FSM(s, ev); s != masc.Idle && do == 0 && next != s {
				t.Errorf("%v, event %d: ignored, but to %v", s, ev, next)
			}
		}
	}
}

// TestTimers lets the timers of a session run out.
func TestTimers(t *testing.T) {
	r := newRig(t, nil)
	r.reach(masc.Connect)
	r.wait(119 * time.Second)
	r.want("MASC-D-46", "", masc.Connect)
	r.wait(time.Second)
	r.want("MASC-10.1-10", "dial", masc.Connect)
	r.s.ConnectFailed(r.now)
	r.want("MASC-10.1-9", "", masc.Active)
	r.wait(119 * time.Second)
	r.s.Unexpected(r.now)
	r.wait(119 * time.Second)
	r.want("MASC-10.1-15", "", masc.Active)
	r.wait(time.Second)
	r.want("MASC-10.1-14", "dial", masc.Connect)
	r.s.Connected(r.now, true)
	r.did()
	r.wait(239 * time.Second)
	r.want("MASC-D-40", "", masc.OpenSent)
	r.wait(time.Second)
	r.want("MASC-10.1-26", "4/0, close", masc.Idle)

	r = newRig(t, nil)
	r.reach(masc.Active)
	r.s.Connected(r.now, false)
	r.did()
	r.wait(240 * time.Second)
	r.want("MASC-10.1-13", "4/0, close", masc.Idle)

	r = newRig(t, nil)
	r.reach(masc.OpenConfirm)
	if d := r.s.HoldTime(); d != 90*time.Second { // the smaller
		t.Error("MASC-7.2-8 MASC-10.1-21 MASC-8.2-8:", d)
	}
	r.wait(30 * time.Second)
	r.want("MASC-10.1-34 MASC-7.4-2", "KEEPALIVE", masc.OpenConfirm)
	r.wait(30 * time.Second)
	r.want("MASC-10.1-34", "KEEPALIVE", masc.OpenConfirm)
	r.wait(30 * time.Second)
	r.want("MASC-10.1-32", "4/0, close", masc.Idle)

	for _, refresh := range []masc.Message{keepalive, update(claim(masc.NewClaim, "228.0.0.0/16")), notification(masc.InvalidMask, true)} {
		r = newRig(t, nil)
		r.reach(masc.Established)
		r.wait(89 * time.Second)
		r.receive(refresh)
		r.did()
		r.wait(89 * time.Second)
		if r.did(); r.s.State() != masc.Established {
			t.Errorf("MASC-10.1-40 MASC-D-65: %v does not refresh", refresh.Type)
		}
		r.wait(time.Second)
		r.want("MASC-10.1-44 MASC-8.4-1", "4/0, close, down", masc.Idle)
	}

	r = newRig(t, nil)
	r.reach(masc.Established)
	r.wait(29 * time.Second)
	u := update(claim(masc.NewClaim, "228.0.0.0/16")).Update
	if err := r.s.Send(r.now, &u); err != nil {
		t.Fatal(err)
	}
	r.want("", "UPDATE", masc.Established)
	r.wait(29 * time.Second)
	r.want("MASC-10.1-46", "", masc.Established)
	r.wait(time.Second)
	r.want("MASC-10.1-45 MASC-7.4-1", "KEEPALIVE", masc.Established)

	r = newRig(t, func(c *masc.SessionConfig) { c.HoldTime = -1 })
	r.reach(masc.Established)
	if d, ok := r.s.Deadline(); ok {
		t.Error("MASC-10.1-22 MASC-7.4-5: a timer runs until", d)
	}
	r = newRig(t, func(c *masc.SessionConfig) { c.HoldTime = 4 * time.Second })
	r.reach(masc.Established)
	if d, _ := r.s.Deadline(); d.Sub(r.now) != time.Second {
		t.Error("MASC-7.4-3 MASC-7.4-4:", d.Sub(r.now))
	}
}

// TestBackoff: MASC-10.1-5, MASC-10.1-6.
func TestBackoff(t *testing.T) {
	r := newRig(t, nil)
	r.reach(masc.OpenSent)
	want := time.Minute
	for range 14 {
		r.receive(keepalive) // an error
		r.want("", "5/1, close", masc.Idle)
		r.wait(want - time.Second)
		r.want("MASC-10.1-5 too early", "", masc.Idle)
		r.wait(time.Second)
		r.want("MASC-10.1-6 "+want.String(), "dial", masc.Connect)
		r.s.Connected(r.now, true)
		r.did()
		want = min(2*want, 24*time.Hour)
	}
	r.receive(keepalive)
	r.did()
	r.s.Start(r.now)
	r.want("an operator does not wait", "dial", masc.Connect)
	r.s.Disconnected(r.now)
	r.did()
	r.wait(time.Minute)
	r.want("MASC-D-46 and resets the wait", "dial", masc.Connect)

	r = newRig(t, nil)
	r.reach(masc.Established)
	r.receive(goodOpen)
	r.did()
	r.wait(time.Minute)
	r.want("", "dial", masc.Connect)
	r.s.Connected(r.now, true)
	r.receive(goodOpen)
	r.receive(keepalive)
	r.did()
	r.wait(60 * time.Second)
	r.receive(keepalive)
	r.wait(30 * time.Second) // up for a hold time
	r.s.Disconnected(r.now)
	r.did()
	r.wait(time.Minute)
	r.want("MASC-D-46 a session that lasted resets the wait", "dial", masc.Connect)
	r.s.Stop(r.now)
	r.did()
	if d, ok := r.s.Deadline(); ok {
		t.Error("stopped, but waits until", d)
	}
}

// TestOwnOpen: what each role says of itself (MASC-7.2-15, MASC-7.2-17,
// MASC-D-10, MASC-D-11), and MASC-7.2-11.
func TestOwnOpen(t *testing.T) {
	id := masc.NumberID
	for _, tt := range []struct {
		id   string
		c    masc.OpenRules
		want masc.ID
	}{
		{"MASC-7.2-15 child", masc.OpenRules{Role: masc.Child, PeerDomain: id(7), Parents: []masc.ID{id(7), id(3)}}, id(7)},
		{"MASC-7.2-15 sibling", masc.OpenRules{Role: masc.Sibling, Parent: id(3), Parents: []masc.ID{id(7), id(3)}}, id(3)},
		{"MASC-7.2-15 top-level", masc.OpenRules{Role: masc.Sibling}, masc.ID{}},
		{"MASC-D-11 the lowest", masc.OpenRules{Role: masc.Internal, Parents: []masc.ID{id(7), id(3)}}, id(3)},
		{"MASC-7.2-17 none known", masc.OpenRules{Role: masc.Internal, Orphan: true}, id(64500)},
		{"MASC-D-10 parent", masc.OpenRules{Role: masc.Parent, Parents: []masc.ID{id(7)}}, id(7)},
	} {
		t.Run(tt.id, func(t *testing.T) {
			tt.c.Domain, tt.c.Node, tt.c.Family = id(64500), id(1), masc.FamilyIPv4
			s, err := masc.NewSession(masc.SessionConfig{OpenRules: tt.c})
			if err != nil {
				t.Fatal(err)
			}
			s.Start(masctest.Epoch)
			s.Connected(masctest.Epoch, true)
			for e := range s.Effects() {
				if w, ok := e.(*masc.Write); ok {
					var m masc.Message
					if err := m.Decode(w.Packet); err != nil {
						t.Fatal(err)
					}
					if o := m.Open; o.Parent != tt.want || o.Role != tt.c.Role || o.HoldTime != 240*time.Second || o.Domain != id(64500) {
						t.Errorf("%+v", o)
					}
				}
			}
		})
	}
	for _, bad := range []masc.SessionConfig{{}, {HoldTime: 2 * time.Second}, {HoldTime: time.Second / 2}, {HoldTime: 65536 * time.Second}} {
		if bad.HoldTime != 0 {
			bad.Domain, bad.Node = id(1), id(1)
		}
		if _, err := masc.NewSession(bad); !errors.Is(err, masc.ErrConfig) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

// TestDeferred: an UPDATE with an unknown required attribute is processed, then
// reported with all of its body (MASC-D-63); MASC-10.1-23.
func TestDeferred(t *testing.T) {
	r := newRig(t, nil)
	r.reach(masc.Established)
	b := sized(concat(packet(t, "new-claim"), []byte{0, 4, 6, 0}))
	r.s.Receive(r.now, b)
	var got []byte
	order := ""
	for e := range r.s.Effects() {
		switch e := e.(type) {
		case *masc.Received:
			order += "update "
		case *masc.Write:
			order += "notification"
			got = slices.Clone(e.Packet)
		}
	}
	want := masc.Notification{Stay: true, Reason: masc.UnrecognizedRequiredAttribute, Data: b[4:]}
	if w, _ := want.MarshalBinary(); order != "update notification" || !bytes.Equal(got, w) {
		t.Errorf("%s: %x", order, got)
	}
	if r.s.IsInternal() {
		t.Error("a child is no internal peer")
	}
	in := newRig(t, func(c *masc.SessionConfig) { c.Role, c.PeerDomain = masc.Internal, masc.ID{} })
	in.s.Start(in.now)
	in.s.Connected(in.now, true)
	in.receive(masc.Message{Type: masc.TypeOpen, Open: masc.Open{Domain: masc.NumberID(64500), Node: node("192.0.2.2"), HoldTime: time.Minute}})
	in.did()
	if !in.s.IsInternal() {
		t.Error("an internal peer is one")
	}
}
