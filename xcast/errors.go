// SPDX-License-Identifier: BSD-3-Clause

package xcast

import "strconv"

// A Reason says why a packet, a header or one destination was refused. It is
// at once the sentinel error of the codec and what a [Forwarder] reports and
// counts for a drop. A Reason is an error: errors.Is(err, ErrChecksum) works
// on whatever this package returns.
type Reason uint8

// The reasons. The list is closed: it only grows at its end.
const (
	// ErrTruncated: the buffer ends before the header does.
	ErrTruncated Reason = 1 + iota
	// ErrVersion: VERSION is not 1 (RFC 5058 section 9.2.2).
	ErrVersion
	// ErrNoDestinations: NBR_OF_DEST is 0, or an empty list is to be encoded.
	ErrNoDestinations
	// ErrLength: LENGTH or HdrExtLen is not what NBR_OF_DEST, D and P make it,
	// or octets follow where the header should be all there is.
	ErrLength
	// ErrChecksum: the CHECKSUM of the Xcast header is wrong.
	ErrChecksum
	// ErrRoutingType: an IPv6 Routing header of another type than the
	// configured one.
	ErrRoutingType
	// ErrSegmentsLeft: the fourth octet of the Routing header is not 0.
	ErrSegmentsLeft
	// ErrOption: an IPv6 option runs past its header, a second Ports option, or
	// an unknown option that may not be skipped.
	ErrOption
	// ErrPortCount: the number of ports is not the number of destinations.
	ErrPortCount
	// ErrTooManyDestinations: more than [MaxDestinations].
	ErrTooManyDestinations
	// ErrListLength: a list to encode has another length than Addresses, or
	// Active has a bit beyond the last destination.
	ErrListLength
	// ErrDSCP: a codepoint above 63.
	ErrDSCP
	// ErrAddress: an address of the other family, with a zone, or invalid.
	ErrAddress
	// ErrCodePoints: code points that [CodePoints.Validate] refuses.
	ErrCodePoints

	// ErrMalformedIP: the IP header contradicts itself or the buffer.
	ErrMalformedIP
	// ErrNotXcast: an intact packet that is no business of Xcast.
	ErrNotXcast
	// ErrFragment: an IPv4 fragment; only one of them has the list.
	ErrFragment
	// ErrBadSource: the source is unspecified, multicast, loopback, link-local
	// or 255.255.255.255.
	ErrBadSource
	// ErrReversePath: the caller's check of the source failed.
	ErrReversePath
	// ErrEmptyBitmap: no destination is left to serve.
	ErrEmptyBitmap
	// ErrICMP: an ICMP request to several destinations (section 14).
	ErrICMP
	// ErrECN: the tunnel saw congestion that the inner packet cannot carry
	// (RFC 6040 section 4.2).
	ErrECN
	// ErrPeer: a tunnel packet from a peer that is not accepted.
	ErrPeer
	// ErrBadDestination: a listed address that must never be looked up.
	ErrBadDestination
	// ErrOwnSource: a packet of this node's own came back.
	ErrOwnSource
	// ErrTTL: the TTL or Hop Limit is used up.
	ErrTTL
	// ErrNoRoute: no unicast route.
	ErrNoRoute
	// ErrXBit: X forbids the unicast packet that would have been needed.
	ErrXBit
	// ErrNotConvertible: the transport cannot become a unicast packet.
	ErrNotConvertible
	// ErrTunnelLoop: the tunnel's remote end is the packet's source (RFC 2003
	// section 3.2).
	ErrTunnelLoop
	// ErrMTU: longer than the route's MTU, and not to be fragmented.
	ErrMTU

	reasonCount // not a reason
)

var reasonNames = [reasonCount]string{
	ErrTruncated: "truncated", ErrVersion: "version", ErrNoDestinations: "no-destinations",
	ErrLength: "length", ErrChecksum: "checksum", ErrRoutingType: "routing-type",
	ErrSegmentsLeft: "segments-left", ErrOption: "option", ErrPortCount: "port-count",
	ErrTooManyDestinations: "too-many-destinations", ErrListLength: "list-length",
	ErrDSCP: "dscp", ErrAddress: "address", ErrCodePoints: "code-points",
	ErrMalformedIP: "malformed-ip", ErrNotXcast: "not-xcast", ErrFragment: "fragment",
	ErrBadSource: "bad-source", ErrReversePath: "reverse-path", ErrEmptyBitmap: "empty-bitmap",
	ErrICMP: "icmp", ErrECN: "ecn", ErrPeer: "peer", ErrBadDestination: "bad-destination",
	ErrOwnSource: "own-source", ErrTTL: "ttl", ErrNoRoute: "no-route", ErrXBit: "x-bit",
	ErrNotConvertible: "not-convertible", ErrTunnelLoop: "tunnel-loop", ErrMTU: "mtu",
}

// String returns the reason's name, such as "no-route".
func (r Reason) String() string {
	if r == 0 || r >= reasonCount {
		return "Reason(" + strconv.Itoa(int(r)) + ")"
	}
	return reasonNames[r]
}

// Error returns the name after the package's.
func (r Reason) Error() string { return "xcast: " + r.String() }

// An Error is a refused packet, header or value: which field, where, and what
// stood there. Its cause is a [Reason].
type Error struct {
	// Field is the field's name in the document that defines it, such as
	// "NBR_OF_DEST" or "Opt Data Len".
	Field string
	// Offset is the field's first octet, counted from the start of the buffer
	// that was given; in an error of an encoder it is the index in the list.
	Offset int
	// Got and Want are the value found and the value, the limit or the number
	// of octets expected. Want is -1 where no single value is expected.
	Got, Want int
	// Err is the cause.
	Err Reason
}

// Error says where, why, what stood there and what was expected.
func (e *Error) Error() string {
	s := e.Err.Error() + ": " + e.Field + " at " + strconv.Itoa(e.Offset) + " is " + strconv.Itoa(e.Got)
	if e.Want >= 0 {
		s += ", want " + strconv.Itoa(e.Want)
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// shift moves the offset of an error found in a part of a packet.
func shift(err *Error, by int) *Error {
	if err != nil {
		err.Offset += by
	}
	return err
}
