package axdr

import (
	"fmt"
	"io"
	"strconv"
)

// SyntaxError says where and why octets are not the Data that was expected.
type SyntaxError struct {
	Offset int    // index of the octet at which the faulty element or length begins
	Msg    string // what was seen and what was expected
	Err    error  // io.ErrUnexpectedEOF if the octets merely end too early, else nil
}

func (e *SyntaxError) Error() string {
	s := "data octet " + strconv.Itoa(e.Offset) + ": " + e.Msg
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns Err, so that errors.Is(err, io.ErrUnexpectedEOF) tells input
// that needs more octets from input that no octets can mend.
func (e *SyntaxError) Unwrap() error { return e.Err }

func errCut(off int, what string) error {
	return &SyntaxError{Offset: off, Msg: what + " is cut short", Err: io.ErrUnexpectedEOF}
}

func errBad(off int, format string, args ...any) error {
	return &SyntaxError{Offset: off, Msg: fmt.Sprintf(format, args...)}
}

func errCount(off int, t Tag, n, left int) error {
	return &SyntaxError{
		Offset: off,
		Msg:    fmt.Sprintf("%v of %d elements with %d octets left", t, n, left),
		Err:    io.ErrUnexpectedEOF,
	}
}
