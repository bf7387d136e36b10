// SPDX-License-Identifier: BSD-3-Clause

// Package madcapserver compares a madcapnet.Server on loopback with a bare UDP
// echo: the least a server can do with a datagram, through the same calls of
// the system.
//
// Server and echo run in this process and take turns, pass after pass; a ratio
// is taken inside each pass and the median counts.
package madcapserver

import (
	"context"
	"encoding/binary"
	"fmt"
	"iter"
	"math/rand/v2"
	"net"
	"net/netip"
	"runtime"
	"time"

	"golang.org/x/net/ipv4"

	"github.com/mcastalloc/malloc/internal/bench/ratio"
	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/madcap"
	"github.com/mcastalloc/malloc/madcap/madcapnet"
	"github.com/mcastalloc/malloc/scope"
)

// requests is how many requests a pass sends.
const requests = 20000

// Rows measures and yields one row after the other.
func Rows() iter.Seq[ratio.Row] {
	return func(yield func(ratio.Row) bool) {
		server, stop, err := startServer()
		if err != nil {
			panic(err)
		}
		defer stop()
		echo, stopEcho, err := startEcho()
		if err != nil {
			panic(err)
		}
		defer stopEcho()
		for _, what := range []struct {
			name   string
			target float64 // for the rate
			s      *source
		}{{"GETINFO", 0.92, newSource(madcap.TypeGetInfo)}, {"REQUEST", 0.85, newSource(madcap.TypeRequest)}} {
			for _, inFlight := range []int{1, 8, 32} {
				name, target := fmt.Sprintf("%s answered, %d in flight", what.name, inFlight), what.target
				if inFlight == 1 {
					name, target = what.name+", round trip, p50", 1.1
				}
				var allocs []float64
				row := ratio.Of(name, "bare echo, same calls", target, func() (float64, float64) {
					e, r := load(echo, what.s, inFlight), load(server, what.s, inFlight)
					allocs = append(allocs, r.allocs)
					if inFlight == 1 {
						return r.p50, e.p50
					}
					return r.perSecond, e.perSecond
				})
				row.Unit, row.AtLeast = "us", false
				if inFlight > 1 {
					row.Unit, row.AtLeast = "/s", true
				}
				_, row.Allocs, _ = ratio.Quartiles(allocs)
				if !yield(row) {
					return
				}
			}
		}
	}
}

// startServer runs a server on a pool of twelve million addresses.
func startServer() (netip.AddrPort, func(), error) {
	wide := scope.Scope{Range: scope.MustRange("239.0.0.0", "239.191.255.255"), TTL: 255}
	pool, err := lease.NewPool(lease.Config{Scopes: []scope.Scope{wide}, MaxLeases: 1 << 22})
	if err != nil {
		return netip.AddrPort{}, nil, err
	}
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		return netip.AddrPort{}, nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	s, err := madcapnet.NewServer(ctx, madcapnet.ServerConfig{Allocator: pool, Conns: []net.PacketConn{conn}})
	if err != nil {
		cancel()
		return netip.AddrPort{}, nil, err
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	return conn.LocalAddr().(*net.UDPAddr).AddrPort(), func() { cancel(); <-done; conn.Close() }, nil
}

// startEcho sends back what it gets, with the calls and the control messages
// that the server uses.
func startEcho() (netip.AddrPort, func(), error) {
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		return netip.AddrPort{}, nil, err
	}
	flags := ipv4.FlagDst | ipv4.FlagInterface
	if err := ipv4.NewPacketConn(conn).SetControlMessage(flags, true); err != nil {
		return netip.AddrPort{}, nil, err
	}
	out := (&ipv4.ControlMessage{Src: net.IPv4(127, 0, 0, 1).To4()}).Marshal()
	go func() {
		buf, oob := make([]byte, 65535), ipv4.NewControlMessage(flags)
		for {
			n, _, _, from, err := conn.ReadMsgUDPAddrPort(buf, oob)
			if err != nil {
				return
			}
			conn.WriteMsgUDPAddrPort(buf[:n], out, from)
		}
	}()
	return conn.LocalAddr().(*net.UDPAddr).AddrPort(), func() { conn.Close() }, nil
}

// source makes requests that all differ in transaction and Lease Identifier.
type source struct {
	packet []byte
	id     int // where the Lease Identifier's last eight octets stand
	count  uint64
}

func newSource(t madcap.MessageType) *source {
	id := madcap.RandomLeaseIdentifier(rand.New(rand.NewPCG(1, uint64(t))))
	m := madcap.Message{Type: t, Family: madcap.FamilyIPv4, LeaseIdentifier: id}
	if t == madcap.TypeGetInfo {
		m.OptionRequestList = []madcap.OptionCode{madcap.OptScopeList, madcap.OptNestingState}
	} else {
		m.Scope = netip.MustParseAddr("239.0.0.0")
		m.LeaseTime = madcap.Some(time.Hour)
	}
	m.Order = []madcap.OptionCode{madcap.OptLeaseIdentifier}
	b, err := m.AppendValid(nil, 0, false)
	if err != nil {
		panic(err)
	}
	return &source{packet: b, id: 8 + 4 + len(id) - 8}
}

func (s *source) next() []byte {
	s.count++
	binary.BigEndian.PutUint32(s.packet[4:], uint32(s.count))
	binary.BigEndian.PutUint64(s.packet[s.id:], s.count)
	return s.packet
}

type result struct{ perSecond, p50, allocs float64 }

// load sends requests, so many at once, and waits for their answers.
func load(to netip.AddrPort, s *source, inFlight int) result {
	c, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(to))
	if err != nil {
		panic(err)
	}
	defer c.Close()
	send := func() {
		if _, err := c.Write(s.next()); err != nil {
			panic(err)
		}
	}
	buf := make([]byte, 65535)
	trips := make([]float64, 0, requests)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	c.SetReadDeadline(time.Now().Add(time.Minute))
	start := time.Now()
	for range inFlight {
		send()
	}
	sent := start
	for i := range requests {
		if _, err := c.Read(buf); err != nil {
			panic(err)
		}
		trips = append(trips, float64(time.Since(sent).Nanoseconds())/1000)
		if i+inFlight < requests {
			sent = time.Now()
			send()
		}
	}
	d := time.Since(start)
	runtime.ReadMemStats(&after)
	_, p50, _ := ratio.Quartiles(trips)
	return result{requests / d.Seconds(), p50, float64(after.Mallocs-before.Mallocs) / requests}
}
