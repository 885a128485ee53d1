package main

import (
	"io"
	"unicode/utf8"

	"github.com/telegraf-dlms/telegraf-dlms/internal/execd"
)

// usualWidth is the width of a terminal that does not tell its own.
const usualWidth = 120

// terminalWidth returns the columns of the terminal that w is, 0 if it is none.
func terminalWidth(w io.Writer) int {
	if !execd.IsTerminal(w) {
		return 0
	}
	if n := askWidth(w); n > 0 {
		return n
	}
	return usualWidth
}

// cut shortens a text to n characters, of which the last tells that there was
// more. 0 is no limit.
func cut(s string, n int) string {
	if n <= 0 || utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}
