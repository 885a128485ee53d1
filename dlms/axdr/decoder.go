package axdr

import (
	"encoding/binary"
)

// Decoder is a cursor over elements whose types are known beforehand. The
// first error sticks: from then on every method returns the zero value, so
// that [Decoder.Err] need be asked only once, before the values are used.
//
// The zero value is a Decoder without input; [Decoder.Reset] gives it some. No
// method allocates unless it fails, and views are valid as long as the octets
// given to Reset.
type Decoder struct {
	b     []byte // emptied by the first error, so that the fast paths fail
	off   int
	count int
	err   error
}

// Reset makes d read from the front of b and forgets an error.
func (d *Decoder) Reset(b []byte) { *d = Decoder{b: b} }

// Err returns the first error: a [*SyntaxError] whose offset counts from the
// front of the octets given to Reset. It wraps io.ErrUnexpectedEOF if these
// end too early.
func (d *Decoder) Err() error { return d.err }

// Rest returns the octets that have not been read; none after an error.
func (d *Decoder) Rest() []byte { return d.b[d.off:] }

// Peek returns the type of the next element; false at the end or after an error.
func (d *Decoder) Peek() (Tag, bool) {
	if d.off >= len(d.b) {
		return TagNull, false
	}
	return Tag(d.b[d.off]), true
}

func (d *Decoder) fail(err error) {
	if d.err == nil {
		d.err = err
	}
	d.b, d.off, d.count = nil, 0, 0
}

// mismatch fails because the next element is not what was asked for.
func (d *Decoder) mismatch(want string) {
	if d.off >= len(d.b) {
		d.fail(errCut(d.off, want))
		return
	}
	d.fail(errBad(d.off, "want %s, got %v", want, Tag(d.b[d.off])))
}

// Structure enters a structure of n elements, of any number if n is negative;
// they are read next. It reports false after an error.
func (d *Decoder) Structure(n int) bool {
	if b := d.b[d.off:]; len(b) > 1 && Tag(b[0]) == TagStructure && int(b[1]) == n && n < 0x80 && n <= len(b)-2 {
		d.off += 2
		d.count = n
		return true
	}
	return d.structure(n)
}

func (d *Decoder) structure(n int) bool {
	off := d.off
	if d.enter(TagStructure); d.err != nil {
		return false
	}
	if n >= 0 && n != d.count {
		d.fail(errBad(off, "structure of %d elements, want %d", d.count, n))
		return false
	}
	return true
}

// Array enters an array and returns the number of its elements, which are read
// next. It is at most the number of octets that are left.
func (d *Decoder) Array() int {
	d.enter(TagArray)
	return d.count
}

// Count returns the number of elements of the array or structure entered last.
func (d *Decoder) Count() int { return d.count }

func (d *Decoder) enter(t Tag) {
	if d.off >= len(d.b) || Tag(d.b[d.off]) != t {
		d.mismatch(t.String())
		return
	}
	n, end, err := lengthAt(d.b, d.off+1)
	if err != nil {
		d.fail(err)
		return
	}
	if n > len(d.b)-end {
		d.fail(errCount(d.off, t, n, len(d.b)-end))
		return
	}
	d.off, d.count = end, n
}

// Data returns the next element, of any type, as a view.
func (d *Decoder) Data() Data {
	if d.err != nil {
		return nil
	}
	end, err := scan(d.b, d.off)
	if err != nil {
		d.fail(err)
		return nil
	}
	v := d.b[d.off:end:end]
	d.off = end
	return v
}

// Skip passes over the next element, of any type.
func (d *Decoder) Skip() { d.Data() }

// fixed returns the contents of the next element, which is of the type t of
// fixed size; nil after an error.
func (d *Decoder) fixed(t Tag) []byte {
	size := int(fixedSize[t])
	b := d.b[d.off:]
	if len(b) == 0 || Tag(b[0]) != t {
		d.mismatch(t.String())
		return nil
	}
	if len(b) < size {
		d.fail(errCut(d.off, t.String()))
		return nil
	}
	d.off += size
	return b[1:size]
}

// Bool reads a boolean.
func (d *Decoder) Bool() bool {
	c := d.fixed(TagBoolean)
	return len(c) == 1 && c[0] != 0
}

// Integer reads an integer (8 bits, signed).
func (d *Decoder) Integer() int8 {
	if c := d.fixed(TagInteger); len(c) == 1 {
		return int8(c[0])
	}
	return 0
}

// Long reads a long (16 bits, signed).
func (d *Decoder) Long() int16 {
	if c := d.fixed(TagLong); len(c) == 2 {
		return int16(binary.BigEndian.Uint16(c))
	}
	return 0
}

// DoubleLong reads a double-long (32 bits, signed).
func (d *Decoder) DoubleLong() int32 {
	if c := d.fixed(TagDoubleLong); len(c) == 4 {
		return int32(binary.BigEndian.Uint32(c))
	}
	return 0
}

