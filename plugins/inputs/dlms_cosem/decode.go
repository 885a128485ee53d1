package dlms_cosem

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"strconv"
	"strings"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
)

// decoder makes a value of what the meter returned for an attribute of a class.
type decoder func(class cosem.ClassID, d axdr.Data) (value, error)

// dataType is one of the words for data_type.
//
// To add one: a line in dataTypes, and a case in TestDecode.
type dataType struct {
	name     string
	scalable bool // gives, or may give, a number that scaler and unit belong to
	decoder  func(id int8) decoder
}

func dataTypes() []dataType {
	plain := func(f func(d axdr.Data) (value, error)) func(int8) decoder {
		return func(int8) decoder {
			return func(_ cosem.ClassID, d axdr.Data) (value, error) { return f(d) }
		}
	}
	integer := func(bits int, signed bool) func(int8) decoder {
		return plain(func(d axdr.Data) (value, error) { return decodeInteger(d, bits, signed) })
	}
	float := func(bits int) func(int8) decoder {
		return plain(func(d axdr.Data) (value, error) { return decodeFloat(d, bits) })
	}
	return []dataType{
		{"auto", true, decodeAuto},
		{"bool", false, plain(decodeBool)},
		{"int8", true, integer(8, true)},
		{"int16", true, integer(16, true)},
		{"int32", true, integer(32, true)},
		{"int64", true, integer(64, true)},
		{"uint8", true, integer(8, false)},
		{"uint16", true, integer(16, false)},
		{"uint32", true, integer(32, false)},
		{"uint64", true, integer(64, false)},
		{"float32", true, float(32)},
		{"float64", true, float(64)},
		{"string", false, plain(decodeString)},
		{"hex", false, plain(decodeHex)},
		{"bcd", true, plain(decodeBCD)},
		{"datetime", false, plain(decodeDateTime)},
		{"date", false, plain(decodeDate)},
		{"time", false, plain(decodeTime)},
		{"bits", false, plain(decodeBits)},
		{"enum", false, plain(decodeEnum)},
		{"raw", false, plain(decodeRaw)},
	}
}

func lookupType(name string) (dataType, bool) {
	for _, t := range dataTypes() {
		if t.name == name {
			return t, true
		}
	}
	return dataType{}, false
}

func typeNames() []string {
	var names []string
	for _, t := range dataTypes() {
		names = append(names, t.name)
	}
	return names
}

// decodeAuto goes by the type of the data, and by the attribute where meters
// put a date-time into an octet-string.
func decodeAuto(id int8) decoder {
	return func(class cosem.ClassID, d axdr.Data) (value, error) {
		switch d.Tag() {
		case axdr.TagNull, axdr.TagDontCare:
			return value{}, errNoValue
		case axdr.TagArray, axdr.TagStructure:
			return value{}, tooComplex(d)
		case axdr.TagBoolean:
			return decodeBool(d)
		case axdr.TagOctetString:
			if t, ok := d.DateTime(); ok && (holdsDateTime(class, id) || looksLikeDateTime(d, t)) {
				return whenValue(t)
			}
			return decodeString(d)
		case axdr.TagVisibleString, axdr.TagUTF8String:
			return decodeString(d)
		case axdr.TagBitString:
			return decodeBits(d)
		case axdr.TagDateTime:
			return decodeDateTime(d)
		case axdr.TagDate:
			return decodeDate(d)
		case axdr.TagTime:
			return decodeTime(d)
		case axdr.TagEnum:
			return decodeEnum(d)
		default:
			return decodeNumber(d)
		}
	}
}

// holdsDateTime reports whether the attribute is a date-time in an octet-string
// (Blue Book Ed. 13, clause 4): the clock's time, capture and start times.
func holdsDateTime(class cosem.ClassID, id int8) bool {
	switch class {
	case cosem.Clock:
		return id == 2 || id == 5 || id == 6
	case cosem.ExtendedRegister:
		return id == 5
	case cosem.DemandRegister:
		return id == 6 || id == 7
	default:
		return false
	}
}

