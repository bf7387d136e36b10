// SPDX-License-Identifier: BSD-3-Clause

package aapnet

import (
	"context"
	"iter"
	"net/netip"
	"sync"
	"time"

	"github.com/mcastalloc/malloc/aap"
)

// machine is what both roles have in common for the loop that drives them.
type machine interface {
	Receive(now time.Time, d aap.Datagram) error
	Advance(now time.Time)
	Deadline() (time.Time, bool)
	Effects() iter.Seq[aap.Effect]
}

// driver runs a machine: it takes the time, locks around it, and carries out its
// effects in order.
type driver struct {
	net  Network
	conn *conn
	save func() error     // of Persist, with the lock held
	tell func(aap.Effect) // of the news, without it, one at a time
	done chan struct{}    // closed when the loop has ended
	wake chan struct{}    // the deadline may have moved

	mu      sync.Mutex
	m       machine
	retry   time.Time // when to try the store again; zero if nothing is unsaved
	news    []aap.Effect
	telling bool
}

func (n Network) newDriver(group netip.Addr, m machine) (*driver, error) {
	c, err := n.open(group)
	if err != nil {
		return nil, err
	}
	return &driver{net: n, conn: c, m: m, done: make(chan struct{}), wake: make(chan struct{}, 1)}, nil
}

// do calls the machine and carries out what comes of it.
func (d *driver) do(f func(now time.Time)) {
	d.mu.Lock()
	now := d.net.Now()
	f(now)
	d.carryOut(now)
	d.mu.Unlock()
	select {
	case d.wake <- struct{}{}:
	default:
	}
	d.tellAll()
}

// ask calls a method of the machine that changes nothing.
func (d *driver) ask(f func(now time.Time)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f(d.net.Now())
}

// retryAfter is how long after a failure the store is tried again.
const retryAfter = time.Second

// carryOut stores, sends and queues the news. While the store fails, nothing is
// sent, as what a datagram says might be forgotten, and nothing is told; to the
// others it is as if the network were down.
func (d *driver) carryOut(now time.Time) {
	due := !d.retry.IsZero() && !now.Before(d.retry)
	var sends []aap.Send
	for e := range d.m.Effects() {
		switch e := e.(type) {
		case aap.Persist:
			due = true
		case aap.Send:
			sends = append(sends, e)
		default:
			d.news = append(d.news, e)
		}
	}
	if due {
		d.retry = time.Time{}
		if err := d.save(); err != nil {
			d.retry = now.Add(retryAfter)
			d.net.Logger.Error("cannot store", "error", err)
		}
	}
	if !d.retry.IsZero() {
		return
	}
	for _, s := range sends {
		if err := d.conn.send(s.Group, s.Packet); err != nil {
			d.net.Logger.Warn("cannot send", "group", s.Group, "error", err)
		}
	}
}

// tellAll tells the news in order. One goroutine does so at a time; what is told
// may call the machine again.
func (d *driver) tellAll() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.telling {
		return
	}
	d.telling = true
	for len(d.news) > 0 && d.retry.IsZero() {
		x := d.news[0]
		d.news = d.news[1:]
		d.mu.Unlock()
		d.tell(x)
		d.mu.Lock()
	}
	d.telling = false
}

// maxDatagram is the size of a receive buffer: no UDP datagram is longer.
const maxDatagram = 65535

// atOnce is how many datagrams are processed before effects are carried out,
// so that many of them cost one write to the store.
const atOnce = 64

// run drives the machine until ctx is done or the socket fails. It closes the
// socket and leaves no goroutine behind.
func (d *driver) run(ctx context.Context, start func(now time.Time)) error {
	packets, failed := make(chan aap.Datagram, atOnce), make(chan error, 1)
	ctx, cancel := context.WithCancel(ctx)
	go func() { failed <- d.read(ctx, packets) }()
	reading := true
	defer func() {
		cancel()
		d.conn.close()
		if reading {
			<-failed
		}
		close(d.done)
	}()
	timer := time.NewTimer(0)
	defer timer.Stop()
	d.do(start)
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-failed:
			reading = false
			return err
		case p := <-packets:
			d.receive(p, packets)
		case <-timer.C:
			d.do(d.m.Advance)
		case <-d.wake:
		}
		if wait, ok := d.untilDue(); ok {
			timer.Reset(wait)
		} else {
			timer.Stop()
		}
	}
}

// untilDue returns how long until something is to be done.
func (d *driver) untilDue() (time.Duration, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	at, ok := d.m.Deadline()
	if !d.retry.IsZero() && (!ok || d.retry.Before(at)) {
		at, ok = d.retry, true
	}
	return max(0, at.Sub(d.net.Now())), ok
}

// receive hands a datagram to the machine, and those that have come after it.
func (d *driver) receive(p aap.Datagram, more <-chan aap.Datagram) {
	d.do(func(now time.Time) {
		for n := 1; ; n++ {
			p.Authenticated = d.net.Authenticated != nil && d.net.Authenticated(p.From)
			if err := d.m.Receive(now, p); err != nil {
				d.net.Logger.Debug("dropped a datagram", "from", p.From, "error", err)
			}
			if n == atOnce {
				return
			}
			select {
			case p = <-more:
			default:
				return
			}
		}
	})
}

// read hands datagrams to the loop until the socket or the loop ends.
func (d *driver) read(ctx context.Context, packets chan<- aap.Datagram) error {
	buf := make([]byte, maxDatagram)
	for {
		n, from, to, err := d.conn.read(buf)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		select {
		case packets <- aap.Datagram{From: from, To: to, Payload: append([]byte(nil), buf[:n]...)}:
		case <-ctx.Done():
			return nil
		}
	}
}
