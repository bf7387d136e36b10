// SPDX-License-Identifier: BSD-3-Clause

// Package mascnet runs a MASC node on TCP: it drives a masc.Speaker with real
// connections and a real clock.
//
//	s, err := mascnet.New(mascnet.Config{Speaker: cfg, Listener: l, Peers: addrs})
//	...
//	err = s.Run(ctx)
package mascnet