// looksLikeDateTime tells a date-time from other strings of twelve octets.
func looksLikeDateTime(d axdr.Data, t axdr.DateTime) bool {
	b, _ := d.Octets()
	if isPrintable(string(b)) || !t.Complete() || t.Year < 1990 || t.Year > 2100 || t.Hundredths > 99 && t.Hundredths != 0xFF {
		return false
	}
	return t.Deviation == axdr.DeviationUnspecified || t.Deviation >= -840 && t.Deviation <= 840
}

// number is the value of any type that is a number.
func number(d axdr.Data) (float64, bool) {
	if v, ok := d.Int64(); ok {
		return float64(v), true
	}
	if v, ok := d.Uint64(); ok {
		return float64(v), true
	}
	return d.Float64()
}

func decodeNumber(d axdr.Data) (value, error) {
	n, ok := number(d)
	if !ok {
		return mismatch(d, "auto")
	}
	return numberValue(n)
}

func decodeBool(d axdr.Data) (value, error) {
	if v, ok := d.Bool(); ok {
		return flagValue(v)
	}
	if n, ok := number(d); ok {
		return flagValue(n != 0)
	}
	return mismatch(d, "bool")
}

// bigEndian is the number that up to eight octets make.
func bigEndian(b []byte) (u uint64) {
	for _, c := range b {
		u = u<<8 | uint64(c)
	}
	return u
}

// decodeInteger reads an integer of a width. An integer of the same width is
// taken as signed or not as data_type says, for meters that say it wrongly;
// octets are taken as big-endian, or as digits if their number does not fit.
func decodeInteger(d axdr.Data, bits int, signed bool) (value, error) {
	name := "uint" + strconv.Itoa(bits)
	if signed {
		name = name[1:]
	}
	if b, ok := integerOctets(d, bits); ok {
		u := bigEndian(b)
		if signed {
			return numberValue(float64(int64(u<<(64-bits)) >> (64 - bits)))
		}
		return numberValue(float64(u))
	}
	var n float64
	if b, ok := d.Octets(); ok {
		v, err := strconv.ParseInt(octetsText(b, true), 10, 64)
		if err != nil {
			return mismatch(d, name)
		}
		n = float64(v)
	} else if v, ok := d.Bool(); ok {
		if v {
			n = 1
		}
	} else if v, ok := number(d); ok && v == math.Trunc(v) {
		n = v
	} else {
		return mismatch(d, name)
	}
	low, high := 0.0, math.Ldexp(1, bits)
	if signed {
		low, high = -math.Ldexp(1, bits-1), math.Ldexp(1, bits-1)
	}
	if n < low || n >= high {
		return mismatch(d, name)
	}
	return numberValue(n)
}

// integerOctets returns the octets of an integer, octet-string or bit-string
// that has that many bits.
func integerOctets(d axdr.Data, bits int) ([]byte, bool) {
	switch d.Tag() {
	case axdr.TagInteger, axdr.TagUnsigned, axdr.TagEnum, axdr.TagLong, axdr.TagLongUnsigned,
		axdr.TagDoubleLong, axdr.TagDoubleLongUnsigned, axdr.TagLong64, axdr.TagLong64Unsigned:
		b := d[1:]
		return b, len(b)*8 == bits
	case axdr.TagOctetString:
		b, ok := d.Octets()
		return b, ok && len(b)*8 == bits
	case axdr.TagBitString:
		b, n, ok := d.BitString()
		return b, ok && n == bits
	default:
		return nil, false
	}
}

func decodeFloat(d axdr.Data, bits int) (value, error) {
	if n, ok := number(d); ok {
		return numberValue(n)
	}
	b, ok := d.Octets()
	switch {
	case !ok:
	case d.Tag() == axdr.TagOctetString && bits == 32 && len(b) == 4:
		return numberValue(float64(math.Float32frombits(binary.BigEndian.Uint32(b))))
	case d.Tag() == axdr.TagOctetString && bits == 64 && len(b) == 8:
		return numberValue(math.Float64frombits(binary.BigEndian.Uint64(b)))
	default:
		if n, err := strconv.ParseFloat(octetsText(b, true), 64); err == nil {
			return numberValue(n)
		}
	}
	return mismatch(d, "float"+strconv.Itoa(bits))
}

