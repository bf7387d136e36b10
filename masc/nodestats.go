// SPDX-License-Identifier: BSD-3-Clause

package masc

// NodeStats counts what a Node has seen and done.
type NodeStats struct {
	Received   uint64 // claims handed to Receive
	Rejected   uint64 // of these, answered with a NOTIFICATION
	Duplicates uint64 // known already, or older than what is known
	Expired    uint64 // past their Holdtime
	Dropped    uint64 // from ignored or untrusted origins, or beyond a limit
	Sent       uint64 // copies of claims sent
	Claimed    uint64 // own claims sent: NEW_CLAIM and CLAIM_TO_EXPAND
	Hints      uint64 // own hints sent
	Collisions uint64 // own claims that lost
	Denied     uint64 // own claims that a parent refused
	Allocated  uint64 // own claims that succeeded
	Clashes    uint64 // clashes with own prefixes, won or lost
	Refused    uint64 // claims of children that were refused
}
