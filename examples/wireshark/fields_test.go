// SPDX-License-Identifier: BSD-3-Clause

package wireshark_test

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
	"unicode"

	"github.com/mcastalloc/malloc/aap"
	"github.com/mcastalloc/malloc/madcap"
	"github.com/mcastalloc/malloc/masc"
	"github.com/mcastalloc/malloc/mzap"
	"github.com/mcastalloc/malloc/xcast"
)

// anything stands for a text that Wireshark may escape in its own way.
const anything = "*"

// structural are the fields that only hold others together, or that follow from
// the number of those; the dissector itself checks them.
var structural = map[string][]string{
	"madcap": {"option", "option.length", "zone", "zone.label", "zone.names", "zone.language.length", "zone.name.length", "range",
		"feature.count"},
	"aap": {"range", "request"},
	"masc": {"length", "reserved", "parameter", "parameter.length", "claim", "claim.length", "claim.reserved",
		"claim.reserved1", "claim.reserved2"},
	"mzap":  {"name", "name.length", "name.language.length", "padding", "hop", "unused"},
	"xcast": {"checksum", "length", "reserved", "padding", "bitmap", "has_dscps", "has_ports", "tunnel"},
}

// A record is what the dissector should say: values by the name of the field.
type record map[string][]string

func (r record) put(name string, values ...any) {
	for _, v := range values {
		name, text := name, ""
		switch v := v.(type) {
		case netip.Addr:
			if text = v.String(); v.Is6() {
				name += "6"
			}
		case time.Time:
			text = fmt.Sprint(v.Unix())
		case time.Duration:
			text = fmt.Sprint(int64(v / time.Second))
		case bool:
			if text = "0"; v {
				text = "1"
			}
		case string:
			if text = v; strings.ContainsFunc(v, func(r rune) bool { return !unicode.IsPrint(r) || r == '\\' || r == unicode.ReplacementChar }) {
				text = anything
			}
		case []byte:
			text = strings.ReplaceAll(fmt.Sprintf("% x", v), " ", ":")
		default:
			text = fmt.Sprintf("%d", v)
		}
		r[name] = append(r[name], text)
	}
}

func present[T any](r record, name string, o madcap.Opt[T]) {
	if o.Present {
		r.put(name, o.Value)
	}
}

func (r record) instant(name string, t time.Time) {
	if !t.IsZero() {
		r.put(name, t)
	}
}

func madcapFields(m *madcap.Message) record {
	r := record{}
	r.put("version", 0)
	r.put("type", m.Type)
	r.put("family", m.Family)
	r.put("xid", m.XID)
	for _, code := range m.Order {
		r.put("option.code", code)
	}
	r.put("option.code", 0)
	for _, o := range m.Unknown {
		if len(o.Value) > 0 {
			r.put("option.data", o.Value)
		}
	}
	present(r, "lease_time", m.LeaseTime)
	present(r, "min_lease_time", m.MinLeaseTime)
	r.instant("start_time", m.StartTime)
	r.instant("max_start_time", m.MaxStartTime)
	r.instant("current_time", m.CurrentTime)
	r.instant("retry_time", m.RetryTime)
	if s := m.ServerIdentifier; s.Addr.IsValid() {
		r.put("server.family", madcap.FamilyOf(s.Addr))
		r.put("server", s.Addr)
	} else if !s.IsZero() {
		r.put("server.family", s.Family)
		r.put("server.opaque", s.Opaque)
	}
	if id := m.LeaseIdentifier; len(id) > 0 {
		r.put("lease_id", []byte(id))
		r.put("lease_id.type", id[0])
		rest := []byte(id[1:])
		if id[0] == madcap.LeaseIdentifierAddress && len(rest) >= 2 {
			r.put("lease_id.family", int(rest[0])<<8|int(rest[1]))
			rest = rest[2:]
		}
		if a, specific, ok := id.Address(); ok {
			r.put("lease_id.address", a)
			rest = specific
		}
		if len(rest) > 0 {
			r.put("lease_id.octets", rest)
		}
	}
	if m.Scope.IsValid() {
		r.put("scope", m.Scope)
	}
	for _, code := range m.OptionRequestList {
		r.put("requested_option", code)
	}
	if !m.Addresses.IsZero() {
		r.put("addresses.minimum", m.Addresses.Min)
		r.put("addresses.desired", m.Addresses.Desired)
	}
	if m.RequestedLanguage.Present {
		r.put("language", string(m.RequestedLanguage.Value))
	}
	if m.ScopeList.Present {
		r.put("zones", len(m.ScopeList.Value))
	}
	for _, z := range m.ScopeList.Value {
		r.put("zone.first", z.Range.First())
		r.put("zone.last", z.Range.Last())
		r.put("zone.ttl", z.TTL)
		for _, n := range z.Names {
			r.put("zone.default", n.Default)
			r.put("zone.language", string(n.Tag))
			r.put("zone.name", string(n.Text))
		}
	}
	for _, x := range m.Ranges.Value {
		r.put("range.first", x.First())
		r.put("range.size", x.Size().String())
	}
	for _, f := range m.Features.Value.Supported {
		r.put("feature.supported", f)
	}
	for _, f := range m.Features.Value.Requested {
		r.put("feature.requested", f)
	}
	for _, f := range m.Features.Value.Required {
		r.put("feature.required", f)
	}
	if e := m.Error.Value; m.Error.Present {
		r.put("error", e.Code)
		if o, ok := e.Option(); ok {
			r.put("error.option", o)
		} else if at, ok := e.ServerTime(); ok {
			r.put("error.server_time", at)
		} else if fs := e.Features(); fs != nil {
			for _, f := range fs {
				r.put("error.feature", f)
			}
		} else if len(e.Extra) > 0 {
			r.put("error.data", e.Extra)
		}
	}
	if n := m.Nesting.Value; m.Nesting.Present {
		r.put("nesting.zones", n.Len())
		for i := range n.Len() {
			row := ""
			for j := range n.Len() {
				if i != j && n.Nests(i, j) {
					row += fmt.Sprintf(", %d", j)
				}
			}
			if row == "" {
				row = ", none"
			}
			r.put("nesting.row", fmt.Sprintf("%d inside %s", i, row[2:]))
		}
	}
	return r
}

