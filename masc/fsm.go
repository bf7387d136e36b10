// SPDX-License-Identifier: BSD-3-Clause

package masc

import "strconv"

// State is a state of a connection (RFC 2909, section 10.1).
type State uint8

// The states.
const (
	Idle        State = iota // refuses everything but Start
	Connect                  // waits for its own attempt to connect
	Active                   // listens, and tries again after a while
	OpenSent                 // waits for the peer's OPEN
	OpenConfirm              // waits for the KEEPALIVE that confirms the own OPEN
	Established              // exchanges UPDATEs
	states
)

// String returns the document's name of s.
func (s State) String() string {
	names := [...]string{"Idle", "Connect", "Active", "OpenSent", "OpenConfirm", "Established"}
	if int(s) < len(names) {
		return names[s]
	}
	return "State(" + strconv.Itoa(int(s)) + ")"
}

// event is what happens to a connection.
type event uint8

const (
	evStart        event = iota // an operator or the back-off timer wants a connection
	evStop                      // an operator wants none
	evTransportUp               // the own attempt or an inbound connection of the expected peer
	evConnectFail               // the own attempt failed
	evClosed                    // the peer closed the transport
	evTransportErr              // the transport broke
	evRetry                     // the ConnectRetry timer expired
	evHold                      // the Hold timer expired
	evKeepalive                 // the KeepAlive timer expired
	evOpen                      // an acceptable OPEN; outside OpenSent any
	evBadOpen                   // a fault in a header or an OPEN
	evKeepaliveMsg              // KEEPALIVE
	evUpdate                    // a good UPDATE; outside Established any
	evBadUpdate                 // a fault in an UPDATE or header that lets the connection stay
	evFatalUpdate               // one that does not
	evNotify                    // NOTIFICATION that closes
	evNotifyStay                // NOTIFICATION that does not
	evBadNotify                 // NOTIFICATION with a fault, from a peer that keeps the connection
	evUnexpected                // an inbound connection from somebody else
	evLost                      // the connection lost a collision
	events
)

// step is a cell of the table: what to do, and the state afterwards.
type step struct {
	do   action
	next State
}

// action names what a cell does besides changing the state; see Session.fire.
type action uint8

const (
	ignore        action = iota
	begin                // start ConnectRetry, start connecting
	sendOpen             // stop ConnectRetry, send OPEN, large Hold timer
	restartRetry         // restart ConnectRetry
	redial               // restart ConnectRetry, start connecting
	release              // stop timers, close
	turnAway             // close the inbound connection at once
	turnAwayRetry        // the same, and restart ConnectRetry
	reactivate           // close, restart ConnectRetry
	cease                // send Cease, release
	expire               // send Hold Timer Expired, release
	confirm              // send KEEPALIVE, negotiated timers
	report               // send the NOTIFICATION with O = 0, release
	reportStay           // send the NOTIFICATION with O = 1, restart Hold
	fsmError             // send a Finite State Machine Error, release
	note                 // tell the administrator
	keepalive            // send KEEPALIVE, restart KeepAlive
	establish            // restart Hold, up
	refresh              // restart Hold
	refreshNote          // restart Hold, tell the administrator
	deliver              // restart Hold, hand the UPDATE on
)

