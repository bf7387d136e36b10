// SPDX-License-Identifier: BSD-3-Clause

package masc

// PeerID names a configured peer: its place in the configuration's list.
type PeerID int32

// NoPeer is no peer: the local node itself.
const NoPeer PeerID = -1
