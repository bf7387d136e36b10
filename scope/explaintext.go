// SPDX-License-Identifier: BSD-3-Clause

package scope

import "net/netip"

// text is what Explain says about a kind of address. Where routed or allocate
// is empty, the scop or the group ID decides.
type text struct {
	title, meaning, routed, allocate, instead string
	documents                                 []string
}

// textKey finds the text for a classification.
func textKey(c Classification) string {
	v6 := c.Group != ""
	switch {
	case c.Offset >= 0:
		return "relative"
	case c.Kind == AdminScoped:
		return c.Scope
	case c.Kind == SDPSAP && c.Dynamic == "sap":
		return "sap-dynamic"
	case c.Kind == SSM && !v6:
		return "ssm-" + c.SSM
	case v6 && (c.Kind == Reserved || c.Kind == UnicastPrefix):
		return string(c.Kind) + "-6"
	}
	return string(c.Kind)
}

const (
	everywhere = "Yes: routers may carry it through the whole Internet."
	inside     = "Inside a region whose border routers are configured to stop it."
	betterSite = "239.255.0.0/16 inside a site, 239.192.0.0/14 inside an organization, 232.0.1.0-232.255.255.255 for a known source"
	iana       = "Nobody but IANA, which assigns these addresses for good."
	malloc4    = "Anybody, dynamically and for a while: from a MADCAP server, or a MAAS of the domain with AAP."
)

