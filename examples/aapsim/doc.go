// SPDX-License-Identifier: BSD-3-Clause

// Aapsim measures what it costs the servers of a domain to agree on multicast
// addresses by AAP, and how that grows with their number. It runs the real
// allocation servers in virtual time.
//
//	go run ./examples/aapsim                            # 2 to 200 servers, ten minutes each
//	go run ./examples/aapsim -pool -1                   # the same with nothing preallocated
//	go run ./examples/aapsim -servers 50 -loss 0.1 -csv run.csv -svg run.svg
//
// The users of each server ask for addresses, at first seldom, then often, then
// seldom again. For each number of servers it prints how long they wait, how
// many claims collide, how many datagrams a second everybody hears, and how
// much of the address space is in use; -csv and -svg write that to files. A run
// follows from its seed.
package main
