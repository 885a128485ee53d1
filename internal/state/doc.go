// Package state keeps what a program has learned, in one bbolt file per
// configuration. A value is durable when Save returns, and never torn: it has a
// check sum of its own. A file that is damaged, foreign, locked or of another
// version is told apart and never changed.
//
// It also gives out the invocation counters of keys, none of them twice, and the
// system title that they are sent under.
package state
