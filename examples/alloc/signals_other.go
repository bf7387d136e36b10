// SPDX-License-Identifier: BSD-3-Clause

//go:build !unix

package main

import "os"

// passed are the signals that keep passes on.
var passed = []os.Signal{os.Interrupt}

// fromTerminal reports whether a signal is one that the command gets as well:
// all are, where there are no signals but that of the console.
func fromTerminal(os.Signal) bool { return true }

// endedBy returns the number of the signal that has ended a process: none
// here.
func endedBy(*os.ProcessState) int { return 0 }
