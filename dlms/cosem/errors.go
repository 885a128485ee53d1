package cosem

import "strconv"

// DecodeError says that the value of an attribute has not the form its class
// prescribes.
type DecodeError struct {
	What string // "scaler_unit"
	Err  error  // what was seen; an *axdr.SyntaxError if it is not even data
}

func (e *DecodeError) Error() string { return e.What + ": " + e.Err.Error() }

// Unwrap returns Err.
func (e *DecodeError) Unwrap() error { return e.Err }

// shapeError is data that is well formed but not of the form expected.
type shapeError string

func (e shapeError) Error() string { return string(e) }

func trailing(n int) error {
	return shapeError(strconv.Itoa(n) + " octets after the end of the element")
}
