// SPDX-License-Identifier: BSD-3-Clause

// Package malloc is the tour of a library for the Internet's multicast address
// allocation architecture (MALLOC, RFC 2908). It has nothing to do with
// memory: what is allocated here are multicast addresses, IPv4 and IPv6, each
// for a limited time. This package itself holds nothing; the others do.
//
// # The idea
//
// At every layer somebody grants a range of addresses until some time:
//
//	between domains   masc     wins prefixes for a domain           (RFC 2909)
//	inside a domain   aap      announces them; servers claim        (draft-ietf-malloc-aap-04)
//	in a server       lease    grants leases out of them            (RFC 2771)
//	to a host         madcap   hands them to a client               (RFC 2730, RFC 2907)
//
// and two more say what an address means and what to do with it:
//
//	scope   which scopes there are, and arithmetic on their ranges  (RFC 2365 and others)
//	mzap    which scopes are in effect here                         (RFC 2776)
//	xcast   sending to a few receivers without any group            (RFC 5058)
//
// # Which package for which job
//
//	a program that needs an address          lease.Allocator, from madcapnet.NewClient or lease.NewPool
//	a server that hands out addresses        madcapnet.NewServer over any lease.Allocator
//	a relay                                  madcapnet.NewServer over madcapnet.NewClient
//	a daemon with its own event loop         madcap.Client and madcap.Server, which you drive
//	a sniffer, a fuzzer, a test              madcap.Message and the other codecs; the packages ending in test
//	an answer to "what is 239.255.0.9?"      scope.Classify
//
// # How the packages are made
//
// Each protocol has three: the one with its name is pure, that is values,
// functions and state machines without sockets, goroutines, clock or global
// randomness; the one ending in net runs the machines on real sockets; the one
// ending in test has generators and networks in virtual time. A machine is
// driven with the same verbs everywhere: Receive, the protocol's own verbs,
// Advance and Deadline, each given the time; what is to be done comes out of
// Effects. The same inputs give the same effects.
//
// One interface holds it all together: lease.Allocator, the abstract
// allocation service of RFC 2771. A program is written once against it and
// moved from a pool in the process to a server to a cluster by changing one
// constructor.
package malloc