func aapFields(m *aap.Message) record {
	r := record{}
	r.put("version", 0)
	r.put("type", m.Type)
	r.put("family", m.Family)
	r.put("rseq", m.RSeq)
	r.put("mseq", m.MSeq)
	r.put("current_time", m.CurrentTime)
	if m.Type == aap.ASA {
		r.put("expiration_time", m.Expiration)
		r.put("resent", m.IsResent())
	}
	for _, x := range m.Ranges {
		r.put("range.first", x.Range.First())
		r.put("range.last", x.Range.Last())
		r.put("range.end_time", x.End)
	}
	requests := m.Requests
	switch m.Type {
	case aap.ASRP:
		r.put("reports", len(m.Reports))
		r.put("requests", len(m.Requests))
	case aap.ANA:
		requests = []aap.Request{m.Need}
	}
	for _, x := range m.Reports {
		r.put("range.first", x.Range.First())
		r.put("range.last", x.Range.Last())
		r.put("report.in_use", x.InUse)
	}
	for _, q := range requests {
		r.put("request.count", q.Count)
		r.put("request.end_time", q.End)
	}
	return r
}

// number puts the identifier of a domain: a number in IPv4 messages.
func (r record) number(name string, id masc.ID, f masc.AddrFamily) {
	if a := id.Addr(); f == masc.FamilyIPv6 {
		r.put(name, wide(a))
	} else {
		b := a.As4()
		r.put(name, uint32(b[0])<<24|uint32(b[1])<<16|uint32(b[2])<<8|uint32(b[3]))
	}
}

// wide returns an address as IPv6, with zeros in front.
func wide(a netip.Addr) netip.Addr {
	if a.Is6() {
		return a
	}
	var b [16]byte
	copy(b[12:], a.AsSlice())
	return netip.AddrFrom16(b)
}

// node puts the identifier of a node: an address.
func (r record) node(name string, id masc.ID, f masc.AddrFamily) {
	if f == masc.FamilyIPv6 {
		r.put(name, wide(id.Addr()))
	} else {
		r.put(name, id.Addr())
	}
}

func mascFields(m *masc.Message) record {
	r := record{}
	r.put("type", m.Type)
	switch m.Type {
	case masc.TypeOpen:
		o := &m.Open
		f := max(o.Family, masc.FamilyIPv4)
		r.put("version", masc.Version)
		r.put("family", f)
		r.put("role", o.Role)
		r.put("hold_time", o.HoldTime)
		r.number("domain", o.Domain, f)
		r.node("node", o.Node, f)
		r.number("parent", o.Parent, f)
		for _, p := range o.Params {
			r.parameter(p.Type, p.Value)
		}
	case masc.TypeUpdate:
		r.update(&m.Update)
	case masc.TypeNotification:
		n := &m.Notification
		r.put("error.stay", n.Stay)
		r.put("error.code", n.Reason.Code())
		r.put("error.subcode", n.Reason.Subcode())
		r.put("error.reason", n.Reason.Error())
		if len(n.Data) > 0 {
			r.put("error.data", n.Data)
		}
	}
	return r
}

