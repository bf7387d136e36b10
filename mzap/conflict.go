// SPDX-License-Identifier: BSD-3-Clause

package mzap

import (
	"bytes"
	"iter"
)

// FindRangeConflict compares the range of a ZAM with a scope we know (RFC 2776
// section 4.4): zones that share routers must not share addresses, unless their
// ranges are the same.
func FindRangeConflict(zam *Message, z Zone) (Finding, bool) {
	if zam.Range == z.Scope.Range || !zam.Range.Overlaps(z.Scope.Range) {
		return Finding{}, false
	}
	return found(RangeConflict, zam, z), true
}

// FindNameConflicts compares the names in a ZAM or ZCM with the ones we know
// for the same scope (RFC 2776 section 4.4), and yields a finding for every
// language in which both have a name and the names differ. White space at the
// ends of a name does not count, everything else does. Where a message has two
// names in one language, the first counts.
func FindNameConflicts(m *Message, z Zone) iter.Seq[Finding] {
	return func(yield func(Finding) bool) {
		if m.Range != z.Scope.Range {
			return
		}
		for own := range z.Scope.Names.All() {
			theirs, ok := nameIn(m.Names, []byte(own.Tag))
			if !ok || bytes.Equal(trimSpace(theirs.Text), trimSpace([]byte(own.Text))) {
				continue
			}
			f := found(NameConflict, m, z)
			f.Tag, f.Name, f.OwnName = own.Tag, string(theirs.Text), own.Text
			if !yield(f) {
				return
			}
		}
	}
}