func decodeString(d axdr.Data) (value, error) {
	if b, ok := d.Octets(); ok {
		return textValue(octetsText(b, d.Tag() != axdr.TagOctetString))
	}
	if v, ok := d.Bool(); ok {
		return textValue(strconv.FormatBool(v))
	}
	if v, ok := d.Int64(); ok {
		return textValue(strconv.FormatInt(v, 10))
	}
	if v, ok := d.Uint64(); ok {
		return textValue(strconv.FormatUint(v, 10))
	}
	if v, ok := d.Float64(); ok {
		return textValue(strconv.FormatFloat(v, 'g', -1, 64))
	}
	switch d.Tag() {
	case axdr.TagBitString:
		return decodeBits(d)
	case axdr.TagDateTime:
		t, _ := d.DateTime()
		return textValue(t.String())
	case axdr.TagDate:
		return decodeDate(d)
	case axdr.TagTime:
		return decodeTime(d)
	default:
		return mismatch(d, "string")
	}
}

func decodeHex(d axdr.Data) (value, error) {
	if b, ok := d.Octets(); ok {
		return textValue(hex.EncodeToString(b))
	}
	if b, _, ok := d.BitString(); ok {
		return textValue(hex.EncodeToString(b))
	}
	if isNull(d) || isComplex(d) {
		return mismatch(d, "hex")
	}
	return textValue(hex.EncodeToString(d[1:]))
}

// decodeBCD reads decimal digits, two in an octet.
func decodeBCD(d axdr.Data) (value, error) {
	b, ok := d.Octets()
	if !ok {
		if isNull(d) || isComplex(d) || len(d) < 2 || d.Tag() == axdr.TagBitString {
			return mismatch(d, "bcd")
		}
		b = d[1:]
	}
	digits := hex.EncodeToString(b)
	if digits == "" || strings.ContainsAny(digits, "abcdef") || len(digits) > 300 {
		return mismatch(d, "bcd")
	}
	n, err := strconv.ParseFloat(digits, 64)
	if err != nil {
		return mismatch(d, "bcd")
	}
	return numberValue(n)
}

// decodeDateTime reads a date-time, or an integer of Unix seconds.
func decodeDateTime(d axdr.Data) (value, error) {
	if t, ok := d.DateTime(); ok {
		return whenValue(t)
	}
	if v, ok := d.Int64(); ok && d.Tag() != axdr.TagBCD && d.Tag() != axdr.TagEnum && v >= 0 && v < 1<<37 {
		return unixValue(v)
	}
	return mismatch(d, "datetime")
}

func decodeDate(d axdr.Data) (value, error) {
	if t, ok := d.Date(); ok {
		return textValue(t.String())
	}
	if t, ok := d.DateTime(); ok {
		return textValue(axdr.Date{Year: t.Year, Month: t.Month, Day: t.Day, Weekday: t.Weekday}.String())
	}
	return mismatch(d, "date")
}

func decodeTime(d axdr.Data) (value, error) {
	if t, ok := d.Time(); ok {
		return textValue(timeText(t))
	}
	if t, ok := d.DateTime(); ok {
		return textValue(timeText(axdr.Time{Hour: t.Hour, Minute: t.Minute, Second: t.Second, Hundredths: t.Hundredths}))
	}
	return mismatch(d, "time")
}

// decodeBits writes the bits in their order on the wire, bit 0 of the standard
// first; those of an integer from the most significant one on.
func decodeBits(d axdr.Data) (value, error) {
	b, n, ok := d.BitString()
	if !ok {
		if b, ok = d.Octets(); !ok {
			if _, ok = d.Int64(); !ok {
				if _, ok = d.Uint64(); !ok {
					return mismatch(d, "bits")
				}
			}
			b = d[1:]
		}
		n = len(b) * 8
	}
	n = min(n, maxText)
	var s strings.Builder
	for i := range n {
		s.WriteByte('0' + b[i/8]>>(7-i%8)&1)
	}
	return textValue(s.String())
}

// decodeEnum reads a number that is a code: no scaler belongs to it.
func decodeEnum(d axdr.Data) (value, error) {
	v, err := decodeInteger(d, 64, true)
	if err != nil {
		return mismatch(d, "enum")
	}
	v.scalable = false
	return v, nil
}

func decodeRaw(d axdr.Data) (value, error) {
	if len(d) > maxText/2 {
		d = d[:maxText/2]
	}
	return textValue(hex.EncodeToString(d))
}
