// Package presets holds what is known about kinds of meters, as files for the
// key preset. Each says where its facts are from.
package presets

import "embed"

// Files are the presets, NAME.toml.
//
//go:embed *.toml
var Files embed.FS