func (r record) parameter(t uint8, value []byte) {
	r.put("parameter.type", t)
	if len(value) > 0 {
		r.put("parameter.value", value)
	}
}

func (r record) update(u *masc.Update) {
	extra := u.Extra
	for i := range len(u.Claims) + 1 {
		for len(extra) > 0 && extra[0].Claim == i && extra[0].Type != 0 {
			r.put("claim.type", extra[0].Type)
			if len(extra[0].Data) > 0 {
				r.put("claim.data", extra[0].Data)
			}
			extra = extra[1:]
		}
		if i == len(u.Claims) {
			return
		}
		c := &u.Claims[i]
		f := c.Prefix.Family()
		r.put("claim.type", c.Type)
		r.put("claim.deprecated", c.Deprecated)
		r.put("claim.family", f)
		r.put("claim.role", c.Role)
		r.put("claim.timestamp", c.Timestamp.Time())
		r.put("claim.lifetime", c.Lifetime)
		r.put("claim.holdtime", c.Holdtime)
		r.number("claim.domain", c.Domain, f)
		r.node("claim.node", c.Node, f)
		r.put("claim.address", c.Prefix.Addr())
		r.put("claim.mask", c.Prefix.Mask())
		r.put("claim.prefix", c.Prefix.String())
		if len(extra) > 0 && extra[0].Claim == i {
			for b := extra[0].Data; len(b) > 0; b = b[2+int(b[0]):] {
				r.parameter(b[1], b[2:2+int(b[0])])
			}
			extra = extra[1:]
		}
	}
}

func mzapFields(m *mzap.Message) record {
	r := record{}
	family, unknown := 1, netip.IPv4Unspecified()
	if !m.Is4() {
		family, unknown = 2, netip.IPv6Unspecified()
	}
	zone := func(a netip.Addr) netip.Addr {
		if a.IsValid() {
			return a
		}
		return unknown
	}
	r.put("version", 0)
	r.put("divisible", m.Divisible)
	r.put("type", m.Type)
	r.put("family", family)
	r.put("names", len(m.Names))
	r.put("origin", m.Origin)
	r.put("zone_id", m.ZoneID)
	r.put("zone.first", m.Range.First())
	r.put("zone.last", m.Range.Last())
	for _, n := range m.Names {
		r.put("name.default", n.Default)
		r.put("name.language", string(n.Tag))
		r.put("name.text", string(n.Text))
	}
	switch m.Type {
	case mzap.ZAM, mzap.ZLE:
		r.put("zones_traveled", len(m.Path))
		r.put("zones_limit", m.Limit)
		r.put("hold_time", m.HoldTime)
		r.put("local_zone", zone(m.LocalZone))
		for _, h := range m.Path {
			r.put("router", h.Router)
			r.put("local_zone", zone(h.LocalZone))
		}
	case mzap.ZCM:
		r.put("routers", len(m.Routers))
		r.put("hold_time", m.HoldTime)
		for _, a := range m.Routers {
			r.put("zbr", a)
		}
	case mzap.NIM:
		r.put("not_inside", m.NotInside)
	}
	return r
}

// xcastFields returns nothing for a packet that is no whole Xcast packet.
func xcastFields(b []byte, code xcast.CodePoints) record {
	r := record{}
	list := func(l *xcast.List) {
		r.put("version", 1)
		r.put("anonymous", l.Anonymous)
		r.put("stay", l.StayXcast)
		r.put("destinations", len(l.Addresses))
		for i, a := range l.Addresses {
			if r.put("address", a); l.Active.Has(i) {
				r.put("served", a)
			}
		}
		for _, d := range l.DSCPs {
			r.put("dscp", d)
		}
		for _, p := range l.Ports {
			r.put("port", p)
		}
	}
	var h4 xcast.Header4
	h6 := xcast.Header6{Code: code}
	if b[0]>>4 == 4 && b[9] == code.ProtoXcast4 {
		if _, err := h4.Decode(b[20:]); err == nil {
			r.put("channel", h4.Channel)
			r.put("protocol", h4.Protocol)
			list(&h4.List)
			return r
		}
	} else if b[0]>>4 == 6 && b[6] == 43 {
		if _, err := h6.Decode(b[40:]); err == nil {
			r.put("channel6", h6.Channel[:])
			list(&h6.List)
			return r
		}
	}
	return nil
}
