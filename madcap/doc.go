// SPDX-License-Identifier: BSD-3-Clause

// Package madcap implements the Multicast Address Dynamic Client Allocation
// Protocol (RFC 2730) and its Multicast Scope Nesting State option (RFC 2907):
// the messages, and the client and the server as machines without sockets.
//
// # The protocol
//
// Programs that send to a multicast group need an address nobody else uses
// there and then. With MADCAP they lease one from a server: so many addresses,
// in a scope (a range of addresses whose traffic routers keep inside a region),
// from a start for a length of time. A client sends a UDP datagram to port 2535
// of a server, or to a group that the servers of a scope listen to, and servers
// answer by unicast:
//
//	client                  server
//	GETINFO   ------------>          which scopes are there, what can you do?
//	          <------------ ACK      these
//	DISCOVER  --multicast->          who could lease me four addresses?
//	          <------------ OFFER    I could (and keep them for a minute)
//	REQUEST   --multicast->          I take them from this server
//	          <------------ ACK      they are yours
//	RENEW     ------------>          I need them longer
//	          <------------ ACK      until then
//	RELEASE   ------------>          I am done
//	          <------------ ACK      goodbye
//
// A client that knows its server can leave DISCOVER out and send the REQUEST by
// unicast. A server that refuses answers NAK with an error; one that needs time
// answers an ACK that names the time to ask again (the feature Retry After).
// Servers never repeat themselves: a client without an answer sends the same
// octets again after 4, 8 and 16 seconds, and the server, which keeps its
// answers for a minute, sends the same answer.
//
// Three things tie messages together. The Lease Identifier is made by the
// client, stands in every message, and names the lease as long as it lives. The
// xid names one message and its answer. The Server Identifier, an IP address,
// names the server that answers or is chosen.
//
// # Messages
//
// A [Message] has a type, an address family and an xid, and then options, each
// at most once: one field each, absent where it is zero or, where zero means
// something, not [Opt.Present]. Which message must or may have which option is
// Table 5 of the document, which [Message.Validate] knows.
//
//	var m madcap.Message // used again for each datagram
//	err := m.Decode(datagram)
//	if err == nil {
//		err = m.Validate(0, multicast)
//	}
//	var bad *madcap.Error
//	if errors.As(err, &bad) {
//		if reason, ok := bad.Answer(); ok {
//			refuse(&m, reason) // a NAK with this Error option
//		}
//		return
//	}
//
// [Message.Decode] separates two kinds of defects. Where the framing is broken,
// no octet can be trusted, and everybody ignores the datagram. Where one option
// is bad, the message is wrong but a server can tell the client why: the rest of
// the message is there, and [Error.Answer] says what to send. Options that this
// package does not know stay in [Message.Unknown] and are written back in their
// place. [Message.AppendBinary] refuses what no decoder would give back, and
// [Message.AppendValid] also what Validate objects to. Neither reading into a
// message that is used again nor writing into a buffer that is used again
// allocates.
//
// # Machines
//
// [Client] and [Server] are the two roles. They read no clock and open no
// socket: the caller hands them datagrams and the time, and carries out the
// effects they yield. [NestingLearner] finds out for a server which scopes nest
// in which. Package madcapnet drives the machines on real sockets, package
// madcaptest generates messages for tests.
package madcap
