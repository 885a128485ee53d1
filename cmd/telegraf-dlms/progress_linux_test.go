package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestBarOnTerminal: rows and the bar share a terminal, and no row stands behind
// the bar.
func TestBarOnTerminal(t *testing.T) {
	person, program := terminal(t)
	b := newBar(program, "reading 1.0.99.1.0.255")
	b.mu.Lock()
	b.began = time.Now().Add(-time.Minute)
	b.mu.Unlock()
	out := &besideBar{w: program, bar: b}
	b.set(.5, "10 rows")
	require.Contains(t, readUntil(t, person, "left"), "\r\x1b[K[###############...............]  50 %  10 rows, about 1m0s left")
	fmt.Fprintln(out, "row 11")
	fmt.Fprintln(out, "row 12")
	require.Regexp(t, `(?s)\x1b\[Krow 11\r\n(.*\x1b\[K)?row 12\r\n$`, readUntil(t, person, "row 12\r\n"))
	b.mu.Lock()
	b.drawn = time.Time{}
	b.mu.Unlock()
	b.set(-1, "12 rows")
	require.Contains(t, readUntil(t, person, " s"), "12 rows ... 60 s")
	b.end()
	b.set(1, "nothing more")
	fmt.Fprintln(out, "the end")
	require.Regexp(t, `\x1b\[Kthe end\r\n$`, readUntil(t, person, "end\r\n"))
}

// A bar that is no longer than the terminal can be erased.
func TestBarWidth(t *testing.T) {
	person, program := terminal(t)
	b := newBar(program, "x")
	b.mu.Lock()
	b.began, b.width = time.Now().Add(-time.Minute), 40
	b.mu.Unlock()
	b.set(.5, "10 rows, and much more to say about them, as can be seen here")
	require.Contains(t, readUntil(t, person, "…"), "\r\x1b[K[###############...............]  50 %…")
	b.end()
	readUntil(t, person, "\r\x1b[K")
}
