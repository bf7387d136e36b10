// SPDX-License-Identifier: BSD-3-Clause

package madcap

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"
)

// signature is a digest of what must be equal in the repetition of a deferred
// message (decision MADCAP-D-37): its options as a set, without Server
// Identifier and Current Time.
type signature [sha256.Size]byte

// signer computes signatures in memory of its own.
type signer struct {
	options []RawOption
	text    []byte
}

func (s *signer) sign(payload []byte) signature {
	options := s.options[:0]
	for code, value := range RawOptions(payload) {
		if code != OptServerIdentifier && code != OptCurrentTime {
			options = append(options, RawOption{code, value})
		}
	}
	slices.SortFunc(options, func(a, b RawOption) int {
		return cmp.Or(cmp.Compare(a.Code, b.Code), bytes.Compare(a.Value, b.Value))
	})
	text := s.text[:0]
	for i, o := range options {
		if i > 0 && o.Code == options[i-1].Code && bytes.Equal(o.Value, options[i-1].Value) {
			continue // an unknown option may be repeated, and this is a set
		}
		text = binary.BigEndian.AppendUint16(text, uint16(o.Code))
		text = binary.BigEndian.AppendUint16(text, uint16(len(o.Value)))
		text = append(text, o.Value...)
	}
	clear(options) // they point into the datagram
	s.options, s.text = options, text
	return sha256.Sum256(text)
}
