package axdr

import (
	"encoding/binary"
	"iter"
	"math"
)

// Tag returns the type of the element; TagNull if d is empty.
func (d Data) Tag() Tag {
	if len(d) == 0 {
		return TagNull
	}
	return Tag(d[0])
}

// Int64 returns the value of an integer of any size, an enum or a bcd. It
// reports false for other types, for values over 2^63-1 and for a bcd whose
// half-octets are not both digits.
func (d Data) Int64() (int64, bool) {
	if len(d) == 0 || len(d) != int(fixedSize[d[0]]) {
		return 0, false
	}
	switch c := d[1:]; Tag(d[0]) {
	case TagInteger:
		return int64(int8(c[0])), true
	case TagUnsigned, TagEnum:
		return int64(c[0]), true
	case TagLong:
		return int64(int16(binary.BigEndian.Uint16(c))), true
	case TagLongUnsigned:
		return int64(binary.BigEndian.Uint16(c)), true
	case TagDoubleLong:
		return int64(int32(binary.BigEndian.Uint32(c))), true
	case TagDoubleLongUnsigned:
		return int64(binary.BigEndian.Uint32(c)), true
	case TagLong64:
		return int64(binary.BigEndian.Uint64(c)), true
	case TagLong64Unsigned:
		v := binary.BigEndian.Uint64(c)
		return int64(v & math.MaxInt64), v <= math.MaxInt64
	case TagBCD:
		v := c[0]>>4*10 + c[0]&0x0f
		return int64(v), c[0]>>4 < 10 && c[0]&0x0f < 10
	default:
		return 0, false
	}
}

// Uint64 is [Data.Int64] for values from 0 to 2^64-1: it reports false for
// negative values.
func (d Data) Uint64() (uint64, bool) {
	if len(d) == 9 && Tag(d[0]) == TagLong64Unsigned {
		return binary.BigEndian.Uint64(d[1:]), true
	}
	v, ok := d.Int64()
	if !ok || v < 0 {
		return 0, false
	}
	return uint64(v), true
}

// Float64 returns the value of a float32 or float64. It reports false for
// other types: integers need a scaler, floating-point numbers as a rule do not.
func (d Data) Float64() (float64, bool) {
	switch {
	case len(d) == 5 && Tag(d[0]) == TagFloat32:
		return float64(math.Float32frombits(binary.BigEndian.Uint32(d[1:]))), true
	case len(d) == 9 && Tag(d[0]) == TagFloat64:
		return math.Float64frombits(binary.BigEndian.Uint64(d[1:])), true
	default:
		return 0, false
	}
}

// Bool returns the value of a boolean: every octet but 00 is true.
func (d Data) Bool() (v, ok bool) {
	if len(d) != 2 || Tag(d[0]) != TagBoolean {
		return false, false
	}
	return d[1] != 0, true
}

// Octets returns the contents of an octet-string, visible-string or
// utf8-string as a view into d.
func (d Data) Octets() ([]byte, bool) {
	switch d.Tag() {
	case TagOctetString, TagVisibleString, TagUTF8String:
	default:
		return nil, false
	}
	n, off, err := lengthAt(d, 1)
	if err != nil || n != len(d)-off {
		return nil, false
	}
	return d[off:len(d):len(d)], true
}

// BitString returns the contents of a bit-string as a view into d and the
// number of bits. The first bit is the most significant of the first octet.
func (d Data) BitString() (octets []byte, bits int, ok bool) {
	if d.Tag() != TagBitString {
		return nil, 0, false
	}
	bits, off, err := lengthAt(d, 1)
	if err != nil || bitOctets(bits) != len(d)-off {
		return nil, 0, false
	}
	return d[off:len(d):len(d)], bits, true
}

// stamp returns the contents of an element of type t, or of an octet-string
// with as many octets.
func (d Data) stamp(t Tag) ([]byte, bool) {
	size := int(fixedSize[t]) - 1
	switch {
	case len(d) == size+2 && Tag(d[0]) == TagOctetString && int(d[1]) == size:
		return d[2:], true
	case len(d) == size+1 && Tag(d[0]) == t:
		return d[1:], true
	}
	if d.Tag() != TagOctetString {
		return nil, false
	}
	c, ok := d.Octets() // a length in more octets than necessary
	return c, ok && len(c) == size
}

// DateTime returns the value of a date-time, or of an octet-string of 12
// octets, which is how meters usually carry one.
func (d Data) DateTime() (DateTime, bool) {
	c, ok := d.stamp(TagDateTime)
	if !ok {
		return DateTime{}, false
	}
	return ParseDateTime(c)
}

// Date returns the value of a date, or of an octet-string of 5 octets.
func (d Data) Date() (Date, bool) {
	c, ok := d.stamp(TagDate)
	if !ok {
		return Date{}, false
	}
	return ParseDate(c)
}

// Time returns the value of a time, or of an octet-string of 4 octets.
func (d Data) Time() (Time, bool) {
	c, ok := d.stamp(TagTime)
	if !ok {
		return Time{}, false
	}
	return ParseTime(c)
}

// Len returns how many elements an array or structure has, 0 for other types.
// It never exceeds len(d).
func (d Data) Len() int {
	n, _ := d.header()
	return n
}

// All iterates over the elements of an array or structure as views into d. It
// does not allocate.
func (d Data) All() iter.Seq[Data] {
	return func(yield func(Data) bool) { d.each(yield) }
}

// Element returns the element with index i, which counts from 0, of an array
// or structure. It walks over those before it.
func (d Data) Element(i int) (Data, bool) {
	n, off := d.header()
	if i < 0 || i >= n {
		return nil, false
	}
	for ; ; i-- {
		end, err := scan(d, off)
		if err != nil {
			return nil, false
		}
		if i == 0 {
			return d[off:end:end], true
		}
		off = end
	}
}

func (d Data) each(yield func(Data) bool) {
	n, off := d.header()
	for ; n > 0 && off < len(d); n-- {
		end := off + int(fixedSize[d[off]])
		if end == off {
			if end = flatEnd(d, off); end == 0 {
				end = off + shortString(d[off:])
			}
		}
		if end == off || end > len(d) {
			var err error
			if end, err = scanAny(d, off); err != nil {
				return
			}
		}
		if !yield(d[off:end:end]) {
			return
		}
		off = end
	}
}

// header returns the count of an array or structure and the offset of its
// first element.
func (d Data) header() (n, off int) {
	if len(d) == 0 || Tag(d[0]) != TagArray && Tag(d[0]) != TagStructure {
		return 0, len(d)
	}
	n, off, err := lengthAt(d, 1)
	if err != nil || n > len(d)-off {
		return 0, len(d)
	}
	return n, off
}

// Depth is how many arrays and structures are nested in each other: 0 for an
// element that is neither.
func (d Data) Depth() int {
	if t := d.Tag(); t != TagArray && t != TagStructure {
		return 0
	}
	depth := 0
	for e := range d.All() {
		depth = max(depth, e.Depth())
	}
	return depth + 1
}
