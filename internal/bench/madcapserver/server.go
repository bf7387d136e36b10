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
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"time"

	"golang.org/x/net/ipv4"

	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/madcap"
	"github.com/mcastalloc/malloc/madcap/madcapnet"
	"github.com/mcastalloc/malloc/scope"
)

// Passes is how often each row is measured.
var Passes = 9

// requests is how many requests a pass sends.
const requests = 20000

// Run measures and prints all rows.
func Run(w io.Writer) error {
	server, stop, err := startServer()
	if err != nil {
		return err
	}
	defer stop()
	echo, stopEcho, err := startEcho()
	if err != nil {
		return err
	}
	defer stopEcho()

	getinfo, request := newSource(madcap.TypeGetInfo), newSource(madcap.TypeRequest)
	fmt.Fprintf(w, "%-58s %7s %7s %17s %12s %12s %s\n", "what", "target", "ratio", "middle half", "server", "echo", "allocs/request")
	for _, inFlight := range []int{1, 8, 32} {
		for _, row := range []struct {
			name   string
			target float64
			s      *source
		}{{"GETINFO", 0.92, getinfo}, {"REQUEST", 0.85, request}} {
			var ratios, ours, theirs, allocs []float64
			var p50, p50echo []float64
			for range Passes {
				e, err := load(echo, row.s, inFlight)
				if err != nil {
					return err
				}
				r, err := load(server, row.s, inFlight)
				if err != nil {
					return err
				}
				ratios = append(ratios, r.perSecond/e.perSecond)
				ours, theirs = append(ours, r.perSecond), append(theirs, e.perSecond)
				allocs = append(allocs, r.allocs)
				p50, p50echo = append(p50, r.p50), append(p50echo, e.p50)
			}
			if inFlight == 1 {
				for i := range p50 {
					ratios[i] = p50[i] / p50echo[i]
				}
				print(w, fmt.Sprintf("%s round trip, p50, one in flight", row.name), 1.1, false, ratios, p50, p50echo, "us", allocs)
				continue
			}
			print(w, fmt.Sprintf("%s answered, requests/s, %d in flight", row.name, inFlight), row.target, true, ratios, ours, theirs, "/s", allocs)
		}
	}
	return nil
}

func print(w io.Writer, what string, target float64, atLeast bool, ratios, ours, theirs []float64, unit string, allocs []float64) {
	low, ratio, high := quartiles(ratios)
	_, a, _ := quartiles(ours)
	_, b, _ := quartiles(theirs)
	_, n, _ := quartiles(allocs)
	sign, ok := "<=", ratio <= target
	if atLeast {
		sign, ok = ">=", ratio >= target
	}
	verdict := "meets"
	if !ok {
		verdict = "MISSES"
	}
	fmt.Fprintf(w, "%-58s %2s %.2f %7.3f (%.3f - %.3f) %9.6g %-2s %9.6g %-2s %8.3f  %s\n", what, sign, target, ratio, low, high, a, unit, b, unit, n, verdict)
}

func quartiles(v []float64) (low, median, high float64) {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/4], v[len(v)/2], v[len(v)*3/4]
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
func load(to netip.AddrPort, s *source, inFlight int) (result, error) {
	c, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(to))
	if err != nil {
		return result{}, err
	}
	defer c.Close()
	buf := make([]byte, 65535)
	trips := make([]float64, 0, requests)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	start := time.Now()
	for range inFlight {
		if _, err := c.Write(s.next()); err != nil {
			return result{}, err
		}
	}
	c.SetReadDeadline(time.Now().Add(30 * time.Second))
	sent := start
	for i := range requests {
		if _, err := c.Read(buf); err != nil {
			return result{}, err
		}
		now := time.Now()
		trips = append(trips, float64(now.Sub(sent).Nanoseconds())/1000)
		if i+inFlight < requests {
			sent = time.Now()
			if _, err := c.Write(s.next()); err != nil {
				return result{}, err
			}
		}
	}
	d := time.Since(start)
	runtime.ReadMemStats(&after)
	_, p50, _ := quartiles(trips)
	return result{requests / d.Seconds(), p50, float64(after.Mallocs-before.Mallocs) / requests}, nil
}
