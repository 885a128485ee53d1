package axdr

import "strconv"

// Tag is the type of an element: the choice of Data in the standard
// (Blue Book Ed. 13, clause 4.1.5 "Common data types").
type Tag uint8

// The types of the standard, by their tags.
const (
	TagNull               Tag = 0
	TagArray              Tag = 1
	TagStructure          Tag = 2
	TagBoolean            Tag = 3
	TagBitString          Tag = 4
	TagDoubleLong         Tag = 5
	TagDoubleLongUnsigned Tag = 6
	TagOctetString        Tag = 9
	TagVisibleString      Tag = 10
	TagUTF8String         Tag = 12
	TagBCD                Tag = 13
	TagInteger            Tag = 15
	TagLong               Tag = 16
	TagUnsigned           Tag = 17
	TagLongUnsigned       Tag = 18
	TagCompactArray       Tag = 19
	TagLong64             Tag = 20
	TagLong64Unsigned     Tag = 21
	TagEnum               Tag = 22
	TagFloat32            Tag = 23
	TagFloat64            Tag = 24
	TagDateTime           Tag = 25
	TagDate               Tag = 26
	TagTime               Tag = 27

	TagDeltaInteger            Tag = 28
	TagDeltaLong               Tag = 29
	TagDeltaDoubleLong         Tag = 30
	TagDeltaUnsigned           Tag = 31
	TagDeltaLongUnsigned       Tag = 32
	TagDeltaDoubleLongUnsigned Tag = 33

	TagDontCare Tag = 255
)

// String returns the name of the standard, for example "double-long-unsigned",
// or "unknown(0x5a)".
func (t Tag) String() string {
	if name := tagNames[t]; name != "" {
		return name
	}
	return "unknown(0x" + hexOctet(uint8(t)) + ")"
}

func hexOctet(v uint8) string {
	if v < 0x10 {
		return "0" + strconv.FormatUint(uint64(v), 16)
	}
	return strconv.FormatUint(uint64(v), 16)
}

var tagNames = [256]string{
	TagNull:               "null-data",
	TagArray:              "array",
	TagStructure:          "structure",
	TagBoolean:            "boolean",
	TagBitString:          "bit-string",
	TagDoubleLong:         "double-long",
	TagDoubleLongUnsigned: "double-long-unsigned",
	TagOctetString:        "octet-string",
	TagVisibleString:      "visible-string",
	TagUTF8String:         "utf8-string",
	TagBCD:                "bcd",
	TagInteger:            "integer",
	TagLong:               "long",
	TagUnsigned:           "unsigned",
	TagLongUnsigned:       "long-unsigned",
	TagCompactArray:       "compact-array",
	TagLong64:             "long64",
	TagLong64Unsigned:     "long64-unsigned",
	TagEnum:               "enum",
	TagFloat32:            "float32",
	TagFloat64:            "float64",
	TagDateTime:           "date-time",
	TagDate:               "date",
	TagTime:               "time",

	TagDeltaInteger:            "delta-integer",
	TagDeltaLong:               "delta-long",
	TagDeltaDoubleLong:         "delta-double-long",
	TagDeltaUnsigned:           "delta-unsigned",
	TagDeltaLongUnsigned:       "delta-long-unsigned",
	TagDeltaDoubleLongUnsigned: "delta-double-long-unsigned",

	TagDontCare: "don't-care",
}

// fixedSize holds the octets of an element including its tag, for the types
// whose length follows from the tag. 0 stands for all others.
var fixedSize = [256]uint8{
	TagNull:               1,
	TagBoolean:            2,
	TagDoubleLong:         5,
	TagDoubleLongUnsigned: 5,
	TagBCD:                2,
	TagInteger:            2,
	TagLong:               3,
	TagUnsigned:           2,
	TagLongUnsigned:       3,
	TagLong64:             9,
	TagLong64Unsigned:     9,
	TagEnum:               2,
	TagFloat32:            5,
	TagFloat64:            9,
	TagDateTime:           1 + dateTimeSize,
	TagDate:               1 + dateSize,
	TagTime:               1 + timeSize,

	TagDeltaInteger:            2,
	TagDeltaLong:               3,
	TagDeltaDoubleLong:         5,
	TagDeltaUnsigned:           2,
	TagDeltaLongUnsigned:       3,
	TagDeltaDoubleLongUnsigned: 5,

	TagDontCare: 1,
}
