// SPDX-License-Identifier: BSD-3-Clause

package scope

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
)

// Explanation is what the RFCs say about an address or a range, in words for
// a person and, with its JSON tags, as data for a tool.
type Explanation struct {
	Range     Range          `json:"range"`     // what is explained
	Facts     Classification `json:"facts"`     // of the address, or of the first one of the range
	Title     string         `json:"title"`     // the name of the block
	Meaning   []string       `json:"meaning"`   // what the addresses are for, in sentences
	Documents []string       `json:"documents"` // where that is written
	Routed    string         `json:"routed"`    // how far routers carry it
	Allocate  string         `json:"allocate"`  // who may allocate it, and how
	// Ethernet is the Ethernet address, of a single multicast address only.
	Ethernet string `json:"ethernet,omitempty"`
	// Shares lists what else arrives at that Ethernet address and matters:
	// control traffic above all. A network card cannot tell it apart, and
	// switches often send it everywhere.
	Shares []Neighbour `json:"shares,omitempty"`
	// Instead says what to use if this is a poor choice for an application.
	// It is empty for a good one.
	Instead string `json:"instead,omitempty"`
}

// Neighbour is an address with the same Ethernet address as another one.
type Neighbour struct {
	Addrs Range  `json:"addrs"`
	Use   string `json:"use"`
}

// Explain explains one address.
func Explain(a netip.Addr) Explanation {
	e := explain(Single(a.WithZone("")), Classify(a))
	e.Meaning = append(e.Meaning, details(e.Facts)...)
	if mac, ok := EthernetOf(a); ok {
		e.Ethernet = mac.String()
		e.Shares = neighbours(a)
		if len(e.Shares) > 0 && e.Instead == "" {
			e.Instead = "an address of the same range with other low bits, as this one shares its Ethernet address with others that matter"
		}
	}
	return e
}

// ExplainRange explains a range piece by piece: IPv4 wherever the rules
// change, IPv6 for each combination of flags and scop. What depends on the
// single address, such as its owner, is left out; where the rules depend on
// fields further inside an IPv6 address, Meaning says so.
func ExplainRange(r Range) []Explanation {
	var out []Explanation
	for r.IsValid() {
		piece := r
		if last := pieceEnd(r.first); last.Less(r.last) {
			piece.last = last
		}
		e := explain(piece, Classify(r.first))
		if e.Facts.Flags.P() {
			e.Meaning = append(e.Meaning, "The fields after the first 16 bits decide what exactly an address of this range is: ask about single ones.")
		}
		out = append(out, e)
		if piece.last == r.last {
			break
		}
		r.first = piece.last.Next()
	}
	return out
}

// pieceEnd returns the last address to which the explanation of a extends.
func pieceEnd(a netip.Addr) netip.Addr {
	if a.Is4() {
		n := number4(a)
		for _, b := range blocks4 {
			for _, end := range [...]uint32{b.first - 1, b.dynamicEnd(n), b.last} {
				if n <= end {
					return addr4(end)
				}
			}
		}
		return addr4(^uint32(0))
	}
	b := a.As16()
	if b[0] == 0xff {
		b[1]++ // the next combination of flags and scop
		if b[1] == 0 {
			return numberAddr(maxUint128, false)
		}
	} else {
		b[0], b[1] = 0xff, 0
	}
	next := addrNumber(netip.AddrFrom16(b)).and(lowMask(112).not())
	return numberAddr(next.dec(), false)
}

// dynamicEnd returns where inside the block the rules change next after n.
func (b *block) dynamicEnd(n uint32) uint32 {
	switch {
	case b.kind == SDPSAP:
		return b.first | 0x7fff
	case b.kind == SSM && n == b.first:
		return b.first
	case b.kind == SSM:
		return b.first | 255
	case b.scope == "local" || b.scope == "organization-local" || b.scope == "allocation":
		return b.last - relativeCount
	}
	return b.last
}

func explain(r Range, c Classification) Explanation {
	e := Explanation{Range: r, Facts: c}
	about := texts[textKey(c)]
	e.Title, e.Documents = about.title, about.documents
	e.Meaning = append(e.Meaning, about.meaning)
	e.Routed, e.Allocate, e.Instead = about.routed, about.allocate, about.instead
	if e.Routed == "" {
		e.Routed = routed6(c)
	}
	if e.Allocate == "" {
		e.Allocate, e.Instead = allocate6(c)
	}
	return e
}

// routed6 says how far an IPv6 address of a scop is carried (RFC 4291 section
// 2.7, RFC 7346 section 2).
func routed6(c Classification) string {
	switch c.Scop {
	case 0:
		return "No: nobody may send to scop 0, and whoever receives it drops it."
	case 1:
		return "No: scop 1 never leaves the interface; it is for loopback."
	case 2:
		return "No: scop 2 never leaves the link."
	case 3:
		return "Inside a realm, which the link technology defines by itself; MADCAP and MZAP call scop 3 the Local Scope, as IPv4 has it, and let administrators configure it."
	case 6:
		return "Inside a boundary that administrators configure; RFC 2908 calls scop 6 the Allocation Scope, RFC 7346 leaves it unassigned."
	case 14:
		return "Yes: scop 14 is global and has no boundary."
	case 15:
		return "As scop 14: scop 15 is reserved and treated like the global one."
	}
	return "Inside a boundary that administrators configure (" + c.Scope + ")."
}

