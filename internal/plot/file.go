// SPDX-License-Identifier: BSD-3-Clause

package plot

import (
	"io"
	"os"
)

// File has write fill a file. Without a name it does nothing.
func File(name string, write func(io.Writer) error) error {
	if name == "" {
		return nil
	}
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	if err := write(file); err != nil {
		file.Close()
		return err
	}
	return file.Close()
}
