// SPDX-License-Identifier: BSD-3-Clause

package masc

import (
	"encoding/binary"
	"errors"
	"io"
)

// SplitMessage is a bufio.SplitFunc that cuts a byte stream into messages. A
// length that cannot be, below 4 or above 4096, is an *Error as soon as the
// header is there; nothing can be read after it (decision MASC-D-5). An end of
// the stream inside a message is io.ErrUnexpectedEOF.
func SplitMessage(data []byte, atEOF bool) (advance int, token []byte, err error) {
	if len(data) < headerLen {
		if atEOF && len(data) > 0 {
			return 0, nil, io.ErrUnexpectedEOF
		}
		return 0, nil, nil
	}
	n := int(binary.BigEndian.Uint16(data))
	if n < headerLen || n > MaxMessage {
		return 0, nil, fail(0, BadMessageLength, 0, data[:headerLen], "length %d is not 4 to 4096", n)
	}
	if len(data) < n {
		if atEOF {
			return 0, nil, io.ErrUnexpectedEOF
		}
		return 0, nil, nil
	}
	return n, data[:n:n], nil
}

// Reader reads messages from a byte stream such as a net.Conn. It holds one
// message at most, in a buffer of 4096 octets, whatever lengths the stream
// announces, and does not read past the message it returns more than fits that
// buffer.
type Reader struct {
	r          io.Reader
	buf        [MaxMessage]byte
	start, end int
	err        error
}

// NewReader returns a Reader of the messages in r.
func NewReader(r io.Reader) *Reader { return &Reader{r: r} }

// Next returns the next message, which stays valid until the next call. It
// returns io.EOF at the end of the stream, io.ErrUnexpectedEOF if that is
// inside a message, an *Error with the NOTIFICATION to send if the length
// cannot be, and what the stream returned otherwise. Every error is final.
func (r *Reader) Next() ([]byte, error) {
	for {
		n, msg, err := SplitMessage(r.buf[r.start:r.end], r.err != nil)
		switch {
		case r.err != nil && !errors.Is(r.err, io.EOF) && n == 0:
			return nil, r.err
		case err != nil:
			r.err, r.start = err, r.end
			return nil, err
		case n > 0:
			r.start += n
			return msg, nil
		case r.err != nil:
			return nil, r.err
		}
		if r.start > 0 {
			r.end = copy(r.buf[:], r.buf[r.start:r.end])
			r.start = 0
		}
		n, r.err = r.r.Read(r.buf[r.end:])
		r.end += n
	}
}
