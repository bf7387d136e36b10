// SPDX-License-Identifier: BSD-3-Clause

// Package addrset compares the address sets of scope with go4.org/netipx and
// github.com/gaissmai/bart, row by row.
package addrset

import (
	_ "github.com/gaissmai/bart"
	_ "github.com/mcastalloc/malloc/scope"
	_ "go4.org/netipx"
)
