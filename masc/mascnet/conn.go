// SPDX-License-Identifier: BSD-3-Clause

package mascnet

import (
	"bytes"
	"context"
	"net"
	"time"
)

// conn is a connection, or an attempt at one: then nc is nil.
type conn struct {
	nc     net.Conn
	out    chan []byte // closed by close
	cancel context.CancelFunc
	closed bool
}

// write queues a message. A peer that takes none for too long is disconnected.
func (c *conn) write(b []byte) {
	if c.nc == nil || c.closed {
		return
	}
	select {
	case c.out <- bytes.Clone(b):
	default:
		c.nc.Close() // the reader notices
	}
}

// close ends the connection after what is queued, or the attempt.
func (c *conn) close() {
	c.cancel()
	if c.nc != nil && !c.closed {
		c.closed = true
		close(c.out)
	}
}

// writer writes what is queued, then closes the connection, which ends its
// reader too.
func (c *conn) writer() {
	defer c.nc.Close()
	for b := range c.out {
		c.nc.SetWriteDeadline(time.Now().Add(writeTime))
		if _, err := c.nc.Write(b); err != nil {
			c.nc.Close()
			for range c.out { // until close
			}
			return
		}
	}
}
