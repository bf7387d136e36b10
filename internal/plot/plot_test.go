// SPDX-License-Identifier: BSD-3-Clause

package plot

import (
	"bytes"
	"encoding/xml"
	"io"
	"strings"
	"testing"
)

// TestWrite: the result is well-formed, whatever the names and values, and has each
// curve in its place.
func TestWrite(t *testing.T) {
	c := Chart{
		X: []float64{1, 2, 3}, Ticks: []Tick{{1, "one"}, {3, "<three>"}},
		Panels: []Panel{
			{Title: "a & b", Unit: "%", Lines: []Line{{"x", []float64{0, 4, 3}}, {"y", []float64{0, 0, 0}}}},
			{Title: "nothing", Most: 6},
			{Title: "zero", Lines: []Line{{"z", []float64{0, 0, 0}}}},
		},
	}
	var b bytes.Buffer
	if err := c.Write(&b); err != nil {
		t.Fatal(err)
	}
	if want := `d="M0.0 260.0L450.0 52.0L900.0 104.0"`; !strings.Contains(b.String(), want) {
		t.Errorf("no %s in\n%s", want, &b)
	}
	d := xml.NewDecoder(&b)
	var err error
	for err == nil {
		_, err = d.Token()
	}
	if err != io.EOF {
		t.Error(err)
	}
}
