// SPDX-License-Identifier: BSD-3-Clause

//go:build !race

package xcast_test

const raceEnabled = false
