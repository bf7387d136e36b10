// SPDX-License-Identifier: BSD-3-Clause

package madcapnet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/madcap"
)

// call is something to be done by the goroutine that owns the machine.
type call struct {
	f    func(now time.Time)
	done chan struct{} // closed when it is done
}

// errClosed is what every call returns after Close.
var errClosed = fmt.Errorf("%w: %w", lease.ErrNoServer, net.ErrClosed)

// do runs f in the loop and waits for it. It fails after Close.
func (c *Client) do(f func(now time.Time)) error {
	k := call{f, make(chan struct{})}
	select {
	case c.calls <- k:
		<-k.done
		return nil
	case <-c.closed:
		return errClosed
	}
}

// loop owns the machine and its timer until Close.
func (c *Client) loop() {
	defer close(c.closed)
	defer c.timer.Stop()
	for {
		select {
		case k := <-c.calls:
			k.f(c.cfg.Now())
			c.effects()
			close(k.done)
		case <-c.timer.C:
			c.machine.Advance(c.cfg.Now())
			c.effects()
		case <-c.stop:
			for h, done := range c.waiting {
				delete(c.waiting, h)
				close(done)
				c.machine.Cancel(c.cfg.Now(), h)
			}
			c.effects()
			return
		}
		c.arm()
	}
}

// arm sets the timer to the machine's deadline.
func (c *Client) arm() {
	due, ok := c.machine.Deadline()
	if !ok {
		c.timer.Stop()
		return
	}
	c.timer.Reset(max(0, due.Sub(c.cfg.Now())))
}

// effects does what the machine wants done.
func (c *Client) effects() {
	for e := range c.machine.Effects() {
		switch e := e.(type) {
		case *madcap.Send:
			if c.sendErr = c.send(e); c.sendErr != nil {
				c.cfg.Logger.Warn("message not sent", "to", e.To, "err", c.sendErr)
			}
		case *madcap.Done:
			if errors.Is(e.Err, madcap.ErrNoAnswer) && c.sendErr != nil {
				e.Err = fmt.Errorf("%w, and sending fails: %w", e.Err, c.sendErr)
			}
			if done := c.waiting[e.Handle]; done != nil {
				delete(c.waiting, e.Handle)
				done <- e
			} else if e.Err != nil {
				c.cfg.Logger.Debug("nobody waits for this", "message", e.Request.Type, "err", e.Err)
			}
		}
	}
}

// send sends a datagram on the socket that suits its destination.
func (c *Client) send(e *madcap.Send) error {
	to := e.To
	if a := to.Addr(); a.Is6() && a.IsLinkLocalUnicast() && a.Zone() == "" && c.cfg.Interface != nil {
		to = netip.AddrPortFrom(a.WithZone(c.cfg.Interface.Name), to.Port())
	}
	best := c.sockets[0]
	for _, s := range c.sockets {
		if to.Addr().Is4() && s.is4() || to.Addr().Is6() && s.is6() {
			best = s
		}
	}
	if best.is4() && !to.Addr().Is4() {
		return fmt.Errorf("madcapnet: no socket to send to %v", to)
	}
	return best.write(e.Packet, to, e.From)
}

// maxReadErrors is how often in a row a socket may fail to read.
const maxReadErrors = 1024

// receive reads datagrams until Close, or until the socket fails for good.
func (c *Client) receive(s *socket) {
	buf := make([]byte, maxDatagram)
	for failed := 0; failed < maxReadErrors; {
		in, err := s.read(buf)
		if err == nil {
			failed = 0
			err = c.do(func(now time.Time) { c.machine.Receive(now, in.from, in.payload) })
		}
		select {
		case <-c.closed:
			return
		default:
		}
		if err == nil {
			continue
		}
		failed++
		if errors.Is(err, net.ErrClosed) {
			break
		}
		c.cfg.Logger.Debug("datagram not received", "err", err)
	}
	c.cfg.Logger.Error("socket failed, nothing more is received on it", "local", s.conn.LocalAddr())
}

// starter starts a transaction of the machine.
type starter func(now time.Time) (madcap.Handle, error)

// exchange starts a transaction and waits until it is done or ctx ends. In the
// second case the transaction is cancelled; if a REQUEST has gone out the
// machine releases what it may have been granted. The error is that of start,
// of ctx, or errClosed; how the transaction ended is in Done.
func (c *Client) exchange(ctx context.Context, start starter) (*madcap.Done, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return c.wait(ctx, start, func(now time.Time, h madcap.Handle) { c.machine.Cancel(now, h) })
}

// insist is exchange for a RELEASE, which is sent and sent again though ctx has
// ended: nobody wants the lease any more.
func (c *Client) insist(ctx context.Context, start starter) (*madcap.Done, error) {
	return c.wait(ctx, start, func(time.Time, madcap.Handle) {})
}

// wait starts a transaction and waits until it is done or ctx ends; in the
// second case it calls stop in the loop.
func (c *Client) wait(ctx context.Context, start starter, stop func(time.Time, madcap.Handle)) (*madcap.Done, error) {
	var handle madcap.Handle
	var err error
	done := make(chan *madcap.Done, 1)
	closed := c.do(func(now time.Time) {
		if handle, err = start(now); err == nil {
			c.waiting[handle] = done
		}
	})
	if err := errors.Join(closed, err); err != nil {
		return nil, err
	}
	select {
	case d, ok := <-done:
		return finished(d, ok)
	case <-ctx.Done():
	}
	if err := c.do(func(now time.Time) {
		delete(c.waiting, handle)
		stop(now, handle)
	}); err != nil {
		return nil, err
	}
	select {
	case d, ok := <-done: // it was done just before
		return finished(d, ok)
	default:
		return nil, ctx.Err()
	}
}

func finished(d *madcap.Done, ok bool) (*madcap.Done, error) {
	if !ok {
		return nil, errClosed
	}
	return d, nil
}
