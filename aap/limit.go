// SPDX-License-Identifier: BSD-3-Clause

package aap

// maxRanges returns how many ranges fit a message of [MaxPayload] octets (section
// 3.2.2): 40 of IPv4, 13 of IPv6, for ACLM, AIU and AITU as well as ASA. It
// returns 0 for another family.
func maxRanges(f Family) int {
	if !f.isKnown() {
		return 0
	}
	return (MaxPayload - headerLen) / f.elementLen()
}

// maxRequests returns how many requests fit an ASRP of [MaxPayload] octets beside
// so many reports (section 3.2.10.3): at most 255, and 0 if the reports alone
// fill it or the family is unknown.
func maxRequests(f Family, reports int) int {
	if !f.isKnown() || reports < 0 {
		return 0
	}
	return max(0, min(255, (MaxPayload-14-reports*f.elementLen())/requestLen))
}
