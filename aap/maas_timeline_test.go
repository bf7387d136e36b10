// SPDX-License-Identifier: BSD-3-Clause

package aap_test

import (
	"testing"

	"github.com/mcastalloc/malloc/aap"
)

// TestTimeline1: a clean allocation (AAP-3.2.5-1, AAP-3.2.5-2, AAP-3.2.5-6,
// AAP-3.2.2-6, AAP-D-45, AAP-5.1.4-3, AAP-5.1.5-1, AAP-D-47).
func TestTimeline1(t *testing.T) {
	a := newServer(t, 1, nil)
	a.allocate(aap.Want{Token: 9, Addrs: x1, End: at(7200)})
	a.until(209)
	a.says("200 ACLM 0/0 239.255.0.1; 201 ACLM 0/1 239.255.0.1; 203 ACLM 0/2 239.255.0.1; 207 ACLM 0/3 239.255.0.1")
	a.until(241)
	a.says("210 AIU 1/0 239.255.0.1; 211 AIU 1/1 239.255.0.1; 213 AIU 1/2 239.255.0.1; 217 AIU 1/3 239.255.0.1; 225 AIU 1/4 239.255.0.1; 241 AIU 1/5 239.255.0.1")
	a.until(262)
	a.says("")
	a.until(280)
	if len(a.sent) != 1 || a.sent[0].Type != aap.AIU || a.sent[0].RSeq != 1 || a.sent[0].MSeq != 6 {
		t.Errorf("21 to 39 s later: %v", a.take())
	}
}
