// SPDX-License-Identifier: BSD-3-Clause

//go:build !linux

package durablebench

import "os"

func dataSync(f *os.File) error { return f.Sync() }
