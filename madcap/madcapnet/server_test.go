// SPDX-License-Identifier: BSD-3-Clause

package madcapnet

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/madcap"
	"github.com/mcastalloc/malloc/scope"
)

// stub is an allocator that serves the Local Scopes and answers each call with
// what the test has put there.
type stub struct {
	allocate func(context.Context, lease.Request) (lease.Lease, error)
	change   func(context.Context, lease.Lease, lease.Terms) (lease.Lease, error)
	release  func(context.Context, lease.Lease) error
	offer    func(context.Context, lease.Request, time.Duration) (lease.Lease, error)
	withdraw func(context.Context, lease.ID) error
}

var errStub = errors.New("the stub does not do that")

func (s *stub) Allocate(ctx context.Context, r lease.Request) (lease.Lease, error) {
	if s.allocate == nil {
		return lease.Lease{}, errStub
	}
	return s.allocate(ctx, r)
}

func (s *stub) Change(ctx context.Context, l lease.Lease, to lease.Terms) (lease.Lease, error) {
	if s.change == nil {
		return lease.Lease{}, errStub
	}
	return s.change(ctx, l, to)
}

func (s *stub) ChangeLifetime(context.Context, lease.Lease, lease.Window) (lease.Lease, error) {
	return lease.Lease{}, errStub
}

func (s *stub) ChangeStart(context.Context, lease.Lease, lease.Window) (lease.Lease, error) {
	return lease.Lease{}, errStub
}

func (s *stub) Release(ctx context.Context, l lease.Lease) error {
	if s.release == nil {
		return errStub
	}
	return s.release(ctx, l)
}

func (s *stub) Offer(ctx context.Context, r lease.Request, hold time.Duration) (lease.Lease, error) {
	if s.offer == nil {
		return lease.Lease{}, errStub
	}
	return s.offer(ctx, r, hold)
}

func (s *stub) Withdraw(ctx context.Context, id lease.ID) error {
	if s.withdraw == nil {
		return errStub
	}
	return s.withdraw(ctx, id)
}

func (s *stub) Scopes(_ context.Context, f lease.Family) ([]scope.Scope, error) {
	if f == lease.IPv4 {
		return []scope.Scope{scope.IPv4Local(), scope.IPv4OrganizationLocal()}, nil
	}
	return []scope.Scope{scope.IPv6(3)}, nil
}

func (s *stub) Nesting(_ context.Context, ids ...scope.ID) (*scope.Nesting, error) {
	return scope.NewNesting(ids...), nil
}

// serve runs a server on a port the system chooses until the test ends.
func serve(t testing.TB, cfg ServerConfig) *Server {
	t.Helper()
	if cfg.Port == 0 && len(cfg.Conns) == 0 {
		cfg.Port = -1
	}
	s, err := NewServer(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return s
}

// port returns the port of the server's sockets.
func port(s *Server) uint16 { return s.Addrs()[0].Port() }

// ask sends a message to the server over loopback and returns the answer.
func ask(t *testing.T, c *net.UDPConn, to netip.AddrPort, m *madcap.Message) *madcap.Message {
	t.Helper()
	b, err := m.AppendValid(nil, 0, to.Addr().IsMulticast())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.WriteToUDPAddrPort(b, to); err != nil {
		t.Fatal(err)
	}
	c.SetReadDeadline(time.Now().Add(5 * time.Second))
	buf := make([]byte, maxDatagram)
	n, _, err := c.ReadFromUDPAddrPort(buf)
	if err != nil {
		t.Fatal(err)
	}
	var answer madcap.Message
	if err := answer.UnmarshalBinary(buf[:n]); err != nil {
		t.Fatal(err)
	}
	if answer.XID != m.XID || string(answer.LeaseIdentifier) != string(m.LeaseIdentifier) {
		t.Fatalf("answer %+v does not belong to %+v", answer, m)
	}
	return &answer
}

// dial opens a client's socket on loopback.
func dial(t *testing.T, network string) *net.UDPConn {
	t.Helper()
	at := netip.MustParseAddrPort("127.0.0.1:0")
	if network == "udp6" {
		at = netip.MustParseAddrPort("[::1]:0")
	}
	c, err := net.ListenUDP(network, net.UDPAddrFromAddrPort(at))
	if err != nil {
		t.Skipf("no %s on loopback here: %v", network, err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

var infoRequest = madcap.Message{
	Type: madcap.TypeGetInfo, Family: madcap.FamilyIPv4, XID: 7,
	LeaseIdentifier:   madcap.LeaseIdentifier("\x00sixteen octets!!"),
	OptionRequestList: []madcap.OptionCode{madcap.OptScopeList},
}

// TestServerUnicast asks for the scopes on both families, one datagram at a
// time and in batches. The Server Identifier is the address the datagram was
// sent to (MADCAP-D-54), and the answer comes to the source port (MADCAP-2-3).
func TestServerUnicast(t *testing.T) {
	for _, n := range []int{1, 8} {
		s := serve(t, ServerConfig{Allocator: &stub{}, Batch: n})
		for network, host := range map[string]string{"udp4": "127.0.0.1", "udp6": "::1"} {
			c := dial(t, network)
			to := netip.AddrPortFrom(netip.MustParseAddr(host), port(s))
			req := infoRequest
			req.XID = uint32(len(host)) // another message, not a retransmission
			m := ask(t, c, to, &req)
			if m.Type != madcap.TypeAck || len(m.ScopeList.Value) != 2 || m.ServerIdentifier.Addr != to.Addr() {
				t.Errorf("batch %d, %s: got %+v", n, network, m)
			}
		}
	}
}

// TestServerMulticast asks on the server group of the Local Scope, over
// loopback.
func TestServerMulticast(t *testing.T) {
	s := serve(t, ServerConfig{Allocator: &stub{}})
	for network, group := range map[string]netip.Addr{
		"udp4": madcap.DefaultServerGroup(madcap.FamilyIPv4), "udp6": madcap.DefaultServerGroup(madcap.FamilyIPv6),
	} {
		t.Run(network, func(t *testing.T) {
			c := dial(t, network)
			to := netip.AddrPortFrom(group, port(s))
			if err := newSocket(c).multicastVia(loopback(t), 16); err != nil {
				t.Skipf("no multicast on loopback here: %v", err)
			}
			if _, err := c.WriteToUDPAddrPort([]byte{0}, to); err != nil {
				t.Skipf("no multicast on loopback here: %v", err)
			}
			if m := ask(t, c, to, &infoRequest); m.Type != madcap.TypeAck || !m.ServerIdentifier.Addr.IsLoopback() {
				t.Errorf("got %+v", m)
			}
		})
	}
}

func loopback(t *testing.T) *net.Interface {
	t.Helper()
	all, err := net.Interfaces()
	if err != nil {
		t.Skip(err)
	}
	for i := range all {
		if all[i].Flags&net.FlagLoopback != 0 {
			return &all[i]
		}
	}
	t.Skip("no loopback interface")
	return nil
}
