// SPDX-License-Identifier: BSD-3-Clause

//go:build race

package scope

// raceEnabled: under the race detector the number of allocations differs.
const raceEnabled = true
