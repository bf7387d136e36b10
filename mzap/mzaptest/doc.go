// SPDX-License-Identifier: BSD-3-Clause

// Package mzaptest is for testing against package mzap.
package mzaptest
