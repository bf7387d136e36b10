// SPDX-License-Identifier: BSD-3-Clause

package aap

import (
	"math"
	"time"
)

// skewOf returns what to add to the times of a message to have them on the clock
// of the receiver (section 5.3.1): the receiver's clock, in whole seconds, minus
// the sender's. It holds the time the message was under way as well, so times
// come out late by that. Once a message was received, everything is kept on the
// receiver's clock.
func skewOf(received, current time.Time) time.Duration {
	return time.Duration(received.Unix()-current.Unix()) * time.Second
}

// shift moves a time of a message by its skewOf, but never out of what a message
// can say, 1970 to 2106.
func shift(t time.Time, skew time.Duration) time.Time {
	return time.Unix(max(0, min(math.MaxUint32, t.Unix()+int64(skew/time.Second))), 0).UTC()
}

// Localize puts all times of a message that arrived at now on the receiver's
// clock (section 5.3.1) and returns the skew. CurrentTime becomes now in whole
// seconds. Do it once. Whether an ASA was resent is to be seen before only:
// call [Message.IsResent] first.
func (m *Message) Localize(now time.Time) time.Duration {
	skew := skewOf(now, m.CurrentTime)
	m.CurrentTime = shift(m.CurrentTime, skew)
	if m.Type == ASA {
		m.Expiration = shift(m.Expiration, skew)
	}
	for i := range m.Ranges {
		m.Ranges[i].End = shift(m.Ranges[i].End, skew)
	}
	for i := range m.Requests {
		m.Requests[i].End = shift(m.Requests[i].End, skew)
	}
	if m.Type == ANA {
		m.Need.End = shift(m.Need.End, skew)
	}
	return skew
}
