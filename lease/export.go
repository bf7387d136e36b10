// SPDX-License-Identifier: BSD-3-Clause

package lease

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"time"

	"github.com/mcastalloc/malloc/scope"
)

// exported is a record in text form: one line of JSON.
type exported struct {
	ID       ID            `json:"id"`
	Holder   string        `json:"holder,omitempty"`
	By       Voucher       `json:"by,omitempty"`
	Key      string        `json:"key,omitempty"`
	Scope    scope.ID      `json:"scope"`
	Addrs    scope.Set     `json:"addrs"`
	Start    time.Time     `json:"start"`
	End      time.Time     `json:"end"`
	Rest     time.Duration `json:"rest"` // nanoseconds
	Shared   bool          `json:"shared,omitempty"`
	Released bool          `json:"released,omitempty"`
}

// Export writes every lease, and every address that rests after one, as a line
// of JSON each. With the pool idle that is all it knows; offers and what was
// put off are left out. The text holds lease identifiers, which are
// capabilities.
func (p *Pool) Export(ctx context.Context, w io.Writer) error {
	out := bufio.NewWriter(w)
	enc := json.NewEncoder(out)
	var failed error
	whole := span{number{}, number{Hi: 1<<64 - 1, Lo: 1<<64 - 1}}
	err := p.walk(ctx, whole, func(c *cell, now instant) {
		for i := range c.len() {
			r := c.at(i)
			if p.t.fold(r.span).first != c.first || r.gone <= now || r.state != leased && r.state != released {
				continue
			}
			l := r.lease()
			failed = errors.Join(failed, enc.Encode(exported{
				ID: r.id, Holder: r.holder.Name, By: r.holder.By, Key: r.key, Scope: l.Scope, Addrs: l.Addrs,
				Start: l.Start, End: l.End, Rest: r.rest, Shared: r.shared, Released: r.state == released,
			}))
		}
	})
	return errors.Join(err, failed, out.Flush())
}

// Import takes over what Export wrote, line by line. A line that cannot be
// right (an address outside the pool's sources, or one that somebody has at
// that time) is left out; Import goes on and returns all that was wrong.
func (p *Pool) Import(ctx context.Context, r io.Reader) error {
	var wrong error
	dec := json.NewDecoder(r)
	for line := 1; ; line++ {
		var e exported
		if err := dec.Decode(&e); err == io.EOF {
			return wrong
		} else if err != nil {
			return errors.Join(wrong, &Error{Op: "import line " + strconv.Itoa(line), Want: "a line of Export", Err: err})
		}
		if err := p.importOne(ctx, &e); err != nil {
			wrong = errors.Join(wrong, &Error{Op: "import line " + strconv.Itoa(line), Got: e.Addrs.String(), Err: err})
			if errors.Is(err, ErrStore) || ctx.Err() != nil {
				return wrong
			}
		}
	}
}

func (p *Pool) importOne(ctx context.Context, e *exported) error {
	defer p.tell(e.ID)
	return p.durably(ctx, "import", p.names(e.ID), func(s *sight) (*op, error) {
		now, _ := p.tick()
		z := p.zoneOf[e.Scope]
		switch {
		case z == nil || e.Addrs.IsEmpty() || e.Addrs.Is4() != (z.family == IPv4):
			return nil, ErrScope
		case !e.Start.Before(e.End) && !e.Released || e.Rest < 0 || e.ID == "":
			return nil, ErrLifetime
		}
		if old := p.t.byID.get(e.ID); old != nil && old.gone > now {
			return nil, ErrInUse
		}
		var runs []span
		for a := range e.Addrs.Ranges() {
			runs = append(runs, spanOf(a))
		}
		r := &record{
			id: e.ID, key: e.Key, zone: z, start: instantOf(e.Start), end: instantOf(e.End), rest: e.Rest,
			state: leased, shared: e.Shared,
		}
		r.setRuns(runs)
		if r.gone = r.busy(); r.gone <= now {
			return nil, nil
		}
		if e.Released {
			r.state = released
		}
		for _, run := range runs {
			inside := 0
			for _, src := range z.sources {
				src.shared(run, func(s span) bool {
					inside += s.size()
					return true
				})
			}
			if inside != run.size() {
				return nil, ErrScope
			}
			if !p.t.room(run, r.start, now, nil, func(_ span, until instant, _ bool) bool { return until >= r.busy() }) {
				return nil, ErrNone
			}
		}
		r.holder = p.t.holder(Principal{e.Holder, e.By})
		if p.j != nil {
			r.stored = &stored{serial: newSerial(p.cfg.Rand)}
		}
		p.t.add(r, now, false)
		return p.note(r, s.list(), nil), nil
	})
}
