// SPDX-License-Identifier: BSD-3-Clause

//go:build race

package madcap_test

// srvRace says whether the race detector is at work, which allocates.
const srvRace = true
