// SPDX-License-Identifier: BSD-3-Clause

package etcdstore_test

import (
	"net"
	"sync"
	"testing"
)

// A direction of what passes a proxy.
type direction int

const (
	toServer direction = 1 << iota
	toClient
	both = toServer | toClient
)

// proxy is the network between a client and a server: TCP connections that a
// test can break and hold up.
type proxy struct {
	listener net.Listener
	to       string

	mu      sync.Mutex
	changed sync.Cond
	stalled direction
	down    bool
	conns   map[net.Conn]bool
}

func newProxy(t testing.TB, to string) *proxy {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, to: to, conns: map[net.Conn]bool{}}
	p.changed.L = &p.mu
	var accepting sync.WaitGroup
	accepting.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.serve(c)
		}
	})
	t.Cleanup(func() {
		l.Close()
		accepting.Wait()
		p.cut()
		p.stall(0)
	})
	return p
}

func (p *proxy) address() string { return p.listener.Addr().String() }

// serve joins a client's connection to one to the server, unless the network
// is down.
func (p *proxy) serve(client net.Conn) {
	server, err := net.Dial("tcp", p.to)
	if err != nil {
		client.Close()
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down {
		client.Close()
		server.Close()
		return
	}
	p.conns[client], p.conns[server] = true, true
	go p.pass(server, client, toServer)
	go p.pass(client, server, toClient)
}

func (p *proxy) pass(to, from net.Conn, d direction) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			break
		}
		p.mu.Lock()
		for p.stalled&d != 0 && !p.down {
			p.changed.Wait()
		}
		p.mu.Unlock()
		if _, err := to.Write(buf[:n]); err != nil {
			break
		}
	}
	p.mu.Lock()
	delete(p.conns, from)
	p.mu.Unlock()
}

// stall holds up what goes in a direction, until it is called without it.
func (p *proxy) stall(d direction) {
	p.mu.Lock()
	p.stalled = d
	p.mu.Unlock()
	p.changed.Broadcast()
}

// cut breaks all connections and lets none be made, until mend.
func (p *proxy) cut() {
	p.mu.Lock()
	p.down = true
	for c := range p.conns {
		c.Close()
	}
	p.mu.Unlock()
	p.changed.Broadcast()
}

func (p *proxy) mend() {
	p.mu.Lock()
	p.down = false
	p.mu.Unlock()
}