// fsm is the table of section 10.1, with decisions MASC-D-40 to 44, 54 and 65
// in it. Every pair of a state and an event has its cell; the zero step ignores
// the event in Idle.
var fsm = [states][events]step{
	Idle: {
		evStart:       {begin, Connect},
		evTransportUp: {turnAway, Idle}, // MASC-10.1-1
		evUnexpected:  {turnAway, Idle},
	},
	Connect: {
		evStart:        {ignore, Connect},
		evStop:         {release, Idle},
		evTransportUp:  {sendOpen, OpenSent},
		evConnectFail:  {restartRetry, Active},
		evClosed:       {release, Idle},
		evTransportErr: {release, Idle},
		evRetry:        {redial, Connect},
		evHold:         {release, Idle},
		evKeepalive:    {release, Idle},
		evOpen:         {release, Idle},
		evBadOpen:      {release, Idle},
		evKeepaliveMsg: {release, Idle},
		evUpdate:       {release, Idle},
		evBadUpdate:    {release, Idle},
		evFatalUpdate:  {release, Idle},
		evNotify:       {release, Idle},
		evNotifyStay:   {release, Idle},
		evBadNotify:    {release, Idle},
		evUnexpected:   {turnAway, Connect},
		evLost:         {release, Idle},
	},
	Active: {
		evStart:        {ignore, Active},
		evStop:         {release, Idle},
		evTransportUp:  {sendOpen, OpenSent},
		evConnectFail:  {release, Idle},
		evClosed:       {release, Idle},
		evTransportErr: {release, Idle},
		evRetry:        {redial, Connect},
		evHold:         {release, Idle},
		evKeepalive:    {release, Idle},
		evOpen:         {release, Idle},
		evBadOpen:      {release, Idle},
		evKeepaliveMsg: {release, Idle},
		evUpdate:       {release, Idle},
		evBadUpdate:    {release, Idle},
		evFatalUpdate:  {release, Idle},
		evNotify:       {release, Idle},
		evNotifyStay:   {release, Idle},
		evBadNotify:    {release, Idle},
		evUnexpected:   {turnAwayRetry, Active}, // MASC-10.1-15
		evLost:         {release, Idle},
	},
	OpenSent: {
		evStart:        {ignore, OpenSent},
		evStop:         {cease, Idle},
		evTransportUp:  {fsmError, Idle},
		evConnectFail:  {fsmError, Idle},
		evClosed:       {reactivate, Active}, // MASC-10.1-25
		evTransportErr: {release, Idle},
		evRetry:        {fsmError, Idle},
		evHold:         {expire, Idle},
		evKeepalive:    {fsmError, Idle},
		evOpen:         {confirm, OpenConfirm},
		evBadOpen:      {report, Idle},
		evKeepaliveMsg: {fsmError, Idle},
		evUpdate:       {fsmError, Idle},
		evBadUpdate:    {fsmError, Idle},
		evFatalUpdate:  {fsmError, Idle},
		evNotify:       {release, Idle},
		evNotifyStay:   {note, OpenSent},
		evBadNotify:    {report, Idle},
		evUnexpected:   {turnAway, OpenSent},
		evLost:         {cease, Idle},
	},
	OpenConfirm: {
		evStart:        {ignore, OpenConfirm},
		evStop:         {cease, Idle},
		evTransportUp:  {fsmError, Idle},
		evConnectFail:  {fsmError, Idle},
		evClosed:       {release, Idle},
		evTransportErr: {release, Idle},
		evRetry:        {fsmError, Idle},
		evHold:         {expire, Idle},
		evKeepalive:    {keepalive, OpenConfirm},
		evOpen:         {fsmError, Idle},
		evBadOpen:      {report, Idle},
		evKeepaliveMsg: {establish, Established},
		evUpdate:       {fsmError, Idle},
		evBadUpdate:    {fsmError, Idle},
		evFatalUpdate:  {fsmError, Idle},
		evNotify:       {release, Idle},
		evNotifyStay:   {refreshNote, OpenConfirm},
		evBadNotify:    {report, Idle},
		evUnexpected:   {turnAway, OpenConfirm},
		evLost:         {cease, Idle},
	},
	Established: {
		evStart:        {ignore, Established},
		evStop:         {cease, Idle},
		evTransportUp:  {fsmError, Idle},
		evConnectFail:  {fsmError, Idle},
		evClosed:       {release, Idle},
		evTransportErr: {release, Idle},
		evRetry:        {fsmError, Idle},
		evHold:         {expire, Idle},
		evKeepalive:    {keepalive, Established},
		evOpen:         {fsmError, Idle},
		evBadOpen:      {report, Idle},
		evKeepaliveMsg: {refresh, Established},
		evUpdate:       {deliver, Established},
		evBadUpdate:    {reportStay, Established},
		evFatalUpdate:  {report, Idle},
		evNotify:       {release, Idle},
		evNotifyStay:   {refreshNote, Established},
		evBadNotify:    {report, Idle},
		evUnexpected:   {turnAway, Established},
		evLost:         {cease, Idle},
	},
}
