// SPDX-License-Identifier: BSD-3-Clause

package xcastnet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/mcastalloc/malloc/xcast"
)

// A Mode is how a [Conn] reaches several destinations.
type Mode uint8

const (
	// Auto is Xcast where a raw socket can be opened, else Unicast. Only in a
	// [Config].
	Auto Mode = iota
	// Xcast: one packet with the list of destinations, for the first Xcast
	// router on the link. If there is none, nobody receives anything.
	Xcast
	// Unicast: a datagram to each destination.
	Unicast
)

// String returns "auto", "xcast" or "unicast".
func (m Mode) String() string {
	switch m {
	case Auto:
		return "auto"
	case Xcast:
		return "xcast"
	case Unicast:
		return "unicast"
	}
	return fmt.Sprintf("Mode(%d)", uint8(m))
}

// ErrTooLong is the error of a payload that no packet to even one destination
// can carry within the MTU.
var ErrTooLong = errors.New("xcastnet: payload does not fit the MTU with even one destination")

// A Config says how a [Conn] sends. Only Code must be set.
type Config struct {
	// Code are the numbers of the experiment. [xcast.Experimental] is a choice
	// for networks that you know.
	Code xcast.CodePoints
	// Mode is Auto, Xcast (Listen fails without a raw socket) or Unicast.
	Mode Mode
	// Interface is where Xcast packets leave; nil leaves it to the system.
	Interface *net.Interface
	// MTU limits Xcast packets, in octets. If 0 it is that of Interface, or
	// 1500. Longer lists are sent in several packets.
	MTU int
	// TTL of Xcast packets; 0 means 64.
	TTL uint8
	// Special is the address of an Xcast server in place of All_Xcast_Routers
	// (RFC 5058 section 11.5).
	Special netip.Addr
	// Channel, Anonymous and StayXcast are fields of the Xcast header.
	Channel              [16]byte
	Anonymous, StayXcast bool
	// Transmit, if set, sends Xcast packets (IP header first) in place of a raw
	// socket. It must not keep the packet.
	Transmit func(packet []byte) error
	// Logger gets one message when Auto falls back to Unicast. Nil logs nothing.
	Logger *slog.Logger
}

// Sent says what WriteTo did.
type Sent struct {
	// Mode is Xcast or Unicast.
	Mode Mode
	// Packets is how many were sent without an error.
	Packets int
}

// A Conn sends to lists of destinations and receives ordinary UDP. Its methods
// may be called by several goroutines. It starts none of its own.
type Conn struct {
	config Config
	udp    *net.UDPConn
	local  netip.AddrPort
	mode   Mode
	raw    func(packet []byte) error // nil in Unicast mode
	close  func() error              // of the raw socket

	mu    sync.Mutex
	id    uint16
	buf   []byte
	cache sendings
}

// sendings are the packets for a list of destinations, without their payload.
type sendings struct {
	destinations []netip.AddrPort
	payload      int // the longest that they have room for
	templates    []*xcast.Template
}

// Listen opens a UDP socket on an address of this host, which is the source of
// what is sent, and a raw socket of the same family if the configuration asks
// for Xcast or the process may have one. A socket on a loopback address is in
// Unicast mode, because no Xcast router takes packets from there. The context
// is only used while the sockets are opened.
func Listen(ctx context.Context, local netip.AddrPort, config Config) (*Conn, error) {
	if err := config.Code.Validate(); err != nil {
		return nil, err
	}
	if !local.Addr().IsValid() || local.Addr().IsUnspecified() || local.Addr().IsMulticast() {
		return nil, fmt.Errorf("xcastnet: local address is %v, want a unicast address of this host", local.Addr())
	}
	lc := net.ListenConfig{}
	pc, err := lc.ListenPacket(ctx, "udp", local.String())
	if err != nil {
		return nil, err
	}
	udp := pc.(*net.UDPConn)
	bound := udp.LocalAddr().(*net.UDPAddr).AddrPort()
	c := &Conn{config: config, udp: udp, local: netip.AddrPortFrom(local.Addr().WithZone(""), bound.Port()), mode: Unicast}
	if err := c.openRaw(ctx); err != nil {
		udp.Close()
		return nil, err
	}
	return c, nil
}

