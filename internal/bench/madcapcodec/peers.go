// SPDX-License-Identifier: BSD-3-Clause

package madcapcodec

import (
	"net"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv6"
	"github.com/insomniacslk/dhcp/iana"
	"github.com/insomniacslk/dhcp/rfc1035label"
)

// peer4 is a DHCPv4 ACK of ten options, 312 octets, in insomniacslk/dhcp.
type peer4 struct {
	octets []byte
	sum    uint64
}

var (
	hardware = net.HardwareAddr{2, 0, 0x5e, 0, 0, 1}
	router   = net.IPv4(192, 0, 2, 1)
	dns1     = net.IPv4(192, 0, 2, 53)
	dns2     = net.IPv4(192, 0, 2, 54)
)

func buildDHCPv4() *dhcpv4.DHCPv4 {
	m, err := dhcpv4.New(
		dhcpv4.WithTransactionID(dhcpv4.TransactionID{1, 2, 3, 4}),
		dhcpv4.WithHwAddr(hardware),
		dhcpv4.WithYourIP(net.IPv4(192, 0, 2, 100)),
		dhcpv4.WithMessageType(dhcpv4.MessageTypeAck),
		dhcpv4.WithOption(dhcpv4.OptServerIdentifier(router)),
		dhcpv4.WithLeaseTime(5400),
		dhcpv4.WithOption(dhcpv4.OptRenewTimeValue(2700*time.Second)),
		dhcpv4.WithNetmask(net.CIDRMask(24, 32)),
		dhcpv4.WithRouter(router),
		dhcpv4.WithDNS(dns1, dns2),
		dhcpv4.WithOption(dhcpv4.OptDomainName("example.org")),
		dhcpv4.WithOption(dhcpv4.OptHostName("host100")),
		dhcpv4.WithOption(dhcpv4.OptBroadcastAddress(net.IPv4(192, 0, 2, 255))),
	)
	if err != nil {
		panic(err)
	}
	m.OpCode = dhcpv4.OpcodeBootReply
	return m
}

func newPeer4() *peer4 { return &peer4{octets: buildDHCPv4().ToBytes()} }

func (p *peer4) decode() {
	if _, err := dhcpv4.FromBytes(p.octets); err != nil {
		panic(err)
	}
}

// decodeAndRead also looks at every value of the message.
func (p *peer4) decodeAndRead() {
	m, err := dhcpv4.FromBytes(p.octets)
	if err != nil {
		panic(err)
	}
	p.sum += uint64(m.MessageType()) + uint64(m.IPAddressLeaseTime(0)) + uint64(m.IPAddressRenewalTime(0))
	p.sum += uint64(len(m.ServerIdentifier())) + uint64(len(m.SubnetMask())) + uint64(len(m.Router())) + uint64(len(m.DNS()))
	p.sum += uint64(len(m.DomainName())) + uint64(len(m.HostName())) + uint64(len(m.BroadcastAddress()))
}

func (p *peer4) buildAndAppend() { p.sum += uint64(len(buildDHCPv4().ToBytes())) }

// peer6 is a DHCPv6 REPLY of ten options, about 192 octets, in
// insomniacslk/dhcp and in gopacket.
type peer6 struct {
	octets []byte
	source *dhcpv6.Message
	layer  layers.DHCPv6
	buffer gopacket.SerializeBuffer
	sum    uint64
}

func newPeer6() *peer6 {
	ip := net.ParseIP("2001:db8:aa::1")
	m, err := dhcpv6.NewMessage()
	if err != nil {
		panic(err)
	}
	m.MessageType = dhcpv6.MessageTypeReply
	duid := &dhcpv6.DUIDLL{HWType: iana.HWTypeEthernet, LinkLayerAddr: hardware}
	for _, o := range []dhcpv6.Option{
		dhcpv6.OptClientID(duid),
		dhcpv6.OptServerID(duid),
		&dhcpv6.OptIANA{IaId: [4]byte{1, 2, 3, 4}, T1: time.Hour, T2: 2 * time.Hour, Options: dhcpv6.IdentityOptions{Options: dhcpv6.Options{
			&dhcpv6.OptIAAddress{IPv6Addr: ip, PreferredLifetime: time.Hour, ValidLifetime: 2 * time.Hour},
		}}},
		dhcpv6.OptPreference(7),
		dhcpv6.OptElapsedTime(time.Second),
		dhcpv6.OptDNS(ip),
		dhcpv6.OptDomainSearchList(&rfc1035label.Labels{Labels: []string{"example.org"}}),
		dhcpv6.OptInformationRefreshTime(time.Hour),
		dhcpv6.OptSNTP(ip),
		dhcpv6.OptBootFileURL("tftp://[2001:db8:aa::1]/boot-100.bin"),
	} {
		m.AddOption(o)
	}
	p := &peer6{octets: m.ToBytes(), source: m, buffer: gopacket.NewSerializeBuffer()}
	p.gopacketDecode()
	p.gopacketAppend()
	return p
}

func (p *peer6) decode() {
	if _, err := dhcpv6.FromBytes(p.octets); err != nil {
		panic(err)
	}
}

func (p *peer6) append() { p.sum += uint64(len(p.source.ToBytes())) }

func (p *peer6) gopacketDecode() {
	if err := p.layer.DecodeFromBytes(p.octets, gopacket.NilDecodeFeedback); err != nil {
		panic(err)
	}
}

func (p *peer6) gopacketAppend() {
	if err := p.buffer.Clear(); err != nil {
		panic(err)
	}
	if err := p.layer.SerializeTo(p.buffer, gopacket.SerializeOptions{}); err != nil {
		panic(err)
	}
}