var texts = map[string]text{
	string(NotMulticast): {"not a multicast address", "Multicast addresses are 224.0.0.0-239.255.255.255 and those that begin with ff.",
		"As any other address of its kind; nobody can join it.", "It is none of multicast allocation.", betterSite,
		[]string{"RFC 1112 section 4", "RFC 4291 section 2.7"}},
	string(LocalNetworkControl): {"Local Network Control Block, 224.0.0.0/24", "Protocols between neighbours on one link use these: routing, group membership, name resolution.",
		"No: no router forwards it off the link, whatever its TTL.", iana, betterSite,
		[]string{"RFC 5771 section 4", "RFC 2365 section 6.3"}},
	string(InternetworkControl): {"Internetwork Control Block, 224.0.1.0/24", "Control protocols that must reach across networks use these, for example NTP (224.0.1.1).",
		everywhere, iana, betterSite, []string{"RFC 5771 section 5"}},
	string(AdHoc1): {"AD-HOC Block I, 224.0.2.0-224.0.255.255", "Single applications that were assigned an address by IANA use these.",
		everywhere, iana, betterSite, []string{"RFC 5771 section 6"}},
	string(AdHoc2): {"AD-HOC Block II, 224.3.0.0-224.4.255.255", "Single applications that were assigned an address by IANA use these.",
		everywhere, iana, betterSite, []string{"RFC 5771 section 6"}},
	string(AdHoc3): {"AD-HOC Block III, 233.252.0.0/14", "Single applications that were assigned an address by IANA use these. 233.252.0.0/24 is for examples in documentation and must not appear on the Internet.",
		everywhere, iana, betterSite, []string{"RFC 5771 sections 6 and 9.2"}},
	string(SDPSAP): {"SDP/SAP Block, 224.2.0.0/16", "Session announcements use this block and nothing else may.",
		everywhere, "Nobody: this half of the block is not for session directories to allocate from.", betterSite,
		[]string{"RFC 5771 section 7", "RFC 2365 section 6.3"}},
	"sap-dynamic": {"SDP/SAP Block, 224.2.128.0-224.2.255.255", "Session directories pick addresses here for the sessions they announce.",
		everywhere, "Session directories that use SAP, dynamically; nothing else may.", betterSite,
		[]string{"RFC 5771 section 7", "RFC 2365 section 6.3"}},
	string(Reserved): {"reserved IPv4 block", "These addresses are kept for assignments to come; applications must not use them.",
		everywhere, "Nobody.", betterSite, []string{"RFC 5771 sections 3 and 13"}},
	"ssm-null": {"Source-Specific Multicast, 232.0.0.0", "The null value of source-specific multicast, never used for traffic.",
		"No.", "Nobody.", "232.0.1.0-232.255.255.255, chosen at random", []string{"RFC 4607 section 9"}},
	"ssm-iana": {"Source-Specific Multicast, 232.0.0.1-232.0.0.255", "Kept for assignments by IANA, for source-specific use only.",
		everywhere, iana, "232.0.1.0-232.255.255.255, chosen at random", []string{"RFC 4607 section 9", "RFC 5771 section 8"}},
	"ssm-host": {"Source-Specific Multicast, 232.0.0.0/8", "Receivers ask for one sender and this address together, so different senders can use the same one.",
		everywhere, "The sending host alone, at random: no allocation protocol is needed.", "",
		[]string{"RFC 4607", "RFC 5771 section 8"}},
	string(GLOP): {"GLOP Block, 233.0.0.0-233.251.255.255", "Every AS with a number of 16 bits owns 256 addresses: its number is the middle two octets.",
		everywhere, "The owner of the AS number, as it likes.", "your own AS's /24, or your own prefix in 234.0.0.0/8; otherwise " + betterSite,
		[]string{"RFC 3180", "RFC 5771 section 9"}},
	string(UnicastPrefix): {"Unicast-Prefix-Based block, 234.0.0.0/8", "Whoever owns a unicast prefix of 24 bits or fewer owns the addresses that contain it.",
		everywhere, "The owner of the unicast prefix, as it likes.", "your own prefix in 234.0.0.0/8; otherwise " + betterSite,
		[]string{"RFC 6034"}},
	"local": {"Local Scope, 239.255.0.0/16", "Addresses for use inside one site: the smallest scope, which no other boundary cuts through.",
		inside, malloc4, "", []string{"RFC 2365 section 6.1", "RFC 2730 section 2.7"}},
	"organization-local": {"Organization Local Scope, 239.192.0.0/14", "Addresses for use inside one organization, from which it may cut scopes of its own.",
		inside, malloc4, "", []string{"RFC 2365 section 6.2"}},
	"allocation": {"Allocation Scope, 239.251.0.0/16", "Addresses for use inside one allocation domain, normally an AS: the scope by which all big scopes are divided. IANA never registered it.",
		inside, malloc4, "", []string{"RFC 2908 section 4.1.1", "RFC 6308 section 1"}},
	"relative": {"scope-relative address", "The last 256 addresses of every scope are at the same place in each and belong to services that every scope needs.",
		inside, "Nobody but IANA, which assigns the offsets for good.", "an address of the same scope below its last 256",
		[]string{"RFC 2365 section 9", "RFC 2908 section 2.1"}},
	"local-expansion": {"expansion of the Local Scope, 239.253.0.0-239.254.255.255", "Kept for the Local Scope to grow into, downwards, once 239.255.0.0/16 is full.",
		inside, "Nobody, unless the network's administrators say otherwise.", "239.255.0.0/16",
		[]string{"RFC 2365 section 6.1", "RFC 6308 section 2.2"}},
	"organization-expansion": {"expansion of the Organization Local Scope, 239.0.0.0-239.191.255.255", "Kept for the Organization Local Scope to grow into. Many networks use it for scopes of their own.",
		inside, "Nobody, unless the network's administrators say otherwise.", "239.192.0.0/14",
		[]string{"RFC 2365 section 6.2.1", "RFC 6308 section 2.2"}},
	"allocation-expansion": {"expansion of the Allocation Scope, 239.248.0.0-239.250.255.255", "Kept for the Allocation Scope to grow into.",
		inside, "Nobody, unless the network's administrators say otherwise.", "239.251.0.0/16 or 239.192.0.0/14",
		[]string{"RFC 2908 section 4.1.1"}},
	"admin-undefined": {"administratively scoped, without a scope of its own", "For use inside a domain like all of 239.0.0.0/8, but no RFC says for which scope.",
		inside, "Nobody, unless the network's administrators say otherwise.", "239.255.0.0/16 or 239.192.0.0/14",
		[]string{"RFC 2365", "RFC 5771 section 10"}},
	"reserved-6": {"reserved IPv6 multicast address", "Group ID zero and scop 0 are reserved for ever.",
		"", "Nobody.", "ff3x or ff1x addresses with group IDs from 8000:0 on", []string{"RFC 4291 section 2.7"}},
	string(Permanent): {"permanent IPv6 multicast address", "Assigned by IANA to a protocol; the same group ID means the same in every scope it is assigned for.",
		"", iana, "ff1x addresses (or ff3x ones with your prefix) with group IDs from 8000:0 on", []string{"RFC 4291 section 2.7", "RFC 2375", "RFC 3307 section 4.1"}},
	string(SolicitedNode): {"solicited-node address, ff02::1:ff00:0/104", "Every host joins the one with the last 24 bits of its own address; neighbour discovery sends to it.",
		"", "Nobody: hosts derive these from their own addresses.", "ff12 addresses with group IDs from 8000:0 to feff:ffff", []string{"RFC 4291 section 2.7.1"}},
	string(Transient): {"transient IPv6 multicast address", "Not assigned by IANA: for use for a while, inside its scope.",
		"", "", "", []string{"RFC 4291 section 2.7", "RFC 3307 section 4.3"}},
	"unicast-prefix-6": {"unicast-prefix-based IPv6 multicast address", "Whoever owns the unicast prefix inside the address owns it, so networks need not ask each other.",
		"", "", "", []string{"RFC 3306", "RFC 7371"}},
	string(EmbeddedRP): {"IPv6 multicast address with an embedded rendezvous point", "The address contains the address of the router where senders and receivers meet (PIM).",
		"", "", "", []string{"RFC 3956", "RFC 7371"}},
	string(SSM): {"Source-Specific Multicast, ff3x::/32", "Receivers ask for one sender and this address together, so different senders can use the same one.",
		"", "", "", []string{"RFC 4607", "RFC 3306 section 6"}},
	string(LinkScoped): {"link-scoped IPv6 multicast address", "It contains the interface identifier of a host, which owns it: no two hosts of a link can choose the same.",
		"", "", "", []string{"RFC 4489"}},
	string(Invalid): {"invalid IPv6 multicast address", "Its flags and fields contradict each other, for example a rendezvous point that cannot exist.",
		"No promise: nobody should send to it.", "Nobody.", "ff3x or ff1x addresses with group IDs from 8000:0 on", []string{"RFC 3956 section 3", "RFC 3306 section 4"}},
}

