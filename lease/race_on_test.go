// SPDX-License-Identifier: BSD-3-Clause

//go:build race

package lease_test

// raceEnabled: the race detector allocates on its own account.
const raceEnabled = true
