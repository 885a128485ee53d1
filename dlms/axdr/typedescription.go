package axdr

import (
	"bytes"
	"errors"
	"io"
)

// A TypeDescription is the type of the elements of a compact-array (Blue Book
// Ed. 13, clause 4.1.5), and of the values in the buffer of a "Compact data"
// object (clause 4.3.10). It comes from [CutTypeDescription]; the zero value describes nothing.
type TypeDescription struct {
	octets []byte
	arrays bool // there are some in it
}

// CutTypeDescription reads the type description at the front of b and returns
// what follows it. It is copied. Types that no description may have, and
// descriptions of more than 512 octets are a [*SyntaxError]; it wraps
// io.ErrUnexpectedEOF if b ends too early but is no worse than that.
func CutTypeDescription(b []byte) (t TypeDescription, rest []byte, err error) {
	end, err := descriptionEnd(b, 0, 1)
	if err == nil && end > maxDescription || errors.Is(err, io.ErrUnexpectedEOF) && len(b) > maxDescription {
		err = errBad(0, "a type description of more than %d octets", maxDescription)
	}
	if err != nil {
		return t, b, err
	}
	t.octets = bytes.Clone(b[:end])
	_, _, t.arrays = t.size(0)
	return t, b[end:], nil
}

// Tag is the type of the elements; TagNull for the zero value.
func (t TypeDescription) Tag() Tag { return Data(t.octets).Tag() }

// HasArray reports whether there is an array among the types.
func (t TypeDescription) HasArray() bool { return t.arrays }

// AppendElement appends the element whose contents are at the front of
// contents, tags and all, and returns what follows them. It appends at most
// limit octets. counted is what [TypeDescription.Counted] says.
//
// An error is a [*SyntaxError] and leaves dst as it is: it wraps
// io.ErrUnexpectedEOF if the contents end too early but are no worse than
// that. Elements that take no octets are refused.
func (t TypeDescription) AppendElement(dst, contents []byte, counted bool, limit int) (out, rest []byte, err error) {
	if len(t.octets) == 0 {
		return dst, contents, errBad(0, "contents of a compact-array without a type description")
	}
	x := expander{types: t.octets, src: contents, dst: dst, limit: len(dst) + limit, counted: counted}
	end, err := x.next(0, 0, len(contents))
	if err != nil {
		return dst, contents, err
	}
	return x.dst, contents[end:], nil
}

// Counted says whether arrays inside of the contents of a compact-array begin
// with a count. In the standard they do not: the description has it. Some
// meters repeat it in the contents, and nothing but the sum tells: size is the
// length of all the contents in octets, contents what is there of them.
//
// It reports true if the contents cannot be read without counts, false as long
// as that cannot be told: if the elements differ in length and not all of them are there.
func (t TypeDescription) Counted(contents []byte, size int) bool {
	if !t.arrays || size < 0 {
		return false
	}
	if _, each, _ := t.size(0); each >= 0 {
		return size > 0 && (each == 0 || int64(size)%each != 0)
	}
	if len(contents) < size {
		return false
	}
	x := expander{types: t.octets, src: contents, dry: true}
	return x.contents(0, 0, size) != nil
}

// size returns the offset after the type at off, how many octets the contents
// of a value of that type take without counts (-1 if they differ, or cannot be
// read), and whether there are arrays in it.
func (t TypeDescription) size(off int) (after int, octets int64, arrays bool) {
	switch tag := Tag(t.octets[off]); tag {
	case TagArray:
		n := int64(t.octets[off+1])<<8 | int64(t.octets[off+2])
		after, octets, _ = t.size(off + 3)
		switch {
		case n == 0:
			octets = 0
		case octets > 0:
			octets = min(octets*n, maxLength) // nothing is as long
		default:
			octets = -1 // elements that take none are refused
		}
		return after, octets, true
	case TagStructure:
		n := int(t.octets[off+1])
		for off += 2; n > 0; n-- {
			next, size, has := t.size(off)
			if off, arrays = next, arrays || has; size < 0 || octets < 0 {
				octets = -1
				continue
			}
			octets = min(octets+size, maxLength)
		}
		return off, octets, arrays
	default:
		return off + 1, int64(fixedSize[tag]) - 1, false
	}
}
