package axdr

// A compact-array (Blue Book Ed. 13, clause 4.1.5) states the type of its
// elements once, and then has their contents without tags:
//
//	13 | type description | length in octets | contents
//
// The description is a tag; for an array, 01, a count of two octets and the
// description of its elements; for a structure, 02, a count of one octet and
// the description of each element.

// maxDescription is how many octets a type description may have: it is walked
// over again for every element.
const maxDescription = 512

// descriptionEnd returns the offset after the type description at off.
func descriptionEnd(b []byte, off, depth int) (int, error) {
	if depth > MaxDepth {
		return off, errBad(off, "types of a compact-array nested more than %d deep", MaxDepth)
	}
	if off >= len(b) {
		return off, errCut(off, "type description")
	}
	switch t := Tag(b[off]); {
	case t == TagArray:
		if len(b)-off < 3 {
			return off, errCut(off, "type description")
		}
		return descriptionEnd(b, off+3, depth+1)
	case t == TagStructure:
		if len(b)-off < 2 {
			return off, errCut(off, "type description")
		}
		n := int(b[off+1])
		if n >= 0x80 {
			return off, errBad(off, "structure of %d elements in a type description, want at most 127", n)
		}
		off += 2
		for ; n > 0; n-- {
			var err error
			if off, err = descriptionEnd(b, off, depth+1); err != nil {
				return off, err
			}
		}
		return off, nil
	case fixedSize[t] != 0, t == TagOctetString, t == TagVisibleString, t == TagUTF8String, t == TagBitString:
		return off + 1, nil
	default:
		return off, errBad(off, "type %v in a type description", t)
	}
}

// compactEnd returns the offset after the compact-array at off.
func compactEnd(b []byte, off int) (int, error) {
	at, err := descriptionEnd(b, off+1, 1)
	if err == nil && at-off > maxDescription {
		err = errBad(off, "a type description of %d octets, want at most %d", at-off, maxDescription)
	}
	if err != nil {
		return off, err
	}
	n, next, err := lengthAt(b, at)
	if err != nil {
		return off, err
	}
	if n > len(b)-next {
		return off, errCut(off, TagCompactArray.String())
	}
	return next + n, nil
}

// Expand appends d to dst with every compact-array in it written out as the
// array that it stands for. The result has at most limit octets; what would be
// longer, elements that take no octets at all, and contents that do not end
// with an element are a [*SyntaxError] whose offset counts from the front of d.
// The result shares nothing with d.
func Expand(dst []byte, d Data, limit int) (Data, error) {
	x := expander{src: d, dst: dst, limit: len(dst) + limit}
	if _, err := x.element(0); err != nil {
		return nil, err
	}
	return Parse(x.dst[len(dst):]) // it may be nested deeper than d
}

// HasCompact reports whether there is a compact-array in d.
func (d Data) HasCompact() bool {
	switch d.Tag() {
	case TagCompactArray:
		return true
	case TagArray, TagStructure:
		for e := range d.All() {
			if e.HasCompact() {
				return true
			}
		}
	default:
	}
	return false
}

type expander struct {
	types   []byte // what descriptions are in
	src     []byte // what contents are in
	dst     []byte
	limit   int
	counted bool // arrays inside of the contents have a count of their own
	dry     bool // nothing is written
}

const (
	expandsTooFar = "a compact-array that expands to more than the largest APDU allowed"
	takesNothing  = "a compact-array whose elements take no octets"
)

// put appends octets that belong to what is at off.
func (x *expander) put(off int, b []byte) error {
	if x.dry {
		return nil
	}
	if len(x.dst)+len(b) > x.limit {
		return errBad(off, expandsTooFar)
	}
	x.dst = append(x.dst, b...)
	return nil
}

// element copies the element at off and returns the offset after it.
func (x *expander) element(off int) (int, error) {
	end, err := scan(x.src, off)
	if err != nil {
		return off, err
	}
	switch Tag(x.src[off]) {
	case TagArray, TagStructure:
		n, next, err := lengthAt(x.src, off+1)
		if err == nil {
			err = x.put(off, x.src[off:next])
		}
		for off = next; n > 0 && err == nil; n-- {
			off, err = x.element(off)
		}
		return off, err
	case TagCompactArray:
		return end, x.compact(off, end)
	default:
		return end, x.put(off, x.src[off:end])
	}
}

