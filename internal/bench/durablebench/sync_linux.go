// SPDX-License-Identifier: BSD-3-Clause

package durablebench

import (
	"os"
	"syscall"
)

func dataSync(f *os.File) error { return syscall.Fdatasync(int(f.Fd())) }
