// SPDX-License-Identifier: BSD-3-Clause

package scope

import (
	"iter"
	"slices"
)

// Relation says whether one scope nests inside another.
type Relation uint8

// The relations. Nesting is learned by listening, so not knowing is a normal
// answer: RFC 2907 waits 39 minutes before it says yes.
const (
	Unknown Relation = iota // nothing known yet
	No                      // some host inside cannot reach all of the outer scope
	Yes                     // every host inside can reach all of the outer scope
)

// String returns "unknown", "no" or "yes".
func (r Relation) String() string {
	switch r {
	case Yes:
		return "yes"
	case No:
		return "no"
	}
	return "unknown"
}

// Nesting says which of a list of scopes nest in which. Nesting is a matter
// of topology (the routers of the inner zone are some of those of the outer
// one) and cannot be read off address ranges, which are disjoint
// (RFC 2776 section 3.1). Every scope nests in itself; two scopes that nest in
// each other have the same boundary. Make one with [NewNesting]; a nil
// Nesting knows no scope.
type Nesting struct {
	ids       []ID
	relations []Relation // row (inner) after row, len(ids) columns (outer)
}

// NewNesting returns a Nesting over the scopes with everything unknown except
// that each nests in itself. A repeated ID counts once.
func NewNesting(ids ...ID) *Nesting {
	n := &Nesting{}
	for _, id := range ids {
		if !slices.Contains(n.ids, id) {
			n.ids = append(n.ids, id)
		}
	}
	n.relations = make([]Relation, len(n.ids)*len(n.ids))
	for i := range n.ids {
		*n.at(i, i) = Yes
	}
	return n
}

func (n *Nesting) at(inner, outer int) *Relation { return &n.relations[inner*len(n.ids)+outer] }

func (n *Nesting) index(id ID) int {
	if n == nil {
		return -1
	}
	return slices.Index(n.ids, id)
}

// IDs returns the scopes in the order they were given.
func (n *Nesting) IDs() []ID {
	if n == nil {
		return nil
	}
	return slices.Clone(n.ids)
}

// Set records what is known about a pair. Its error is an [*Error] with
// [ErrInvalid] if a scope is not in the list, and with [ErrNesting] for
// denying that a scope nests in itself.
func (n *Nesting) Set(inner, outer ID, r Relation) error {
	i, j := n.index(inner), n.index(outer)
	switch {
	case i < 0 || j < 0:
		return &Error{"set nesting of", pairText(inner, outer), "two of the listed scopes", ErrInvalid}
	case i == j && r != Yes:
		return &Error{"set nesting of", pairText(inner, outer), "every scope to nest in itself", ErrNesting}
	}
	*n.at(i, j) = r
	return nil
}

// Of says whether inner nests inside outer. It is Unknown for a scope that is
// not in the list.
func (n *Nesting) Of(inner, outer ID) Relation {
	i, j := n.index(inner), n.index(outer)
	if i < 0 || j < 0 {
		return Unknown
	}
	return *n.at(i, j)
}

// Matrix returns the relation as RFC 2771 section 3.6 has it: m[i][j] is true
// if the i-th scope nests inside the j-th one. That matrix cannot express
// doubt: if anything is unknown the error is an [*Error] with [ErrNesting].
func (n *Nesting) Matrix() ([][]bool, error) {
	if n == nil {
		return nil, nil
	}
	m := make([][]bool, len(n.ids))
	for i := range n.ids {
		m[i] = make([]bool, len(n.ids))
		for j := range n.ids {
			r := *n.at(i, j)
			if r == Unknown {
				return nil, &Error{"nesting matrix: nesting of", pairText(n.ids[i], n.ids[j]), "a known relation", ErrNesting}
			}
			m[i][j] = r == Yes
		}
	}
	return m, nil
}

// Larger yields the scopes that id nests inside (RFC 2771 section 3.7), and
// separately those of which that is unknown, both in list order. The scopes
// with the same boundary are among them, id itself is not. A scope that is
// not in the list has none.
func (n *Nesting) Larger(id ID) (yes, unknown iter.Seq[ID]) {
	i := n.index(id)
	return n.pick(i, Yes, func(k int) *Relation { return n.at(i, k) }),
		n.pick(i, Unknown, func(k int) *Relation { return n.at(i, k) })
}

// Smaller yields the scopes that nest inside id (RFC 2771 section 3.8), and
// separately those of which that is unknown, as [Nesting.Larger] does.
func (n *Nesting) Smaller(id ID) (yes, unknown iter.Seq[ID]) {
	j := n.index(id)
	return n.pick(j, Yes, func(k int) *Relation { return n.at(k, j) }),
		n.pick(j, Unknown, func(k int) *Relation { return n.at(k, j) })
}

func (n *Nesting) pick(self int, want Relation, of func(k int) *Relation) iter.Seq[ID] {
	return func(yield func(ID) bool) {
		if self < 0 {
			return
		}
		for k, id := range n.ids {
			if k != self && *of(k) == want && !yield(id) {
				return
			}
		}
	}
}

// Closure draws every conclusion that what is known allows: a nests in c if
// a nests in b and b in c; and if a nests in b but not in c, then b does not
// nest in c, and so on. If what is known contradicts itself, n stays as it is
// and the error is an [*Error] with [ErrNesting].
func (n *Nesting) Closure() error {
	if n == nil {
		return nil
	}
	c := &Nesting{n.ids, slices.Clone(n.relations)}
	for changed := true; changed; {
		changed = false
		for b := range c.ids {
			for a := range c.ids {
				for z := range c.ids {
					ab, bz, az := c.at(a, b), c.at(b, z), c.at(a, z)
					switch {
					case *ab == Yes && *bz == Yes && *az == No:
						return &Error{"nesting closure of", pairText(c.ids[a], c.ids[z]), "a relation without contradictions", ErrNesting}
					case *ab == Yes && *bz == Yes && *az == Unknown:
						*az, changed = Yes, true
					case *ab == Yes && *az == No && *bz == Unknown:
						*bz, changed = No, true
					case *bz == Yes && *az == No && *ab == Unknown:
						*ab, changed = No, true
					}
				}
			}
		}
	}
	n.relations = c.relations
	return nil
}

func pairText(inner, outer ID) string { return inner.String() + " in " + outer.String() }