// allocate6 says who may allocate a transient IPv6 address.
func allocate6(c Classification) (who, instead string) {
	const from = "group IDs from 8000:0 to ffff:ffff (the last 32 bits of the address)"
	switch c.Dynamic {
	case "malloc":
		return "Anybody, dynamically: by a MADCAP server, by a MAAS with AAP, or by a host itself if it chooses at random.", ""
	case "ssm":
		return "The sending host alone, at random: no allocation protocol is needed.", ""
	}
	switch {
	case c.Scop == 0 || c.Scop == 15:
		return "Nobody: the scop is reserved.", "the same kind of address with a scop in 1..14"
	case c.Kind == SSM && c.SSM == "outside-96":
		return "Nobody: source-specific addresses are chosen from ff3x::/96 only.", "ff3x::/96, " + from
	case c.Kind == SSM && c.SSM == "iana":
		return "IANA alone.", "ff3x::/96, " + from
	case c.Kind == SSM:
		return "Nobody: this group ID is not valid for source-specific multicast.", "ff3x::/96, " + from
	}
	return "Nobody, dynamically: group IDs below 8000:0 are for permanent assignments.", "the same prefix with " + from
}

// details are the sentences that depend on the single address.
func details(c Classification) (s []string) {
	if c.Offset >= 0 {
		name := "an offset without a service known here"
		if c.Offset < len(offsetNames) {
			name = offsetNames[c.Offset]
		}
		s = append(s, fmt.Sprintf("It is the scope-relative address with offset %d of %v: %s.", c.Offset, c.RelativeTo, name))
	}
	switch {
	case c.Kind == GLOP:
		s = append(s, fmt.Sprintf("It belongs to AS %d.", c.AS))
	case c.UnicastInvalid:
		s = append(s, fmt.Sprintf("It would belong to the owner of %v, which is not globally unique: nobody owns it.", c.Unicast))
	case c.Kind == EmbeddedRP:
		s = append(s, fmt.Sprintf("Its rendezvous point is %v, a router in %v.", c.RP, c.Unicast))
	case c.Unicast.IsValid():
		s = append(s, fmt.Sprintf("It belongs to whoever owns the unicast prefix %v.", c.Unicast))
	}
	if c.Kind == SSM && c.SSM == "null" {
		s = append(s, "It is the null value, never used for traffic.")
	}
	return s
}

var offsetNames = [...]string{
	OffsetSAP: "session announcements (SAP)", OffsetMADCAP: "MADCAP servers, which allocate addresses",
	OffsetSLP: "service location (SLPv2)", OffsetMZAP: "scope zone announcements (MZAP)",
	4: "DNS service discovery", 5: "SSDP", 6: "DHCPv4 servers",
	OffsetAAP: "allocation servers among themselves (AAP)", 8: "MBUS",
}

// neighbours lists what matters among the addresses with the Ethernet address
// of a.
func neighbours(a netip.Addr) (out []Neighbour) {
	mac, _ := EthernetOf(a)
	if a.Is4() {
		for r := range mac.Groups4().Ranges() {
			if k := Classify(r.first).Kind; r.first != a && (k == LocalNetworkControl || k == InternetworkControl) {
				out = append(out, Neighbour{r, use(r.first, k)})
			}
		}
		return out
	}
	group := binary.BigEndian.Uint32(mac[2:])
	for _, s := range services6 {
		b := s.addr.As16()
		if s.addr != a && binary.BigEndian.Uint32(b[12:]) == group {
			out = append(out, Neighbour{Single(s.addr), s.use})
		}
	}
	if node := netip.AddrFrom16([16]byte{0: 0xff, 1: 2, 11: 1, 12: 0xff, 13: mac[3], 14: mac[4], 15: mac[5]}); mac[2] == 0xff && node != a {
		out = append(out, Neighbour{Single(node), "neighbour discovery for all hosts whose address ends in " +
			fmt.Sprintf("%02x:%02x%02x", mac[3], mac[4], mac[5])})
	}
	return out
}

func use(a netip.Addr, k Kind) string {
	for _, s := range services4 {
		if s.addr == a {
			return s.use
		}
	}
	if k == LocalNetworkControl {
		return "local network control: switches send it to every port"
	}
	return "internetwork control"
}

// String returns the explanation as some lines of text.
func (e Explanation) String() string {
	var b strings.Builder
	line := func(name, text string) {
		if text != "" {
			fmt.Fprintf(&b, "  %-12s %s\n", name, text)
		}
	}
	if e.Range.IsValid() {
		fmt.Fprintf(&b, "%v\n", e.Range)
	}
	line("what:", e.Title)
	for _, m := range e.Meaning {
		line("", m)
	}
	line("kind:", strings.Join(e.tokens(), ", "))
	line("routed:", e.Routed)
	line("allocate:", e.Allocate)
	line("ethernet:", e.Ethernet)
	for i, s := range e.Shares {
		name := ""
		if i == 0 {
			name = "shared with:"
		}
		line(name, s.Addrs.String()+", "+s.Use)
	}
	line("better:", e.Instead)
	line("see:", strings.Join(e.Documents, "; "))
	return b.String()
}

// tokens are the short names of the classification.
func (e Explanation) tokens() []string {
	c, t := e.Facts, []string{string(e.Facts.Kind)}
	if c.Scope != "" {
		t = append(t, "scope "+c.Scope)
	}
	if c.MALLOC != "" && c.MALLOC != c.Scope {
		t = append(t, "MALLOC scope "+c.MALLOC)
	}
	if c.SSM != "" {
		t = append(t, "class "+c.SSM)
	}
	if c.Flags != 0 {
		t = append(t, "flags "+c.Flags.String())
	}
	if c.Group != "" && e.Range.first == e.Range.last {
		t = append(t, "group ID "+c.Group)
	}
	return t
}
