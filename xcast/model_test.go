// SPDX-License-Identifier: BSD-3-Clause

package xcast_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mcastalloc/malloc/xcast"
	"github.com/mcastalloc/malloc/xcast/xcasttest"
	"pgregory.net/rapid"
)

// TestForwardModel compares a forwarder with the algorithm of RFC 5058 section 2
// written down as plainly as possible. XCAST-2-1, XCAST-2-4, XCAST-2-5,
// XCAST-2-6, XCAST-2-8, XCAST-8.2-2, XCAST-11.1-1.
func TestForwardModel(t *testing.T) {
	code := xcast.Experimental()
	rapid.Check(t, func(t *rapid.T) {
		packet := xcasttest.Packet(code).Draw(t, "packet")
		c := tables(t)
		f, err := xcast.NewForwarder(c)
		if err != nil {
			t.Fatal(err)
		}
		r, err := f.Forward(0, packet)
		if err != nil {
			return // whole packets are refused by TestDiscard
		}
		if got, want := say(r), model(view(t, packet), &c); got != want {
			t.Fatalf("XCAST-2-1:\n got %s\nwant %s", got, want)
		}
	})
}

// model says what say would say.
func model(p *xcast.Packet, c *xcast.Config) string {
	type line struct {
		first int
		text  string
	}
	var lines []line
	put := func(set []int, format string, args ...any) {
		lines = append(lines, line{set[0], fmt.Sprintf(format, append([]any{bitmap(set)}, args...)...)})
	}
	x2u := !p.StayXcast() && p.Convertible()
	var local, rest []int
	for i := range p.Active().All() {
		if c.Local(p.Address(i)) {
			local = append(local, i)
		} else {
			rest = append(rest, i)
		}
	}
	if x2u {
		for _, i := range local {
			put([]int{i}, "deliver %v")
		}
	} else if len(local) > 0 {
		put(local, "deliver %v")
	}
	switch {
	case len(rest) == 0:
	case c.Local(p.Source()):
		put(rest, "drop %v own-source")
	case p.TTL() <= 1:
		put(rest, "drop %v ttl")
	default:
		groups, keys := map[string][]int{}, []string{}
		for _, i := range rest {
			key := modelKey(p, c, i)
			if key == "" {
				put([]int{i}, "drop %v no-route")
				continue
			}
			if groups[key] == nil {
				keys = append(keys, key)
			}
			groups[key] = append(groups[key], i)
		}
		for _, key := range keys {
			for _, part := range modelParts(p, c, key, groups[key], x2u) {
				text := modelSend(p, c, key, part, x2u)
				put(part, text)
			}
		}
	}
	slices.SortFunc(lines, func(a, b line) int { return a.first - b.first })
	var text []string
	for _, l := range lines {
		text = append(text, l.text)
	}
	return strings.Join(text, "; ")
}

func bitmap(set []int) (m xcast.Bitmap) {
	for _, i := range set {
		m = m.Or(xcast.Bit(i))
	}
	return m
}

// modelKey names where a destination goes: "" for nowhere.
func modelKey(p *xcast.Packet, c *xcast.Config, i int) string {
	a := p.Address(i)
	if t, ok := c.Peer(a); ok {
		return "tunnel " + t.Remote.String()
	}
	r, ok := c.Route(a)
	switch {
	case !ok:
		return ""
	case r.Capable:
		return fmt.Sprint("xcast ", r.Gateway, r.Interface)
	}
	return fmt.Sprint("plain ", r.Gateway, r.Interface)
}

// modelParts divides a group into packets.
func modelParts(p *xcast.Packet, c *xcast.Config, key string, group []int, x2u bool) (parts [][]int) {
	explode := strings.HasPrefix(key, "plain") || c.Policy == xcast.X2UAlways && x2u
next:
	for _, i := range group {
		for k, part := range parts {
			fits := !explode
			for _, j := range part {
				a, _ := p.DSCP(i)
				b, _ := p.DSCP(j)
				_, ok := xcast.CompareDSCP(a, b)
				fits = fits && ok
			}
			if fits {
				parts[k] = append(part, i)
				continue next
			}
		}
		parts = append(parts, []int{i})
	}
	return parts
}

// modelSend says how one packet goes out, as a format for its set.
func modelSend(p *xcast.Packet, c *xcast.Config, key string, part []int, x2u bool) string {
	plain, tunnel := strings.HasPrefix(key, "plain"), strings.HasPrefix(key, "tunnel")
	r, routed := c.Route(p.Address(part[0]))
	_, segment := p.Transport()
	df := p.Family() == xcast.Xcast6 || xcast.IPv4(p.Bytes()).DontFragment()
	header := map[xcast.Family]int{xcast.Xcast4: 20, xcast.Xcast6: 40}[p.Family()]
	out := func(kind string, size int, r xcast.Route, mayFragment bool) string {
		if r.MTU > 0 && size > int(r.MTU) {
			if !mayFragment {
				return "drop %v mtu"
			}
			return kind + " %v to " + r.Gateway.String() + " in fragments"
		}
		return kind + " %v to " + r.Gateway.String()
	}
	single := len(part) == 1 && x2u && c.Policy != xcast.X2UNever && (!tunnel || routed)
	switch {
	case plain && p.StayXcast():
		return "drop %v x-bit"
	case plain && !x2u:
		return "drop %v not-convertible"
	case c.Policy == xcast.X2UAlways && x2u && !routed:
		return "drop %v no-route"
	case plain || single || c.Policy == xcast.X2UAlways && x2u:
		return out("unicast", header+modelKept(p)+len(segment), r, !df)
	case tunnel:
		t, _ := c.Peer(p.Address(part[0]))
		r, ok := c.Route(t.Remote)
		switch {
		case p.Source() == t.Remote:
			return "drop %v tunnel-loop"
		case !ok:
			return "drop %v no-route"
		}
		return out("tunnelled", header+len(p.Bytes()), r, !df)
	}
	return out("xcast", len(p.Bytes()), r, false)
}

// modelKept is the Destination Options header that stays after X2U: one with
// more than ports.
func modelKept(p *xcast.Packet) int {
	if p.Family() == xcast.Xcast4 {
		return 0
	}
	h := xcast.Header6{Code: xcast.Experimental()}
	if _, err := h.Decode(p.Bytes()[40:]); err != nil || len(h.Options) == 0 {
		return 0
	}
	return (4 + 2*len(h.Ports) + len(h.Options) + 7) &^ 7
}