type service struct {
	addr netip.Addr
	use  string
}

// services4 and services6 are groups that a network cannot do without: it is
// a bad idea to share an Ethernet address with them.
var services4 = []service{
	{netip.MustParseAddr("224.0.0.1"), "all hosts of the link"},
	{netip.MustParseAddr("224.0.0.2"), "all routers of the link"},
	{netip.MustParseAddr("224.0.0.5"), "OSPF routers"},
	{netip.MustParseAddr("224.0.0.6"), "OSPF designated routers"},
	{netip.MustParseAddr("224.0.0.9"), "RIPv2 routers"},
	{netip.MustParseAddr("224.0.0.13"), "PIM routers"},
	{netip.MustParseAddr("224.0.0.18"), "VRRP"},
	{netip.MustParseAddr("224.0.0.22"), "IGMPv3 reports"},
	{netip.MustParseAddr("224.0.0.251"), "multicast DNS"},
	{netip.MustParseAddr("224.0.0.252"), "LLMNR"},
	{netip.MustParseAddr("224.0.1.1"), "NTP"},
	{netip.MustParseAddr("224.0.1.68"), "MADCAP server discovery"},
}

var services6 = []service{
	{netip.MustParseAddr("ff02::1"), "all hosts of the link"},
	{netip.MustParseAddr("ff02::2"), "all routers of the link"},
	{netip.MustParseAddr("ff02::5"), "OSPF routers"},
	{netip.MustParseAddr("ff02::6"), "OSPF designated routers"},
	{netip.MustParseAddr("ff02::9"), "RIPng routers"},
	{netip.MustParseAddr("ff02::d"), "PIM routers"},
	{netip.MustParseAddr("ff02::12"), "VRRP"},
	{netip.MustParseAddr("ff02::16"), "MLDv2 reports"},
	{netip.MustParseAddr("ff02::fb"), "multicast DNS"},
	{netip.MustParseAddr("ff02::1:2"), "DHCPv6 servers and relays"},
	{netip.MustParseAddr("ff02::1:3"), "LLMNR"},
	{netip.MustParseAddr("ff05::1:3"), "DHCPv6 servers of the site"},
	{netip.MustParseAddr("ff0e::101"), "NTP"},
}
