package axdr

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// Delta returns the difference that an element of a delta type states (tags 28
// to 33, Blue Book Ed. 13, clause 4.1.5): what is to be added to the value
// before. It reports false for other types.
func (d Data) Delta() (int64, bool) {
	if len(d) == 0 || len(d) != int(fixedSize[d[0]]) {
		return 0, false
	}
	switch c := d[1:]; Tag(d[0]) {
	case TagDeltaInteger:
		return int64(int8(c[0])), true
	case TagDeltaLong:
		return int64(int16(binary.BigEndian.Uint16(c))), true
	case TagDeltaDoubleLong:
		return int64(int32(binary.BigEndian.Uint32(c))), true
	case TagDeltaUnsigned:
		return int64(c[0]), true
	case TagDeltaLongUnsigned:
		return int64(binary.BigEndian.Uint16(c)), true
	case TagDeltaDoubleLongUnsigned:
		return int64(binary.BigEndian.Uint32(c)), true
	default:
		return 0, false
	}
}

// AppendSum appends the integer d plus n, as an element of the type of d. It
// appends nothing and reports false if d is no integer (an enum and a bcd are
// none), or its type has no room for the sum.
func AppendSum(b []byte, d Data, n int64) ([]byte, bool) {
	if d.Tag() == TagLong64Unsigned && len(d) == 9 {
		v := binary.BigEndian.Uint64(d[1:])
		sum, carry := bits.Add64(v, uint64(n), 0)
		if (carry == 1) != (n < 0) { // a negative n carries unless it goes below 0
			return b, false
		}
		return AppendLong64Unsigned(b, sum), true
	}
	v, ok := d.Int64()
	sum := v + n
	if !ok || (sum > v) != (n > 0) {
		return b, false
	}
	in := func(low, high int64) bool { return low <= sum && sum <= high }
	switch t := d.Tag(); {
	case t == TagInteger && in(math.MinInt8, math.MaxInt8):
		return AppendInteger(b, int8(sum)), true
	case t == TagLong && in(math.MinInt16, math.MaxInt16):
		return AppendLong(b, int16(sum)), true
	case t == TagDoubleLong && in(math.MinInt32, math.MaxInt32):
		return AppendDoubleLong(b, int32(sum)), true
	case t == TagLong64:
		return AppendLong64(b, sum), true
	case t == TagUnsigned && in(0, math.MaxUint8):
		return AppendUnsigned(b, uint8(sum)), true
	case t == TagLongUnsigned && in(0, math.MaxUint16):
		return AppendLongUnsigned(b, uint16(sum)), true
	case t == TagDoubleLongUnsigned && in(0, math.MaxUint32):
		return AppendDoubleLongUnsigned(b, uint32(sum)), true
	default:
		return b, false
	}
}
