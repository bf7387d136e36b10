// SPDX-License-Identifier: BSD-3-Clause

//go:build ignore

// Gentree makes the 128-bit tree from the 32-bit one: see tree.go.
package main

import (
	"bytes"
	"go/format"
	"log"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

func main() {
	width := regexp.MustCompile(`([A-Za-z])32\b`)
	names, err := filepath.Glob("*32*.go")
	if err != nil {
		log.Fatal(err)
	}
	for _, from := range names {
		if from == "key32.go" {
			continue // its twin is written by hand
		}
		source, err := os.ReadFile(from)
		if err != nil {
			log.Fatal(err)
		}
		out := width.ReplaceAll(source, []byte("${1}128"))
		clause := []byte("\n\npackage scope\n")
		out = bytes.Replace(out, clause, append([]byte("\n\n// Code generated from "+from+" by gentree.go. DO NOT EDIT."), clause...), 1)
		if out, err = format.Source(out); err != nil {
			log.Fatal(err)
		}
		if err := os.WriteFile(strings.Replace(from, "32", "128", 1), out, 0o666); err != nil {
			log.Fatal(err)
		}
	}
}
