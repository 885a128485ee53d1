package axdr

import "math"

// maxLength is the largest length and count that is accepted. It fits the int
// of every platform; the four length octets of A-XDR could say twice as much.
const maxLength = math.MaxInt32

// CutLength reads a length or count from the front of b and returns what
// follows it. Values up to 127 stand for themselves; 81, 82, 83 and 84 are
// followed by one to four octets. Forms that are longer than necessary are
// accepted. More than four length octets, the indefinite form 80 and values
// over 2,147,483,647 are refused with a [*SyntaxError].
func CutLength(b []byte) (n int, rest []byte, err error) {
	n, end, err := lengthAt(b, 0)
	if err != nil {
		return 0, b, err
	}
	return n, b[end:], nil
}

// lengthAt reads the length that begins at off and returns the offset after it.
func lengthAt(b []byte, off int) (n, end int, err error) {
	if off < len(b) && b[off] < 0x80 {
		return int(b[off]), off + 1, nil
	}
	return longLength(b, off)
}

func longLength(b []byte, off int) (n, end int, err error) {
	if off >= len(b) {
		return 0, off, errCut(off, "length")
	}
	size := int(b[off] & 0x7f)
	if b[off] < 0x80 {
		return size, off + 1, nil
	}
	if size == 0 || size > 4 {
		return 0, off, errBad(off, "length of %d octets, want 1 to 4", size)
	}
	if size > len(b)-off-1 {
		return 0, off, errCut(off, "length")
	}
	var v uint32
	for _, c := range b[off+1 : off+1+size] {
		v = v<<8 | uint32(c)
	}
	if v > maxLength {
		return 0, off, errBad(off, "length %d is over %d", v, maxLength)
	}
	return int(v), off + 1 + size, nil
}

// AppendLength appends a length or count in its usual form: one octet up to
// 127, else 81, 82 or 84 and the octets. (83 would be shorter for three, but
// is not understood everywhere.) n must not be negative; it is written as 0.
func AppendLength(b []byte, n int) []byte {
	switch {
	case n <= 0:
		return append(b, 0)
	case n < 0x80:
		return append(b, byte(n))
	case n <= 0xff:
		return append(b, 0x81, byte(n))
	case n <= 0xffff:
		return append(b, 0x82, byte(n>>8), byte(n))
	default:
		return append(b, 0x84, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
}
