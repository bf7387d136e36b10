// SPDX-License-Identifier: BSD-3-Clause

// Package xcasttest helps to test programs that use package xcast: rapid
// generators of headers and packets, and a network of hosts and routers in
// memory, in which Xcast routers, ordinary routers and tunnels can be mixed and
// the packets on every link are counted.
package xcasttest
