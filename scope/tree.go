// SPDX-License-Identifier: BSD-3-Clause

package scope

//go:generate go run gentree.go

// A Space keeps its free ranges in a tree of its own making. There are two of
// them, the same code for two widths of numbers:
//
//	tree32   8 octets a range: IPv4, and IPv6 inside one /96
//	tree128  32 octets a range: any other IPv6
//
// The code is written once, for 32 bits:
//
//	tree32.go      what a tree is; adding and removing
//	treeseek32.go  finding the leaf, and the place in it
//	treefind32.go  queries, and building at once
//	treeedit32.go  how nodes split and join
//	dense32.go     leaves that are bitmaps
//	sizes32.go     the index by size, for best fit
//
// gentree.go makes their twins for 128 bits by exchanging the 32 at the end
// of names; the arithmetic that differs is in key32.go and key128.go. Type
// parameters would spare the copy, but calls of their methods are not inlined,
// and here that is most calls.

// Sizes of nodes.
const (
	leafCap   = 31 // spans of a leaf: as many as five comparisons tell apart
	innerCap  = 32 // children of an inner node
	low5      = 31 // mask for indexes that are always below 32: spares bounds checks
	filled    = 24 // children or spans of a node when a tree is built at once
	sparse    = 8  // with fewer, a node looks for a neighbour to join
	joined    = 24 // if both together have no more than this
	fewSpans  = 12 // with no more spans a dense leaf becomes a list again
	fewStarts = 16 // up to here a list is good enough
)

// part returns the bits of word i that are in a..b.
func part(i, a, b int) uint64 {
	m := ^uint64(0)
	if i == a>>6 {
		m <<= a & 63
	}
	if i == b>>6 {
		m &= ^uint64(0) >> (63 - b&63)
	}
	return m
}
