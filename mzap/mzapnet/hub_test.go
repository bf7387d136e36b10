// SPDX-License-Identifier: BSD-3-Clause

package mzapnet_test

import (
	"errors"
	"io"
	"net/netip"
	"sync"

	"github.com/mcastalloc/malloc/mzap/mzapnet"
)

// hub is a link in memory: what one of its ports sends, the others receive.
type hub struct {
	mu    sync.Mutex
	ports []*hubPort
}

// hubPort is a Conn on a hub, where its one interface has an index.
type hubPort struct {
	hub    *hub
	index  int
	in     chan packet
	closed chan struct{}
	once   sync.Once
	mu     sync.Mutex
	joined map[netip.Addr]bool
}

type packet struct {
	b    []byte
	from mzapnet.Source
}

func (h *hub) port(index int) *hubPort {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := &hubPort{hub: h, index: index, in: make(chan packet, 64), closed: make(chan struct{}), joined: map[netip.Addr]bool{}}
	h.ports = append(h.ports, p)
	return p
}

func (p *hubPort) ReadFrom(buf []byte) (int, mzapnet.Source, error) {
	select {
	case x := <-p.in:
		return copy(buf, x.b), x.from, nil
	case <-p.closed:
		return 0, mzapnet.Source{}, io.ErrClosedPipe
	}
}

func (p *hubPort) WriteTo(b []byte, source, group netip.Addr, index int) error {
	if index != p.index {
		return errors.New("no such interface")
	}
	p.hub.mu.Lock()
	defer p.hub.mu.Unlock()
	for _, o := range p.hub.ports {
		o.mu.Lock()
		joined := o.joined[group]
		o.mu.Unlock()
		if o != p && joined {
			o.in <- packet{append([]byte(nil), b...), mzapnet.Source{Addr: source, Group: group, Interface: o.index}}
		}
	}
	return nil
}

func (p *hubPort) Join(group netip.Addr, index int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.joined[group] = true
	return nil
}

func (p *hubPort) Leave(group netip.Addr, index int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.joined, group)
	return nil
}

func (p *hubPort) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}
