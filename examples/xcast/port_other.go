// SPDX-License-Identifier: BSD-3-Clause

//go:build !linux

package main

import (
	"context"
	"errors"
	"io"
)

var errLinux = errors.New("needs packet sockets of Linux")

func openPort(bool) (port, error) { return nil, errLinux }

func watch(context.Context, []string, io.Writer) error { return errLinux }

func namespaceLab(context.Context, bool, io.Writer) error { return errLinux }
