// SPDX-License-Identifier: BSD-3-Clause

package masc

// FSM returns the next state and the name of the action for a state and one of
// the events E1 to E18, in the order of the constants.
func FSM(s State, ev int) (do uint8, next State) {
	c := fsm[s][ev]
	return uint8(c.do), c.next
}

// Events is the number of events.
const Events = int(events)