// openRaw chooses the mode.
func (c *Conn) openRaw(ctx context.Context) error {
	if c.config.MTU == 0 {
		c.config.MTU = 1500
		if c.config.Interface != nil {
			c.config.MTU = c.config.Interface.MTU
		}
	}
	switch {
	case c.config.Mode == Unicast:
		return nil
	case c.config.Transmit != nil:
		c.mode, c.raw = Xcast, c.config.Transmit
		return nil
	}
	err := errLoopback
	if !c.local.Addr().IsLoopback() {
		if c.local.Addr().Is4() {
			c.raw, c.close, err = openRaw4(ctx, c.local.Addr(), &c.config)
		} else {
			c.raw, c.close, err = openRaw6(ctx, c.local.Addr(), &c.config)
		}
	}
	switch {
	case err == nil:
		c.mode = Xcast
	case c.config.Mode == Xcast:
		return fmt.Errorf("xcastnet: no raw socket for Xcast: %w", err)
	case c.config.Logger != nil:
		c.config.Logger.Info("sending unicast copies in place of Xcast", "local", c.local, "reason", err)
	}
	return nil
}

var errLoopback = errors.New("loopback addresses do not reach an Xcast router")

// Mode returns Xcast or Unicast: what WriteTo does.
func (c *Conn) Mode() Mode { return c.mode }

// LocalAddr returns the address and port of the UDP socket.
func (c *Conn) LocalAddr() netip.AddrPort { return c.local }

// WriteTo sends the payload to every destination, all of the family of the
// local address: xcast_sendto of RFC 5058 section 12. It returns what was sent
// also when it fails. A single destination is sent ordinary UDP in either mode.
//
// In Xcast mode a list that does not fit one packet goes in several. It fails
// with [ErrTooLong], or with an [*xcast.Error] for a destination that cannot be
// listed; then nothing was sent.
func (c *Conn) WriteTo(payload []byte, destinations []netip.AddrPort) (Sent, error) {
	if c.mode == Unicast || len(destinations) == 1 && !c.config.StayXcast {
		return c.writeUnicast(payload, destinations)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	sent := Sent{Mode: Xcast}
	if err := c.prepare(len(payload), destinations); err != nil {
		return sent, err
	}
	var errs []error
	for _, t := range c.cache.templates {
		c.id++
		var err error
		if c.buf, err = t.AppendPacket(c.buf[:0], payload, c.id); err == nil {
			err = c.raw(c.buf)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		sent.Packets++
	}
	return sent, errors.Join(errs...)
}

// prepare makes the templates for a list, or finds those of the last call.
func (c *Conn) prepare(payload int, destinations []netip.AddrPort) error {
	if payload <= c.cache.payload && slices.Equal(destinations, c.cache.destinations) {
		return nil
	}
	c.cache = sendings{}
	d := xcast.Datagram{
		Code: c.config.Code, Source: c.local, Destinations: slices.Clone(destinations), Channel: c.config.Channel,
		Anonymous: c.config.Anonymous, StayXcast: c.config.StayXcast, TTL: c.config.TTL, To: c.config.Special,
	}
	fresh := sendings{destinations: d.Destinations, payload: payload}
	for part := range d.Split(payload, c.config.MTU) {
		if len(part.Destinations) == 0 {
			return ErrTooLong
		}
		t, err := part.Template()
		if err != nil {
			return err
		}
		fresh.templates = append(fresh.templates, t)
	}
	c.cache = fresh
	return nil
}

// writeUnicast sends a copy to each.
func (c *Conn) writeUnicast(payload []byte, destinations []netip.AddrPort) (Sent, error) {
	sent := Sent{Mode: Unicast}
	var errs []error
	for _, to := range destinations {
		if _, err := c.udp.WriteToUDPAddrPort(payload, to); err != nil {
			errs = append(errs, err)
			continue
		}
		sent.Packets++
	}
	return sent, errors.Join(errs...)
}

// ReadFrom receives a datagram: what others send to the local address, by
// Xcast or not.
func (c *Conn) ReadFrom(b []byte) (int, netip.AddrPort, error) {
	n, from, err := c.udp.ReadFromUDPAddrPort(b)
	return n, netip.AddrPortFrom(from.Addr().Unmap(), from.Port()), err
}

// SetDeadline, SetReadDeadline and SetWriteDeadline are those of the UDP
// socket, as in [net.PacketConn].
func (c *Conn) SetDeadline(t time.Time) error { return c.udp.SetDeadline(t) }

// SetReadDeadline limits ReadFrom.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.udp.SetReadDeadline(t) }

// SetWriteDeadline limits WriteTo in Unicast mode.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.udp.SetWriteDeadline(t) }

// Close closes the sockets. A ReadFrom that waits returns.
func (c *Conn) Close() error {
	err := c.udp.Close()
	if c.close != nil {
		err = errors.Join(err, c.close())
	}
	return err
}
