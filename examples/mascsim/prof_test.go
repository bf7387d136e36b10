package main

import (
	"io"
	"testing"
)

func TestProf(t *testing.T) {
	run([]string{"-tlds", "10", "-children", "50", "-days", "120", "-quiet", "-workers", "1"}, io.Discard, io.Discard)
}
