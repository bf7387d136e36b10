// SPDX-License-Identifier: BSD-3-Clause

package lease

import "time"

// instant is a time in nanoseconds since 1970 UTC, kept between longAgo and
// never so that the sum of two of them does not overflow. Inside the package
// instants are cheaper to keep and compare than time.Time.
type instant int64

// never lies in the year 2116, ten years after the last one MADCAP can say:
// nothing is granted for longer.
const (
	never   instant = 1<<62 - 1
	longAgo instant = -never
)

func instantOf(t time.Time) instant {
	const most = int64(never / 1e9)
	sec := t.Unix()
	switch {
	case sec >= most:
		return never
	case sec <= -most:
		return longAgo
	}
	return instant(sec*1e9 + int64(t.Nanosecond()))
}

func (i instant) time() time.Time { return time.Unix(0, int64(i)).UTC() }

// add returns i+d between longAgo and never.
func (i instant) add(d time.Duration) instant {
	const most = time.Duration(never)
	return min(max(i+instant(min(max(d, -most), most)), longAgo), never)
}

func (i instant) sub(j instant) time.Duration { return time.Duration(i - j) }
