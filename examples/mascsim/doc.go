// SPDX-License-Identifier: BSD-3-Clause

// Mascsim measures how well MASC packs and aggregates addresses. It runs the
// real node machines of a two-level internet in virtual time: top-level domains
// that claim from a common pool, and children that claim from them and hand out
// blocks of addresses to their users.
//
//	go run ./examples/mascsim                      # 50 top-level domains with 50 children each, 800 days
//	go run ./examples/mascsim -policy sample       # the same as RFC 2909, appendix A, sketches it
//	go run ./examples/mascsim -tlds 128 -children 64 -csv run.csv -svg run.svg
//
// It prints utilisation per level and in all, the prefixes in the global table
// and per domain, claims, collisions and waiting times; -csv and -svg write them
// over time. A run follows from its seed.
//
// Each top-level domain and its children are simulated on their own for as long
// as a message takes to another one, so that several processors can share the
// work without changing the result.
package main
