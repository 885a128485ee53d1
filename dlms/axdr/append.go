package axdr

import (
	"encoding/binary"
	"math"
)

// AppendNull appends null-data.
func AppendNull(b []byte) []byte { return append(b, byte(TagNull)) }

// AppendBoolean appends a boolean: 01 for true, as the standard's examples do.
func AppendBoolean(b []byte, v bool) []byte {
	if v {
		return append(b, byte(TagBoolean), 1)
	}
	return append(b, byte(TagBoolean), 0)
}

// AppendInteger appends an integer (8 bits, signed).
func AppendInteger(b []byte, v int8) []byte { return append(b, byte(TagInteger), byte(v)) }

// AppendLong appends a long (16 bits, signed).
func AppendLong(b []byte, v int16) []byte {
	return binary.BigEndian.AppendUint16(append(b, byte(TagLong)), uint16(v))
}

// AppendDoubleLong appends a double-long (32 bits, signed).
func AppendDoubleLong(b []byte, v int32) []byte {
	return binary.BigEndian.AppendUint32(append(b, byte(TagDoubleLong)), uint32(v))
}

// AppendLong64 appends a long64 (64 bits, signed).
func AppendLong64(b []byte, v int64) []byte {
	return binary.BigEndian.AppendUint64(append(b, byte(TagLong64)), uint64(v))
}

// AppendUnsigned appends an unsigned (8 bits).
func AppendUnsigned(b []byte, v uint8) []byte { return append(b, byte(TagUnsigned), v) }

// AppendLongUnsigned appends a long-unsigned (16 bits).
func AppendLongUnsigned(b []byte, v uint16) []byte {
	return binary.BigEndian.AppendUint16(append(b, byte(TagLongUnsigned)), v)
}

// AppendDoubleLongUnsigned appends a double-long-unsigned (32 bits).
func AppendDoubleLongUnsigned(b []byte, v uint32) []byte {
	return binary.BigEndian.AppendUint32(append(b, byte(TagDoubleLongUnsigned)), v)
}

// AppendLong64Unsigned appends a long64-unsigned (64 bits).
func AppendLong64Unsigned(b []byte, v uint64) []byte {
	return binary.BigEndian.AppendUint64(append(b, byte(TagLong64Unsigned)), v)
}

// AppendEnum appends an enum.
func AppendEnum(b []byte, v uint8) []byte { return append(b, byte(TagEnum), v) }

// AppendBCD appends a bcd of two digits: the octet as it is sent, 0x42 for 42.
func AppendBCD(b []byte, v uint8) []byte { return append(b, byte(TagBCD), v) }

// AppendFloat32 appends a float32 (IEEE 754).
func AppendFloat32(b []byte, v float32) []byte {
	return binary.BigEndian.AppendUint32(append(b, byte(TagFloat32)), math.Float32bits(v))
}

// AppendFloat64 appends a float64 (IEEE 754).
func AppendFloat64(b []byte, v float64) []byte {
	return binary.BigEndian.AppendUint64(append(b, byte(TagFloat64)), math.Float64bits(v))
}

// AppendOctetString appends an octet-string.
func AppendOctetString(b, v []byte) []byte {
	return append(AppendLength(append(b, byte(TagOctetString)), len(v)), v...)
}

// AppendVisibleString appends a visible-string. That v is ASCII is not checked.
func AppendVisibleString(b []byte, v string) []byte {
	return append(AppendLength(append(b, byte(TagVisibleString)), len(v)), v...)
}

// AppendUTF8String appends a utf8-string. That v is UTF-8 is not checked.
func AppendUTF8String(b []byte, v string) []byte {
	return append(AppendLength(append(b, byte(TagUTF8String)), len(v)), v...)
}

// AppendBitString appends the first bits of octets as a bit-string, at most as
// many as there are. Unused bits of the last octet are written as 0.
func AppendBitString(b, octets []byte, bits int) []byte {
	bits = max(0, min(bits, 8*len(octets)))
	b = AppendLength(append(b, byte(TagBitString)), bits)
	b = append(b, octets[:bitOctets(bits)]...)
	if used := bits % 8; used != 0 {
		b[len(b)-1] &= 0xff << (8 - used)
	}
	return b
}

// AppendArray appends the head of an array; its n elements are to follow.
func AppendArray(b []byte, n int) []byte { return AppendLength(append(b, byte(TagArray)), n) }

// AppendStructure appends the head of a structure; its n elements are to follow.
func AppendStructure(b []byte, n int) []byte { return AppendLength(append(b, byte(TagStructure)), n) }

// AppendDateTime appends a date-time (tag 25). Most meters want an
// octet-string instead: AppendOctetString(b, t.Append(nil)).
func AppendDateTime(b []byte, t DateTime) []byte { return t.Append(append(b, byte(TagDateTime))) }

// AppendDate appends a date (tag 26).
func AppendDate(b []byte, t Date) []byte { return t.Append(append(b, byte(TagDate))) }

// AppendTime appends a time (tag 27).
func AppendTime(b []byte, t Time) []byte { return t.Append(append(b, byte(TagTime))) }