// compact writes out the compact-array at off. The standard gives arrays
// inside of it a fixed count, in the description; some meters repeat it in the
// contents.
func (x *expander) compact(off, end int) error {
	desc := off + 1
	at, err := descriptionEnd(x.src, desc, 1)
	if err != nil {
		return err
	}
	_, body, err := lengthAt(x.src, at)
	if err != nil {
		return err
	}
	x.types = x.src
	start := len(x.dst)
	x.counted = false
	if err = x.contents(desc, body, end); err == nil {
		return nil
	}
	x.dst, x.counted = x.dst[:start], true
	if x.contents(desc, body, end) == nil {
		return nil
	}
	return err
}

// contents writes an array of the elements between body and end. The count
// comes first and is not known yet: its octets are moved in at the end.
func (x *expander) contents(desc, body, end int) error {
	start, n := len(x.dst), 0
	for off := body; off < end; n++ {
		var err error
		if off, err = x.next(desc, off, end); err != nil {
			return err
		}
	}
	if x.dry {
		return nil
	}
	var head [6]byte
	h := AppendArray(head[:0], n)
	if len(x.dst)+len(h) > x.limit {
		return errBad(body, expandsTooFar)
	}
	x.dst = append(x.dst, h...)
	copy(x.dst[start+len(h):], x.dst[start:len(x.dst)-len(h)])
	copy(x.dst[start:], h)
	return nil
}

// next writes the element of a compact-array at off and returns the offset
// after it. Elements have to take octets: nothing else says how many there are.
func (x *expander) next(desc, off, end int) (int, error) {
	_, after, err := x.value(desc, off, end)
	if err == nil && after == off {
		err = errBad(off, takesNothing)
	}
	return after, err
}

// value writes one value of the type described at desc, whose contents are at
// off. It returns the offsets after both.
func (x *expander) value(desc, off, end int) (afterDesc, afterValue int, err error) {
	t := Tag(x.types[desc])
	switch t {
	case TagArray:
		n := int(x.types[desc+1])<<8 | int(x.types[desc+2])
		if x.counted {
			if n, off, err = lengthAt(x.src[:end], off); err != nil {
				return desc, off, err
			}
		}
		var head [6]byte
		h := AppendArray(head[:0], n)
		if !x.dry && n > x.limit-len(x.dst)-len(h) { // each takes at least its tag
			return desc, off, errBad(off, expandsTooFar)
		}
		if err := x.put(off, h); err != nil {
			return desc, off, err
		}
		if n == 0 {
			desc, err = descriptionEnd(x.types, desc, 1)
			return desc, off, err
		}
		var after int
		for from := off; n > 0; n-- {
			if after, off, err = x.value(desc+3, off, end); err != nil {
				return desc, off, err
			}
			if off == from {
				return desc, off, errBad(off, takesNothing)
			}
		}
		return after, off, nil
	case TagStructure:
		if err := x.put(off, x.types[desc:desc+2]); err != nil {
			return desc, off, err
		}
		n := int(x.types[desc+1])
		desc += 2
		for ; n > 0; n-- {
			if desc, off, err = x.value(desc, off, end); err != nil {
				return desc, off, err
			}
		}
		return desc, off, nil
	default:
	}
	next := off
	if size := int(fixedSize[t]); size != 0 {
		next += size - 1
	} else {
		n, from, err := lengthAt(x.src[:end], off)
		if err != nil {
			return desc, off, err
		}
		if t == TagBitString {
			n = bitOctets(n)
		}
		if n > end-from {
			return desc, off, errCut(off, t.String())
		}
		next = from + n
	}
	if next > end {
		return desc, off, errCut(off, t.String())
	}
	if err := x.put(off, x.types[desc:desc+1]); err != nil {
		return desc, off, err
	}
	return desc + 1, next, x.put(off, x.src[off:next])
}
