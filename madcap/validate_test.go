// SPDX-License-Identifier: BSD-3-Clause

package madcap_test

import (
	"testing"

	"github.com/mcastalloc/malloc/madcap"
)

// columnOf returns the column of Table 5 with that name.
func columnOf(t *testing.T, name string) column {
	t.Helper()
	for _, c := range columns() {
		if c.name == name {
			return c
		}
	}
	t.Fatalf("no column %q", name)
	return column{}
}

// TestCompanions is about options that contradict each other, or need each
// other. Each row starts from the least message of its column.
func TestCompanions(t *testing.T) {
	const (
		absent   = "ErrMissing"
		conflict = "ErrCompanion"
		fine     = ""
	)
	type message = madcap.Message
	type codes = []madcap.OptionCode
	requires := func(m *message, fs ...madcap.Feature) { m.Features.Present, m.Features.Value.Required = true, fs }
	defers := func(m *message) {
		addOption(m, 11)
		addOption(m, 13)
		m.Ranges = blocks()
		requires(m, madcap.RetryAfter)
	}
	for _, c := range []struct {
		id, column, why string
		with            codes
		change          func(*message)
		class           string
		option          madcap.OptionCode
	}{
		// Current Time beside every absolute time.
		{"MADCAP-2.2.2-11", "DISCOVER", "start without current time", codes{6}, nil, absent, 11},
		{"MADCAP-2.2.2-11", "DISCOVER", "maximum start without current time", codes{15}, nil, absent, 11},
		{"MADCAP-2.2.3-5", "OFFER", "start without current time", codes{6}, nil, absent, 11},
		{"MADCAP-2.2.4-11", "REQUEST", "start without current time", codes{6}, nil, absent, 11},
		{"MADCAP-2.2.4-11", "REQUEST", "maximum start without current time", codes{15}, nil, absent, 11},
		{"MADCAP-2.2.7-6", "RENEW", "start without current time", codes{6}, nil, absent, 11},
		{"MADCAP-2.2.7-6", "RENEW", "maximum start without current time", codes{15}, nil, absent, 11},
		{"MADCAP-2.2.5-2", "A/REQUEST", "start without current time", codes{6}, nil, absent, 11},
		{"MADCAP-2.2.5-4", "A/RENEW", "start without current time", codes{6}, nil, absent, 11},
		{"MADCAP-3.7-2", "REQUEST", "start in 1970 without current time", nil, func(m *message) { m.StartTime = unix(0) }, absent, 11},
		{"MADCAP-3.16-2", "REQUEST", "maximum start in 1970 without current time", nil, func(m *message) { m.MaxStartTime = unix(0) }, absent, 11},
		{"MADCAP-3.14-3", "A/REQUEST", "deferral without current time", nil, func(m *message) { defers(m); m.CurrentTime = unix(0).AddDate(-1969, 0, 0) }, absent, 11},
		{"MADCAP-2.12-1", "A/RENEW", "deferral without current time", nil, func(m *message) { defers(m); m.CurrentTime = message{}.CurrentTime }, absent, 11},
		{"MADCAP-2.12-1", "REQUEST", "current time in 1970", codes{6}, func(m *message) { m.CurrentTime = unix(0) }, fine, 0},
		{"MADCAP-2.12-2", "A/GETINFO", "current time alone", codes{11}, nil, fine, 0},
		{"MADCAP-D-27", "A/RELEASE", "current time", codes{11}, nil, "ErrForbidden", 11},
		{"MADCAP-D-27", "NAK", "a time in error 2 without current time", nil, func(m *message) {
			m.Error = madcap.Some(madcap.ErrorOption{Code: madcap.CodeClockSkew, Extra: []byte("abcd")})
		}, fine, 0},

		// Lease times.
		{"MADCAP-D-20", "REQUEST", "0 seconds", nil, func(m *message) { m.LeaseTime = seconds(0) }, conflict, 1},
		{"MADCAP-D-20", "DISCOVER", "0 seconds", nil, func(m *message) { m.LeaseTime = seconds(0) }, conflict, 1},
		{"MADCAP-D-20", "RENEW", "0 seconds", nil, func(m *message) { m.LeaseTime = seconds(0) }, conflict, 1},
		{"MADCAP-D-20", "OFFER", "0 seconds", nil, func(m *message) { m.LeaseTime = seconds(0) }, conflict, 1},
		{"MADCAP-D-20", "A/REQUEST", "0 seconds", nil, func(m *message) { m.LeaseTime = seconds(0) }, conflict, 1},
		{"MADCAP-D-20", "A/REQUEST", "0 seconds in a deferral", nil, func(m *message) { defers(m); m.LeaseTime = seconds(0) }, fine, 0},
		{"MADCAP-D-20", "REQUEST", "2^32-1 seconds", nil, func(m *message) { m.LeaseTime = seconds(1<<32 - 1) }, fine, 0},
		{"MADCAP-D-20", "REQUEST", "no minimum", codes{1}, func(m *message) { m.MinLeaseTime = seconds(0) }, fine, 0},
		{"MADCAP-D-21", "REQUEST", "minimum above the lease time", codes{1}, func(m *message) { m.MinLeaseTime = seconds(3601) }, conflict, 14},
		{"MADCAP-D-21", "RENEW", "minimum above the lease time", codes{1}, func(m *message) { m.MinLeaseTime = seconds(3601) }, conflict, 14},
		{"MADCAP-D-21", "REQUEST", "minimum equal to the lease time", codes{1}, func(m *message) { m.MinLeaseTime = seconds(3600) }, fine, 0},
		{"MADCAP-D-21", "REQUEST", "minimum without lease time", codes{14}, nil, fine, 0},
		{"MADCAP-D-21", "DISCOVER", "maximum before the start", codes{6, 11}, func(m *message) { m.MaxStartTime = unix(1700003599) }, conflict, 15},
		{"MADCAP-D-21", "DISCOVER", "maximum equal to the start", codes{6, 11}, func(m *message) { m.MaxStartTime = m.StartTime }, fine, 0},
		{"MADCAP-D-21", "DISCOVER", "maximum without start", codes{15, 11}, nil, fine, 0},

		// Features.
		{"MADCAP-2.13.2-3", "REQUEST", "Retry After requested", nil, func(m *message) {
			m.Features = madcap.Some(madcap.FeatureList{Requested: []madcap.Feature{2, 1}})
		}, conflict, 12},
		{"MADCAP-2.13.2-3", "REQUEST", "Retry After required", nil, func(m *message) { requires(m, 0, madcap.RetryAfter) }, conflict, 12},
		{"MADCAP-D-23", "RENEW", "Retry After requested though supported", codes{12}, func(m *message) {
			m.Features.Value.Requested = []madcap.Feature{madcap.RetryAfter}
		}, conflict, 12},
		{"MADCAP-D-23", "GETINFO", "Retry After required", nil, func(m *message) { requires(m, madcap.RetryAfter) }, conflict, 12},
		{"MADCAP-3.13-5", "RELEASE", "other features in every list", nil, func(m *message) {
			m.Features = madcap.Some(madcap.FeatureList{Supported: allFeatures, Requested: []madcap.Feature{2, 7}, Required: []madcap.Feature{0}})
		}, fine, 0},
		{"MADCAP-3.13-4", "OFFER", "a server requests", codes{12}, func(m *message) { m.Features.Value.Requested = []madcap.Feature{0} }, conflict, 12},
		{"MADCAP-3.13-4", "A/GETINFO", "a server requests", codes{12}, func(m *message) { m.Features.Value.Requested = []madcap.Feature{0} }, conflict, 12},
		{"MADCAP-3.13-4", "NAK", "a server requests", codes{12}, func(m *message) { m.Features.Value.Requested = []madcap.Feature{0} }, conflict, 12},
		{"MADCAP-D-26", "A/RELEASE", "a Feature List", codes{12}, nil, fine, 0},
		{"MADCAP-D-26", "NAK", "a Feature List", codes{12}, nil, fine, 0},

		// The four parts of a deferral.
		{"MADCAP-2.13.2-2", "A/REQUEST", "all of it", nil, defers, fine, 0},
		{"MADCAP-2.13.2-7", "A/RENEW", "all of it", nil, defers, fine, 0},
		{"MADCAP-D-24", "A/REQUEST", "with addresses", nil, func(m *message) { defers(m); addOption(m, 10) }, conflict, 10},
		{"MADCAP-D-24", "A/REQUEST", "without Retry After", nil, func(m *message) { defers(m); requires(m, 0, 2) }, conflict, 12},
		{"MADCAP-D-24", "A/REQUEST", "Retry After only supported", nil, func(m *message) { defers(m); m.Features = supports(1) }, conflict, 12},
		{"MADCAP-D-24", "A/REQUEST", "without Feature List", nil, func(m *message) { defers(m); m.Features = message{}.Features }, conflict, 12},
		{"MADCAP-D-24", "A/REQUEST", "without Retry Time", nil, func(m *message) { defers(m); m.RetryTime = message{}.RetryTime }, absent, 13},
		{"MADCAP-D-24", "A/REQUEST", "a Retry Time in 1970", nil, func(m *message) { defers(m); m.RetryTime = unix(0) }, fine, 0},
		{"MADCAP-D-24", "OFFER", "an empty list", nil, func(m *message) { m.Ranges = blocks() }, absent, 13},
		{"MADCAP-D-24", "A/REQUEST", "Retry After in the final ACK", nil, func(m *message) { requires(m, madcap.RetryAfter) }, fine, 0},
		{"MADCAP-D-24", "A/REQUEST", "a deferral of another family", nil, func(m *message) {
			defers(m)
			m.Family, m.Scope, m.Ranges = 3, message{}.Scope, message{}.Ranges
			m.Unknown = []madcap.RawOption{raw(4, "x"), raw(10, "")}
		}, fine, 0},
		{"MADCAP-D-24", "A/REQUEST", "a deferral of another family with addresses", nil, func(m *message) {
			defers(m)
			m.Family, m.Scope, m.Ranges = 3, message{}.Scope, message{}.Ranges
			m.Unknown = []madcap.RawOption{raw(4, "x"), raw(10, "x")}
		}, conflict, 10},
		{"MADCAP-D-17", "REQUEST", "an empty list asks for any addresses", nil, func(m *message) { m.Ranges = blocks() }, fine, 0},
		{"MADCAP-D-17", "DISCOVER", "overlapping ranges", nil, func(m *message) {
			m.Ranges = blocks("239.255.0.1", "239.255.0.9", "239.255.0.2", "239.255.0.3")
		}, fine, 0},

		// Opaque families fill their place in the table.
		{"MADCAP-D-8", "DISCOVER", "an opaque scope", nil, func(m *message) {
			m.Family, m.Scope, m.Unknown = 3, message{}.Scope, []madcap.RawOption{raw(4, "x")}
		}, fine, 0},
		{"MADCAP-D-8", "RENEW", "an opaque list of ranges", nil, func(m *message) {
			m.Family, m.Unknown = 3, []madcap.RawOption{raw(10, "x")}
		}, "ErrForbidden", 10},

		// Which violation counts when there are several.
		{"MADCAP-D-4", "REQUEST", "forbidden before missing", codes{8}, func(m *message) { remove(m, 4) }, "ErrForbidden", 8},
		{"MADCAP-D-4", "REQUEST", "the lowest forbidden one", codes{16, 8, 5, 17}, nil, "ErrForbidden", 5},
		{"MADCAP-D-4", "OFFER", "the lowest missing one", nil, func(m *message) { remove(m, 4); remove(m, 1); remove(m, 2) }, absent, 1},
		{"MADCAP-D-4", "REQUEST", "missing before companions", codes{6}, func(m *message) { remove(m, 4) }, absent, 4},
		{"MADCAP-D-4", "REQUEST", "current time first", codes{6}, func(m *message) { m.LeaseTime = seconds(0); requires(m, 1) }, absent, 11},
		{"MADCAP-D-4", "REQUEST", "lease time second", codes{6, 11}, func(m *message) { m.LeaseTime = seconds(0); requires(m, 1); m.MinLeaseTime = seconds(1) }, conflict, 1},
		{"MADCAP-D-4", "REQUEST", "Retry After third", codes{1, 6, 11}, func(m *message) {
			requires(m, 1)
			m.MinLeaseTime, m.MaxStartTime = seconds(9999), unix(1)
		}, conflict, 12},
		{"MADCAP-D-4", "REQUEST", "minimum fourth", codes{1, 6, 11}, func(m *message) {
			m.MinLeaseTime, m.MaxStartTime = seconds(9999), unix(1)
		}, conflict, 14},
		{"MADCAP-D-4", "REQUEST by multicast", "forbidden before a missing server", codes{9}, func(m *message) { remove(m, 2) }, "ErrForbidden", 9},
		{"MADCAP-D-1", "REQUEST", "no Lease Identifier, whatever else", codes{8}, func(m *message) { remove(m, 3) }, absent, 3},
		{"MADCAP-2.5-2", "NAK", "no Lease Identifier", nil, func(m *message) { remove(m, 3) }, absent, 3},

		// Single cells of Table 5 that the document states in words.
		{"MADCAP-2.2.1-3", "GETINFO", "no Option Request List", nil, func(m *message) { remove(m, 5) }, absent, 5},
		{"MADCAP-2.2.1-7", "GETINFO", "a language", codes{8}, nil, fine, 0},
		{"MADCAP-2.2.2-9", "DISCOVER", "every option it may have", codes{1, 14, 6, 15, 7, 10, 11, 12}, nil, fine, 0},
		{"MADCAP-2.2.2-10", "DISCOVER", "no scope", nil, func(m *message) { remove(m, 4) }, absent, 4},
		{"MADCAP-2.2.2-12", "DISCOVER", "no Lease Identifier", nil, func(m *message) { remove(m, 3) }, absent, 3},
		{"MADCAP-2.2.3-2", "OFFER", "no lease time", nil, func(m *message) { remove(m, 1) }, absent, 1},
		{"MADCAP-2.2.3-2", "OFFER", "no scope", nil, func(m *message) { remove(m, 4) }, absent, 4},
		{"MADCAP-2.2.3-3", "OFFER", "no ranges", nil, nil, fine, 0},
		{"MADCAP-2.2.3-4", "OFFER", "no start", nil, nil, fine, 0},
		{"MADCAP-2.2.4-4", "REQUEST by multicast", "no server", nil, func(m *message) { remove(m, 2) }, absent, 2},
		{"MADCAP-3.3-4", "REQUEST by multicast", "no server", nil, func(m *message) { remove(m, 2) }, absent, 2},
		{"MADCAP-2.2.4-5", "REQUEST", "no server", nil, nil, fine, 0},
		{"MADCAP-2.2.4-5", "REQUEST", "a server", codes{2}, nil, fine, 0},
		{"MADCAP-2.2.4-9", "REQUEST", "every option it may have", codes{1, 2, 14, 6, 15, 7, 10, 11, 12}, nil, fine, 0},
		{"MADCAP-2.2.4-10", "REQUEST", "no scope", nil, func(m *message) { remove(m, 4) }, absent, 4},
		{"MADCAP-2.2.5-2", "A/REQUEST", "no ranges", nil, func(m *message) { remove(m, 10) }, absent, 10},
		{"MADCAP-2.2.5-4", "A/RENEW", "no ranges", nil, func(m *message) { remove(m, 10) }, absent, 10},
		{"MADCAP-2.2.5-5", "A/RELEASE", "ranges", codes{10}, nil, "ErrForbidden", 10},
		{"MADCAP-2.2.5-6", "A/RELEASE", "no server", nil, func(m *message) { remove(m, 2) }, absent, 2},
		{"MADCAP-2.2.6-2", "NAK", "no Lease Identifier", nil, func(m *message) { remove(m, 3) }, absent, 3},
		{"MADCAP-2.2.6-3", "NAK", "no server", nil, func(m *message) { remove(m, 2) }, absent, 2},
		{"MADCAP-2.2.6-4", "NAK", "no error", nil, func(m *message) { remove(m, 16) }, absent, 16},
		{"MADCAP-3.17-2", "NAK", "no error", nil, func(m *message) { remove(m, 16) }, absent, 16},
		{"MADCAP-2.2.7-5", "RENEW", "a number of addresses", codes{7}, nil, "ErrForbidden", 7},
		{"MADCAP-2.7-4", "DISCOVER", "no scope", nil, func(m *message) { remove(m, 4) }, absent, 4},
		{"MADCAP-2.7-5", "A/REQUEST", "no scope", nil, func(m *message) { remove(m, 4) }, absent, 4},
		{"MADCAP-3.3-3", "A/GETINFO", "no server", nil, func(m *message) { remove(m, 2) }, absent, 2},
		{"MADCAP-3.9-1", "REQUEST", "a language", codes{8}, nil, "ErrForbidden", 8},
		{"MADCAP-3.10-1", "A/REQUEST", "a scope list", codes{9}, nil, "ErrForbidden", 9},
		{"MADCAP-3.13-2", "RELEASE", "a Feature List", codes{12}, nil, fine, 0},
		{"MADCAP-3.14-2", "OFFER", "a Retry Time", codes{13, 11}, nil, "ErrForbidden", 13},
		{"MADCAP-N3.3-1", "A/REQUEST", "a nesting state", codes{17}, nil, "ErrForbidden", 17},
		{"MADCAP-N3.3-1", "GETINFO", "a nesting state", codes{17}, nil, "ErrForbidden", 17},
	} {
		t.Run(c.id+"/"+c.column+"/"+c.why, func(t *testing.T) {
			col := columnOf(t, c.column)
			m := col.build(c.with...)
			if c.change != nil {
				c.change(&m)
			}
			want := map[string]error{absent: madcap.ErrMissing, conflict: madcap.ErrCompanion, "ErrForbidden": madcap.ErrForbidden}[c.class]
			e := checkError(t, m.Validate(col.answers, col.multicast), want)
			if e == nil {
				return
			}
			if e.Option != c.option || e.Type != m.Type || e.Offset != -1 {
				t.Errorf("error %v, want one about %v", e, c.option)
			}
			answer := wantAnswer(m.Type, c.option)
			if len(m.LeaseIdentifier) == 0 {
				answer = silence
			}
			checkAnswer(t, e, answer)
		})
	}
}