// Long64 reads a long64 (64 bits, signed).
func (d *Decoder) Long64() int64 {
	if c := d.fixed(TagLong64); len(c) == 8 {
		return int64(binary.BigEndian.Uint64(c))
	}
	return 0
}

// Unsigned reads an unsigned (8 bits).
func (d *Decoder) Unsigned() uint8 {
	if c := d.fixed(TagUnsigned); len(c) == 1 {
		return c[0]
	}
	return 0
}

// LongUnsigned reads a long-unsigned (16 bits).
func (d *Decoder) LongUnsigned() uint16 {
	if c := d.fixed(TagLongUnsigned); len(c) == 2 {
		return binary.BigEndian.Uint16(c)
	}
	return 0
}

// DoubleLongUnsigned reads a double-long-unsigned (32 bits).
func (d *Decoder) DoubleLongUnsigned() uint32 {
	if c := d.fixed(TagDoubleLongUnsigned); len(c) == 4 {
		return binary.BigEndian.Uint32(c)
	}
	return 0
}

// Long64Unsigned reads a long64-unsigned (64 bits).
func (d *Decoder) Long64Unsigned() uint64 {
	if c := d.fixed(TagLong64Unsigned); len(c) == 8 {
		return binary.BigEndian.Uint64(c)
	}
	return 0
}

// Enum reads an enum.
func (d *Decoder) Enum() uint8 {
	if c := d.fixed(TagEnum); len(c) == 1 {
		return c[0]
	}
	return 0
}

// Octets reads an octet-string and returns its contents as a view.
func (d *Decoder) Octets() []byte {
	if d.off >= len(d.b) || Tag(d.b[d.off]) != TagOctetString {
		d.mismatch(TagOctetString.String())
		return nil
	}
	n, off, err := lengthAt(d.b, d.off+1)
	if err != nil {
		d.fail(err)
		return nil
	}
	if n > len(d.b)-off {
		d.fail(errCut(d.off, TagOctetString.String()))
		return nil
	}
	d.off = off + n
	return d.b[off:d.off:d.off]
}

// Int64 reads an integer of any size, an enum or a bcd. A value over 2^63-1 is
// an error.
func (d *Decoder) Int64() int64 {
	if b := d.b[d.off:]; len(b) >= 5 && Tag(b[0]) == TagDoubleLongUnsigned {
		d.off += 5
		return int64(binary.BigEndian.Uint32(b[1:]))
	}
	v := d.scalar("an integer")
	if v == nil {
		return 0
	}
	i, ok := v.Int64()
	if !ok {
		d.off -= len(v)
		if v.Tag() == TagLong64Unsigned {
			d.fail(errBad(d.off, "long64-unsigned is over 2^63-1"))
		} else {
			d.mismatch("an integer")
		}
	}
	return i
}

// Float64 reads a number of any type: integers, enum, bcd, float32, float64.
// Integers over 2^53 are rounded.
func (d *Decoder) Float64() float64 {
	// Nearly all values of meters are of this type.
	if b := d.b[d.off:]; len(b) >= 5 && Tag(b[0]) == TagDoubleLongUnsigned {
		d.off += 5
		return float64(int64(binary.BigEndian.Uint32(b[1:])))
	}
	return d.number()
}

func (d *Decoder) number() float64 {
	v := d.scalar("a number")
	if v == nil {
		return 0
	}
	if i, ok := v.Int64(); ok {
		return float64(i)
	}
	if u, ok := v.Uint64(); ok {
		return float64(u)
	}
	f, ok := v.Float64()
	if !ok {
		d.off -= len(v)
		d.mismatch("a number")
	}
	return f
}

// scalar returns the next element if its type has a fixed size, else fails
// with a want; nil after an error.
func (d *Decoder) scalar(want string) Data {
	b := d.b[d.off:]
	if len(b) == 0 || fixedSize[b[0]] == 0 {
		d.mismatch(want)
		return nil
	}
	size := int(fixedSize[b[0]])
	if len(b) < size {
		d.fail(errCut(d.off, Tag(b[0]).String()))
		return nil
	}
	d.off += size
	return b[:size:size]
}

// DateTime reads a date-time, or an octet-string of 12 octets.
func (d *Decoder) DateTime() DateTime {
	if b := d.b[d.off:]; len(b) >= 14 && Tag(b[0]) == TagOctetString && b[1] == dateTimeSize {
		d.off += 14
		t, _ := ParseDateTime(b[2:14])
		return t
	}
	return d.dateTime()
}

func (d *Decoder) dateTime() DateTime {
	off := d.off
	if d.off < len(d.b) && Tag(d.b[d.off]) == TagDateTime {
		t, _ := ParseDateTime(d.fixed(TagDateTime))
		return t
	}
	t, ok := ParseDateTime(d.Octets())
	if !ok && d.err == nil {
		d.fail(errBad(off, "want a date-time of %d octets, got an octet-string of %d", dateTimeSize, d.off-off-2))
	}
	return t
}
