// SPDX-License-Identifier: BSD-3-Clause

package main

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/mcastalloc/malloc/xcast"
)

// A route is a line of a routing table.
type route struct {
	prefix netip.Prefix
	to     xcast.Route
}

// A table is routes, longest prefix first.
type table []route

// lookup returns the route of the longest prefix that holds a.
func (t table) lookup(a netip.Addr) (xcast.Route, bool) {
	for _, r := range t {
		if r.prefix.Contains(a) {
			return r.to, true
		}
	}
	return xcast.Route{}, false
}

func (t table) sort() {
	slices.SortStableFunc(t, func(a, b route) int { return cmp.Compare(b.prefix.Bits(), a.prefix.Bits()) })
}

// readTable reads a routing table from a file with lines of the form
//
//	198.51.100.0/24 via 192.0.2.2 dev eth0 xcast
//	203.0.113.0/24  via 192.0.2.3 dev eth1 mtu 1400
//	192.0.2.0/24    dev eth0
//
// where xcast says that the next hop speaks Xcast and # begins a comment. The
// function index gives the number of an interface.
func readTable(file io.Reader, index func(dev string) (int32, error)) (table, error) {
	var t table
	lines := bufio.NewScanner(file)
	for number := 1; lines.Scan(); number++ {
		text, _, _ := strings.Cut(lines.Text(), "#")
		if words := strings.Fields(text); len(words) > 0 {
			r, err := readRoute(words, index)
			if err != nil {
				return nil, fmt.Errorf("line %d: %q: %w", number, strings.TrimSpace(text), err)
			}
			t = append(t, r)
		}
	}
	t.sort()
	return t, lines.Err()
}

func readRoute(words []string, index func(dev string) (int32, error)) (r route, err error) {
	if r.prefix, err = netip.ParsePrefix(words[0]); err != nil {
		return r, err
	}
	for words = words[1:]; len(words) > 0; {
		word, value := words[0], ""
		if word == "xcast" {
			r.to.Capable, words = true, words[1:]
			continue
		}
		if len(words) < 2 {
			return r, fmt.Errorf("nothing after %q", word)
		}
		value, words = words[1], words[2:]
		switch word {
		case "via":
			r.to.Gateway, err = netip.ParseAddr(value)
		case "dev":
			r.to.Interface, err = index(value)
		case "mtu":
			var mtu uint64
			mtu, err = strconv.ParseUint(value, 10, 16)
			r.to.MTU = uint16(mtu)
		default:
			err = fmt.Errorf("unknown word %q, want via, dev, mtu or xcast", word)
		}
		if err != nil {
			return r, err
		}
	}
	if r.to.Interface == 0 {
		return r, errors.New("no interface, want dev and its name")
	}
	return r, nil
}
