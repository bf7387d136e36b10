// SPDX-License-Identifier: BSD-3-Clause

package madcap

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/mcastalloc/malloc/scope"
)

// ServerConfig says how a Server behaves. Only Identifiers is required. Where a
// zero duration or number selects a default, a negative one means zero or none.
type ServerConfig struct {
	// Identifiers are the server's own addresses. A message that names one of
	// them is for this server; the first is the Server Identifier of answers to
	// datagrams of which no better local address is known.
	Identifiers []netip.Addr

	// Scopes are in effect here; a REQUEST for another is refused. Nesting says
	// which nests inside which, nil if nothing is known. SetScopes changes both.
	Scopes  []scope.Scope
	Nesting *scope.Nesting

	// Features the server applies where a client asks for them: ServerMobility
	// where its leases are shared with other servers, RetryAfter where its
	// allocator may put a request off, SharedLeaseIdentifier.
	Features []Feature

	ClockSkewAllowance    time.Duration // default 30 minutes (RFC 2730, section 2.12)
	ResponseCacheInterval time.Duration // default 60 s, at most 300 s (section 2.1.4)
	OfferHold             time.Duration // default 60 s (section 2.2.3)

	// Secure is for servers whose unicast traffic IPsec protects: DISCOVER, and
	// everything multicast but GETINFO, is ignored (section 4).
	Secure bool

	// InfoGroups are the server groups a multicast GETINFO is answered on. The
	// default is those of the IPv4 Local Scope and of IPv6 scop 3 (section
	// 2.11).
	InfoGroups []netip.Addr

	// SilentToServers ignores OFFER and ACK from other servers instead of
	// answering Invalid Request (decision MADCAP-D-7).
	SilentToServers bool

	// NakLimit is how many NAKs one source address is sent in each NakInterval
	// (default 60 s), InfoLimit how many of its GETINFOs are answered; 0 sets no
	// limit (section 2.6). The answers to a GETINFO are much longer than the
	// question, which invites to forge its source.
	NakLimit, InfoLimit int
	NakInterval         time.Duration

	// Limits on what clients can make the server remember. At the limit the
	// oldest response is forgotten, a DISCOVER is ignored, a request is not put
	// off but refused, a message is ignored, and a source that is not known yet
	// is treated as one that has reached its limit. The defaults are 262144,
	// 65536, 4096, 4096 and 65536.
	MaxResponses, MaxHolds, MaxDeferred, MaxPending, MaxSources int
	// MaxResponseOctets limits the octets of the responses, default 64 MiB.
	MaxResponseOctets int
	// MaxIdentifier is the longest Lease Identifier a lease may have here, in
	// octets, default 1024. A DISCOVER with a longer one is ignored, a REQUEST,
	// RENEW or RELEASE refused.
	MaxIdentifier int
	// MaxRanges is how many ranges of wanted addresses a message may list,
	// default 256. A DISCOVER with more is ignored, a REQUEST refused.
	MaxRanges int
}

// The bounds and defaults of RFC 2730, appendix B, that concern a server.
const (
	DefaultClockSkewAllowance    = 30 * time.Minute
	DefaultResponseCacheInterval = 60 * time.Second
	MaxResponseCacheInterval     = 300 * time.Second
	DefaultOfferHold             = 60 * time.Second
)

// ErrConfig is wrapped by the errors of NewServer, NewClient and the setters.
var ErrConfig = errors.New("madcap: bad configuration")

// fill puts in the defaults.
func (cfg *ServerConfig) fill() {
	for _, d := range []struct {
		v   *time.Duration
		def time.Duration
	}{
		{&cfg.ClockSkewAllowance, DefaultClockSkewAllowance},
		{&cfg.ResponseCacheInterval, DefaultResponseCacheInterval},
		{&cfg.OfferHold, DefaultOfferHold},
		{&cfg.NakInterval, time.Minute},
	} {
		if *d.v == 0 {
			*d.v = d.def
		}
		*d.v = max(*d.v, 0)
	}
	for _, l := range []struct {
		v   *int
		def int
	}{
		{&cfg.MaxResponses, 1 << 18}, {&cfg.MaxResponseOctets, 1 << 26}, {&cfg.MaxHolds, 1 << 16},
		{&cfg.MaxDeferred, 4096}, {&cfg.MaxPending, 4096}, {&cfg.MaxSources, 1 << 16},
		{&cfg.MaxIdentifier, 1024}, {&cfg.MaxRanges, 256},
	} {
		if *l.v == 0 {
			*l.v = l.def
		}
		*l.v = max(*l.v, 0)
	}
	if len(cfg.InfoGroups) == 0 {
		cfg.InfoGroups = []netip.Addr{DefaultServerGroup(FamilyIPv4), DefaultServerGroup(FamilyIPv6)}
	}
	cfg.InfoGroups = slices.Clone(cfg.InfoGroups)
	for i, g := range cfg.InfoGroups {
		cfg.InfoGroups[i] = plain(g)
	}
	cfg.Identifiers = slices.Clone(cfg.Identifiers)
	for i, a := range cfg.Identifiers {
		cfg.Identifiers[i] = a.Unmap()
	}
	cfg.Features = slices.Compact(slices.Sorted(slices.Values(cfg.Features)))
}

// check refuses what fill cannot mend.
func (cfg *ServerConfig) check() error {
	if len(cfg.Identifiers) == 0 {
		return fmt.Errorf("%w: a server needs an address of its own as identifier", ErrConfig)
	}
	for _, a := range cfg.Identifiers {
		if !isHost(a) || a.Zone() != "" {
			return fmt.Errorf("%w: %q is no server identifier, want a unicast address without zone", ErrConfig, a)
		}
	}
	for _, g := range cfg.InfoGroups {
		if !g.IsMulticast() {
			return fmt.Errorf("%w: %q is no server group, want a multicast address", ErrConfig, g)
		}
	}
	for _, f := range cfg.Features {
		if f > SharedLeaseIdentifier {
			return fmt.Errorf("%w: a server cannot apply %v", ErrConfig, f)
		}
	}
	return nil
}

// plain returns an address in the form in which addresses are compared: IPv4
// as such, and without a zone.
func plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// isHost reports whether a, which may be invalid, is a single host's address.
func isHost(a netip.Addr) bool {
	return a.IsValid() && !a.IsUnspecified() && !a.IsMulticast() && a != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}
