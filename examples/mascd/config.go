// SPDX-License-Identifier: BSD-3-Clause

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mcastalloc/malloc/masc"
	"github.com/mcastalloc/malloc/masc/mascnet"
)

// config is the configuration file.
type config struct {
	Timers timers   `json:"timers"`
	Pool   string   `json:"pool"` // default 224.0.0.0/4
	Stop   duration `json:"stop"` // after which to stop; 0 for never
	Nodes  []node   `json:"nodes"`
}

// timers replace the defaults of RFC 2909.
type timers struct {
	Waiting    duration `json:"waiting"`
	ClaimDelay duration `json:"claimDelay"`
	Reclaim    duration `json:"reclaim"`
	Lifetime   duration `json:"lifetime"`
	Hold       duration `json:"hold"`
	Retry      duration `json:"retry"`
	Boot       duration `json:"boot"`
}

type node struct {
	Name      string   `json:"name"`
	Domain    uint64   `json:"domain"`
	Listen    string   `json:"listen"`
	Store     string   `json:"store"` // directory for the snapshot; empty: none
	Want      float64  `json:"want"`  // addresses the domain needs
	WantAfter duration `json:"wantAfter"`
	Peers     []peer   `json:"peers"`
}

type peer struct {
	Role    string `json:"role"` // of this node: internal, child, sibling or parent
	Domain  uint64 `json:"domain"`
	Parent  uint64 `json:"parent"` // of siblings: the common one
	Address string `json:"address"`
}

// duration reads "48h" and the like.
type duration time.Duration

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	*d = duration(v)
	return err
}

func readConfig(name string) (*config, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	c := &config{Pool: "224.0.0.0/4"}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(c); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(c.Nodes) == 0 {
		return nil, fmt.Errorf("%s: no nodes", name)
	}
	return c, nil
}

// server makes what mascnet needs of a node.
func (c *config) server(n *node) (mascnet.Config, error) {
	var out mascnet.Config
	at, err := netip.ParseAddrPort(n.Listen)
	if err != nil {
		return out, fmt.Errorf("node %q: %w", n.Name, err)
	}
	pool, err := netip.ParsePrefix(c.Pool)
	if err != nil {
		return out, err
	}
	t := &c.Timers
	out.Speaker = masc.SpeakerConfig{HoldTime: time.Duration(t.Hold), ConnectRetry: time.Duration(t.Retry), BootDelay: time.Duration(t.Boot),
		Node: masc.NodeConfig{Domain: masc.NumberID(n.Domain), Node: masc.AddrID(at.Addr()),
			Rand:    rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())),
			Waiting: time.Duration(t.Waiting), ClaimDelay: time.Duration(t.ClaimDelay),
			ReclaimPeriod: time.Duration(t.Reclaim), Lifetime: time.Duration(t.Lifetime)}}
	if t.Retry != 0 {
		out.Speaker.MinBackoff, out.Speaker.MaxBackoff = time.Duration(t.Retry), 10*time.Duration(t.Retry)
	}
	if at.Addr().Is6() {
		out.Speaker.Family = masc.FamilyIPv6
	}
	for _, p := range n.Peers {
		role := strings.Index("internal child    sibling  parent   ", p.Role+" ")
		to, err := netip.ParseAddrPort(p.Address)
		if role < 0 || p.Role == "" || err != nil {
			return out, fmt.Errorf("node %q: peer %+v: want a role of internal, child, sibling or parent, and an address", n.Name, p)
		}
		mp := masc.Peer{Role: masc.Role(role / 9), Domain: masc.NumberID(p.Domain), Parent: masc.NumberID(p.Parent)}
		nc := &out.Speaker.Node
		nc.Peers = append(nc.Peers, mp)
		out.Peers = append(out.Peers, to)
		if mp.Role == masc.Child {
			nc.Parents = append(nc.Parents, mp.Domain)
		}
	}
	out.Speaker.Node.Spaces = []masc.Space{{Prefix: masc.PrefixOf(pool), TopLevel: len(out.Speaker.Node.Parents) == 0}}
	out.Local = at.Addr()
	if err := n.load(&out); err != nil {
		return out, err
	}
	out.Listener, err = net.Listen("tcp", n.Listen)
	return out, err
}

// load reads the snapshot of an earlier run, and sees to it that new ones are
// stored.
func (n *node) load(c *mascnet.Config) error {
	if n.Store == "" {
		return nil
	}
	name := filepath.Join(n.Store, n.Name+".masc")
	b, err := os.ReadFile(name)
	if err == nil {
		err = c.Snapshot.UnmarshalBinary(b)
	} else if os.IsNotExist(err) {
		err = nil
	}
	c.Persist = func(s masc.Snapshot) error {
		b, err := s.MarshalBinary()
		if err != nil {
			return err
		}
		if err := os.WriteFile(name+".new", b, 0o600); err != nil {
			return err
		}
		return os.Rename(name+".new", name)
	}
	return err
}
