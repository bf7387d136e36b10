// SPDX-License-Identifier: BSD-3-Clause

// Package mzapnet runs the MZAP machines of package mzap on UDP multicast
// sockets.
//
// A [Listener] tells which multicast scopes are in effect here, and how they
// nest, for as long as its Run runs:
//
//	l, err := mzapnet.NewListener(mzapnet.ListenerConfig{Logger: slog.Default()})
//	if err != nil { ... }
//	go l.Run(ctx)
//	...
//	for _, s := range l.Scopes() { fmt.Println(s.Range, s.Names) }
//
// A MADCAP server that should learn its scopes takes them from Scopes and
// Nesting, and looks again when Notify is called. A [Router] is the MZAP part of a
// boundary router.
//
// Nothing here authenticates anybody: who wants to believe in scope names uses
// IPsec, and says in Authenticated whom it vouches for.
package mzapnet
