// SPDX-License-Identifier: BSD-3-Clause

// Package mzaptest is for testing against package mzap: a network of links,
// routers and hosts in virtual time, the topologies of RFC 2776's figures, random
// healthy topologies, and generators of messages for property tests.
//
// In a [Network] the routers route multicast like real ones: a datagram spreads
// over the links by reverse path forwarding, and stops at boundaries. Each router
// runs an [mzap.Router], each host an [mzap.Listener]. Nothing takes real time,
// and the same seed gives the same run, octet for octet:
//
//	n := mzaptest.NewNetwork(1)
//	office, lab, outside := n.Link("office"), n.Link("lab"), n.Link("outside")
//	gate := n.Router("gate", office, lab)
//	gate.Bound(scope.Scope{Range: scope.MustRange("239.1.0.0", "239.1.255.255")}, office)
//	border := n.Router("border", office, outside)
//	border.Bound(scope.IPv4OrganizationLocal(), outside)
//	pc := n.Host("pc", lab)
//	if err := n.Start(); err != nil { ... }
//	n.Run(3 * time.Hour)
//	fmt.Println(pc.Listener.Scopes(n.Now()), n.Findings)
package mzaptest
