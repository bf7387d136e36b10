// SPDX-License-Identifier: BSD-3-Clause

package madcapnet

import (
	"context"
	"errors"

	"github.com/mcastalloc/malloc/lease"
	"github.com/mcastalloc/malloc/madcap"
)

// paramOf names the parameter that an option carries: optionOf the other way.
var paramOf = func() map[madcap.OptionCode]lease.Param {
	m := make(map[madcap.OptionCode]lease.Param)
	for p, o := range optionOf {
		m[o] = p
	}
	return m
}()

// failed turns the error of an exchange that did not take place, or was
// cancelled, into one of package lease. The context's errors stay as they are.
func (c *Client) failed(op string, err error) error {
	var e *madcap.Error
	var l *lease.Error
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.As(err, &l):
		return err
	case errors.Is(err, lease.ErrNoServer):
		return &lease.Error{Op: op, Err: err}
	case errors.Is(err, madcap.ErrBusy):
		return &lease.QuotaError{Limit: "MaxTransactions", Max: int64(c.cfg.Protocol.MaxTransactions)}
	case errors.As(err, &e):
		cause := lease.ErrUnsupported
		switch {
		case errors.Is(err, madcap.ErrTooLong), errors.Is(err, madcap.ErrLength):
			cause = lease.ErrCount // more ranges than a datagram holds
		case e.Option == madcap.OptLeaseIdentifier:
			cause = lease.ErrInUse
			if !errors.Is(err, madcap.ErrValue) {
				cause = lease.ErrNotLeased
			}
		}
		return &lease.Error{Op: op, Param: paramOf[e.Option], Got: err.Error(), Err: cause}
	}
	return &lease.Error{Op: op, Got: err.Error(), Err: lease.ErrNoServer}
}

// refused turns the end of a transaction without an ACK into an error of
// package lease.
func (c *Client) refused(op string, d *madcap.Done) error {
	var nak *madcap.NakError
	switch {
	case errors.As(d.Err, &nak):
		return c.refusedBy(op, d.Request.Type, nak)
	case errors.Is(d.Err, madcap.ErrNoOffer):
		return &lease.Error{Op: op, Want: "an offer that is chosen", Err: lease.ErrNone}
	}
	return &lease.Error{Op: op, Got: d.Err.Error(), Want: "an answer from " + c.asked(d), Err: lease.ErrNoServer}
}

func (c *Client) asked(d *madcap.Done) string {
	if !d.Request.ServerIdentifier.IsZero() {
		return "server " + d.Request.ServerIdentifier.String()
	}
	return "a server"
}

// nakCause is a sentinel of package lease that has its NAK with it, for who
// wants to know.
type nakCause struct {
	error
	nak *madcap.NakError
}

func (c nakCause) Unwrap() []error { return []error{c.error, c.nak} }

// refusedBy turns a NAK into the error its request would have got from an
// allocator in the process (the table of RFC 2730's errors and RFC 2771's).
func (c *Client) refusedBy(op string, asked madcap.MessageType, nak *madcap.NakError) error {
	renewal := asked == madcap.TypeRenew
	e := &lease.Error{Op: op, Got: nak.Reason.String(), Want: "a grant from server " + nak.Server.String()}
	option, ok := nak.Reason.Option()
	if ok {
		e.Param = paramOf[option]
	}
	switch nak.Reason.Code {
	case madcap.CodeNotCompleted:
		e.Err = lease.ErrNone
		if option == madcap.OptMulticastScope {
			e.Err = lease.ErrScope
		}
		switch {
		case renewal:
			e.Err = lease.ErrUnchanged
		case asked == madcap.TypeRelease:
			e.Err = lease.ErrDenied
		}
	case madcap.CodeInvalidRequest:
		e.Err = lease.ErrUnsupported
		switch option {
		case madcap.OptNumberOfAddresses:
			e.Err = lease.ErrCount
		case madcap.OptLeaseTime, madcap.OptMinLeaseTime:
			e.Err = lease.ErrLifetime
		case madcap.OptStartTime, madcap.OptMaxStartTime:
			e.Err = lease.ErrStart
		case madcap.OptMulticastScope, madcap.OptAddressRanges:
			e.Err = lease.ErrScope
		case madcap.OptLeaseIdentifier:
			e.Err = lease.ErrInUse
		case madcap.NoOption:
			if renewal { // the lease, or a change of it, is still pending
				e.Err = lease.ErrUnchanged
			}
		}
	case madcap.CodeClockSkew:
		if t, ok := nak.Reason.ServerTime(); ok {
			return &lease.SkewError{Offset: t.Sub(c.cfg.Now())}
		}
		e.Err = lease.ErrSkew
	case madcap.CodeLeaseUnknown:
		e.Err = lease.ErrNotLeased
	case madcap.CodeFeatureUnsupported:
		e.Err = lease.ErrUnsupported
	default:
		e.Err = lease.ErrDenied
	}
	e.Err = nakCause{e.Err, nak}
	return e
}
