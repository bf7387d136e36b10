// SPDX-License-Identifier: BSD-3-Clause

// Mascd runs MASC nodes on TCP from a configuration file.
//
//	go run ./examples/mascd examples/mascd/demo.json
//
// The demonstration runs three nodes on loopback addresses, in one process but
// over real connections: a parent domain and two children. Both children want
// addresses at the same moment, claim the same prefix, and one gives way; the
// timers are cut from days to seconds. A configuration with one node is a daemon
// as it would run on a border router:
//
//	{
//	  "nodes": [{
//	    "name": "border1", "domain": 64501, "listen": "192.0.2.7:2587", "store": "/var/lib/mascd",
//	    "want": 1000,
//	    "peers": [{"role": "child", "domain": 64500, "address": "192.0.2.1:2587"}]
//	  }]
//	}
//
// The role of a peering is the node's own: child towards a parent domain.
package main
