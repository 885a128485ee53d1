package axdr

import "bytes"

// MaxDepth is how many arrays and structures may be nested in each other.
const MaxDepth = 32

// Data is one element of the Data type: tag, length where the type has one,
// and contents. It is a view into the octets it was cut from and valid as long
// as they are; [Data.Clone] keeps it.
//
// A Data that comes from this package has been checked completely. The methods
// are nevertheless safe on any octets: where these are not a valid element
// they report false, or iterate over the elements before the fault.
type Data []byte

// Cut checks the element at the front of b completely and returns it and what
// follows it. On an error rest is b, and the [*SyntaxError] wraps
// io.ErrUnexpectedEOF if b ends too early but is no worse than that.
func Cut(b []byte) (d Data, rest []byte, err error) {
	end, err := scan(b, 0)
	if err != nil {
		return nil, b, err
	}
	return Data(b[:end:end]), b[end:], nil
}

// Parse is [Cut] for octets that hold exactly one element. Octets after it are
// a [*SyntaxError].
func Parse(b []byte) (Data, error) {
	d, rest, err := Cut(b)
	if err != nil {
		return nil, err
	}
	if len(rest) > 0 {
		return nil, errBad(len(d), "%d octets after the end of the element", len(rest))
	}
	return d, nil
}

// Clone returns a copy that does not share the octets of d.
func (d Data) Clone() Data { return Data(bytes.Clone(d)) }

// scan returns the offset after the element that begins at off. It is the
// gate that every element passes: it walks without recursion and takes at
// least one octet per step, so that its work is bounded by len(b).
func scan(b []byte, off int) (int, error) {
	if uint(off) < uint(len(b)) {
		if size := int(fixedSize[b[off]]); size != 0 && size <= len(b)-off {
			return off + size, nil
		}
	}
	return scanAny(b, off)
}

// flatEnd returns the offset after the array or structure at off if it has at
// most 127 elements, and all of them are of types whose size is known from the
// tag, or from one octet of length after it; else 0.
func flatEnd(b []byte, off int) int {
	if len(b)-off < 2 || Tag(b[off]) != TagStructure && Tag(b[off]) != TagArray || b[off+1] >= 0x80 {
		return 0
	}
	n := int(b[off+1])
	for off += 2; n > 0; n-- {
		if uint(off) >= uint(len(b)) {
			return 0
		}
		size := int(fixedSize[b[off]])
		if size == 0 {
			if size = shortString(b[off:]); size == 0 {
				return 0
			}
		}
		off += size
	}
	if off > len(b) {
		return 0
	}
	return off
}

// shortString returns the octets of the string at the front of b if its length
// takes one octet; else 0.
func shortString(b []byte) int {
	if t := Tag(b[0]); len(b) < 2 || b[1] >= 0x80 || t != TagOctetString && t != TagVisibleString && t != TagUTF8String {
		return 0
	}
	return 2 + int(b[1])
}

func scanAny(b []byte, off int) (int, error) {
	var (
		outer [MaxDepth]int // elements to come in the containers around the innermost
		depth int           // containers that are open
		left  = 1           // elements to come in the innermost
	)
	for {
		if uint(off) >= uint(len(b)) {
			return off, errCut(off, "element")
		}
		switch t := Tag(b[off]); {
		case fixedSize[t] != 0:
			size := int(fixedSize[t])
			if size > len(b)-off {
				return off, errCut(off, t.String())
			}
			off += size
		case t == TagArray || t == TagStructure:
			n, next, err := lengthAt(b, off+1)
			if err != nil {
				return off, err
			}
			// Every element takes at least its tag, null-data too.
			if n > len(b)-next {
				return off, errCount(off, t, n, len(b)-next)
			}
			if depth == MaxDepth {
				return off, errBad(off, "arrays and structures nested more than %d deep", MaxDepth)
			}
			off = next
			if n > 0 {
				outer[depth] = left
				depth++
				left = n
				continue
			}
		default:
			next, err := variableEnd(b, off)
			if err != nil {
				return off, err
			}
			off = next
		}
		for left--; left == 0; left-- {
			if depth == 0 {
				return off, nil
			}
			depth--
			left = outer[depth]
		}
	}
}

// variableEnd returns the offset after the element at off, which is of a type
// that states its length and contains no elements.
func variableEnd(b []byte, off int) (int, error) {
	t := Tag(b[off])
	switch t {
	case TagOctetString, TagVisibleString, TagUTF8String, TagBitString:
	case TagCompactArray:
		return compactEnd(b, off)
	default:
		return off, errBad(off, "no data type has the tag %d (0x%02x)", uint8(t), uint8(t))
	}
	n, next, err := lengthAt(b, off+1)
	if err != nil {
		return off, err
	}
	if t == TagBitString {
		n = bitOctets(n)
	}
	if n > len(b)-next {
		return off, errCut(off, t.String())
	}
	return next + n, nil
}

// bitOctets returns the octets that hold n bits.
func bitOctets(n int) int { return n/8 + (n%8+7)/8 }
