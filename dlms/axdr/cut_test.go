package axdr_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
)

// octets decodes hexadecimal digits; blanks are ignored.
func octets(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	require.NoError(t, err)
	return b
}

// fiftyDigits are the contents of a string that the examples of the standard
// send whole, in a list and in blocks.
const fiftyDigits = "01020304050607080910111213141516171819202122232425" +
	"26272829303132333435363738394041424344454647484950"

// elements are valid: octets, what an appender makes of the value, and the text.
var elements = []struct {
	name string
	hex  string
	made []byte
	text string
}{
	{"null-data", "00", axdr.AppendNull(nil), "null-data"},
	{"don't-care", "FF", nil, "don't-care"},
	{"boolean true", "0301", axdr.AppendBoolean(nil, true), "boolean true"},
	{"boolean false", "0300", axdr.AppendBoolean(nil, false), "boolean false"},
	{"boolean true as FF", "03FF", nil, "boolean true"},
	{"bit-string", "0403A0", axdr.AppendBitString(nil, []byte{0xbf}, 3), "bit-string 101"},
	{"bit-string of 24", "041800501F", axdr.AppendBitString(nil, []byte{0x00, 0x50, 0x1f}, 24), "bit-string 000000000101000000011111"},
	{"bit-string empty", "0400", axdr.AppendBitString(nil, nil, 9), "bit-string "},
	{"double-long", "05FFFFFFFE", axdr.AppendDoubleLong(nil, -2), "double-long -2"},
	{"double-long-unsigned", "0600A9C3F2", axdr.AppendDoubleLongUnsigned(nil, 11125746), "double-long-unsigned 11125746"},
	{"octet-string", "090601000108FF00", axdr.AppendOctetString(nil, []byte{1, 0, 1, 8, 255, 0}), "octet-string 01000108ff00"},
	{"octet-string of text", "09024131", axdr.AppendOctetString(nil, []byte("A1")), `octet-string "A1"`},
	{"octet-string of 50", "0932" + fiftyDigits, nil, "octet-string " + fiftyDigits},
	{"octet-string empty", "0900", axdr.AppendOctetString(nil, nil), `octet-string ""`},
	{"octet-string, length 81", "098102AABB", nil, "octet-string aabb"},
	{"octet-string, length 84", "098400000002AABB", nil, "octet-string aabb"},
	{"visible-string", "0A03303030", axdr.AppendVisibleString(nil, "000"), `visible-string "000"`},
	{"visible-string with controls", "0A0241 07", axdr.AppendVisibleString(nil, "A\a"), `visible-string "A\a"`},
	{"utf8-string", "0C03C3A941", axdr.AppendUTF8String(nil, "éA"), `utf8-string "\u00e9A"`},
	{"bcd", "0D42", axdr.AppendBCD(nil, 0x42), "bcd 42"},
	{"bcd without digits", "0D4F", axdr.AppendBCD(nil, 0x4f), "bcd octets 4f"},
	{"integer", "0FFD", axdr.AppendInteger(nil, -3), "integer -3"},
	{"long", "10FF38", axdr.AppendLong(nil, -200), "long -200"},
	{"unsigned", "11C8", axdr.AppendUnsigned(nil, 200), "unsigned 200"},
	{"long-unsigned", "12EA60", axdr.AppendLongUnsigned(nil, 60000), "long-unsigned 60000"},
	{"long64", "14FFFFFFFFFFFFFFFF", axdr.AppendLong64(nil, -1), "long64 -1"},
	{"long64-unsigned", "15FFFFFFFFFFFFFFFF", axdr.AppendLong64Unsigned(nil, math.MaxUint64), "long64-unsigned 18446744073709551615"},
	{"enum", "161E", axdr.AppendEnum(nil, 30), "enum 30"},
	{"float32", "1747726800", axdr.AppendFloat32(nil, 62056), "float32 62056"},
	{"float64", "1840EE4D0000000000", axdr.AppendFloat64(nil, 62056), "float64 62056"},
	{"float32 short text", "173DCCCCCD", axdr.AppendFloat32(nil, 0.1), "float32 0.1"},
	{
		"date-time", "1907EA0B1802 0A000000 FFC4 00",
		axdr.AppendDateTime(nil, axdr.DateTime{Year: 2026, Month: 11, Day: 24, Weekday: 2, Hour: 10, Deviation: -60}),
		"date-time 2026-11-24 10:00:00.00 +01:00",
	},
	{"date", "1A07EA0B18FF", axdr.AppendDate(nil, axdr.Date{Year: 2026, Month: 11, Day: 24, Weekday: 0xff}), "date 2026-11-24"},
	{"time", "1B0A1EFFFF", axdr.AppendTime(nil, axdr.Time{Hour: 10, Minute: 30, Second: 0xff, Hundredths: 0xff}), "time 10:30:**.**"},
	{"array empty", "0100", axdr.AppendArray(nil, 0), "array(0){}"},
	{"array of null-data", "0103000000", append(axdr.AppendArray(nil, 3), 0, 0, 0), "array(3){null-data, null-data, null-data}"},
	{
		"structure", "02020600000005 0101 0FFF",
		axdr.AppendInteger(axdr.AppendArray(axdr.AppendDoubleLongUnsigned(axdr.AppendStructure(nil, 2), 5), 1), -1),
		"structure(2){double-long-unsigned 5, array(1){integer -1}}",
	},
	{"structure, count 82", "0282000100", nil, "structure(1){null-data}"},
	{"scaler_unit", "02020F00161E", nil, "structure(2){integer 0, enum 30}"},
}

func TestElements(t *testing.T) {
	for _, e := range elements {
		t.Run(e.name, func(t *testing.T) {
			b := octets(t, e.hex)
			if e.made != nil {
				require.Equal(t, b, e.made)
			}
			d, err := axdr.Parse(b)
			require.NoError(t, err)
			assert.Equal(t, axdr.Data(b), d)
			assert.Equal(t, axdr.Tag(b[0]), d.Tag())
			assert.Equal(t, e.text, d.String())

			d, rest, err := axdr.Cut(append(bytes.Clone(b), 0xab, 0xcd))
			require.NoError(t, err)
			assert.Equal(t, axdr.Data(b), d)
			assert.Equal(t, []byte{0xab, 0xcd}, rest)
			assert.Equal(t, len(d), cap(d), "appending to a view must not reach what follows it")

			var dec axdr.Decoder
			dec.Reset(b)
			assert.Equal(t, axdr.Data(b), dec.Data())
			assert.Empty(t, dec.Rest())
			assert.NoError(t, dec.Err())
		})
	}
}

func TestEveryPrefixNeedsMoreOctets(t *testing.T) {
	for _, e := range elements {
		b := octets(t, e.hex)
		for n := range b {
			_, rest, err := axdr.Cut(b[:n])
			require.ErrorIs(t, err, io.ErrUnexpectedEOF, "%s: %d octets", e.name, n)
			require.Equal(t, b[:n], rest)
			_, err = axdr.Parse(b[:n])
			require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		}
		_, err := axdr.Parse(append(b, 0))
		require.Error(t, err)
		require.NotErrorIs(t, err, io.ErrUnexpectedEOF, "trailing octets are not cured by more")
	}
}

func TestFaults(t *testing.T) {
	nested := func(n int) []byte { return append(bytes.Repeat([]byte{1, 1}, n), 0) }
	for _, c := range []struct {
		name string
		b    []byte
		more bool // more octets could help
		text string
	}{
		{"nothing", nil, true, "data octet 0: element is cut short: unexpected EOF"},
		{"unknown tag", octets(t, "0207 5A"), true, "data octet 0: structure of 7 elements with 1 octets left: unexpected EOF"},
		{"unknown tag inside", octets(t, "0201 5A"), false, "data octet 2: no data type has the tag 90 (0x5a)"},
		{"old floating-point", octets(t, "0700000000"), false, "data octet 0: no data type has the tag 7 (0x07)"},
		{"compact-array of an unknown type", octets(t, "13 5A 00"), false, "data octet 1: type unknown(0x5a) in a type description"},
		{"indefinite length", octets(t, "0980"), false, "data octet 1: length of 0 octets, want 1 to 4"},
		{"length of five octets", octets(t, "09850000000001 00"), false, "data octet 1: length of 5 octets, want 1 to 4"},
		{"length of 127 octets", octets(t, "01FF"), false, "data octet 1: length of 127 octets, want 1 to 4"},
		{"length of 4 GiB", octets(t, "0984FFFFFFFF"), false, "data octet 1: length 4294967295 is over 2147483647"},
		{"string of 2 GiB", octets(t, "09847FFFFFFF 00"), true, "data octet 0: octet-string is cut short: unexpected EOF"},
		{"bit-string of 2 Gbit", octets(t, "04847FFFFFFF 00"), true, "data octet 0: bit-string is cut short: unexpected EOF"},
		{"array of 2^31-1", octets(t, "01847FFFFFFF 000000"), true, "data octet 0: array of 2147483647 elements with 3 octets left: unexpected EOF"},
		{"array of 4 in 3 octets", octets(t, "0104 000000"), true, "data octet 0: array of 4 elements with 3 octets left: unexpected EOF"},
		{"double-long cut short inside", octets(t, "0202 0F01 0500"), true, "data octet 4: double-long is cut short: unexpected EOF"},
		{"one too deep", nested(axdr.MaxDepth + 1), false, "data octet 64: arrays and structures nested more than 32 deep"},
		{"10,000 deep", nested(10000), false, "data octet 64: arrays and structures nested more than 32 deep"},
		{"octets behind", octets(t, "00 00"), false, "data octet 1: 1 octets after the end of the element"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := axdr.Parse(c.b)
			var syntax *axdr.SyntaxError
			require.ErrorAs(t, err, &syntax)
			assert.EqualError(t, err, c.text)
			assert.Equal(t, c.more, errors.Is(err, io.ErrUnexpectedEOF))
		})
	}
	_, err := axdr.Parse(nested(axdr.MaxDepth))
	require.NoError(t, err)
}

// A peer that closes containers all the time must not make the walk slower.
func TestWorkIsLinear(t *testing.T) {
	b := axdr.AppendArray(nil, 200000)
	for range 100000 {
		b = append(b, 2, 0) // each counts as one element
		b = append(b, 0)
	}
	d, err := axdr.Parse(b)
	require.NoError(t, err)
	n := 0
	for range d.All() {
		n++
	}
	require.Equal(t, 200000, n)
	require.Equal(t, 200000, d.Len())
}

func TestLength(t *testing.T) {
	for _, c := range []struct {
		n   int
		hex string
	}{
		{0, "00"}, {1, "01"}, {127, "7F"}, {128, "8180"}, {255, "81FF"}, {256, "820100"},
		{65535, "82FFFF"}, {65536, "8400010000"}, {math.MaxInt32, "847FFFFFFF"},
	} {
		b := octets(t, c.hex)
		require.Equal(t, b, axdr.AppendLength(nil, c.n))
		n, rest, err := axdr.CutLength(append(bytes.Clone(b), 9))
		require.NoError(t, err)
		require.Equal(t, c.n, n)
		require.Equal(t, []byte{9}, rest)
		for i := range b {
			_, _, err := axdr.CutLength(b[:i])
			require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		}
	}
	require.Equal(t, []byte{0}, axdr.AppendLength(nil, -1))
	for _, longer := range []string{"8105", "820005", "83000005", "8400000005"} {
		n, rest, err := axdr.CutLength(octets(t, longer))
		require.NoError(t, err)
		require.Equal(t, 5, n)
		require.Empty(t, rest)
	}
}

func TestTagString(t *testing.T) {
	assert.Equal(t, "double-long-unsigned", axdr.TagDoubleLongUnsigned.String())
	assert.Equal(t, "delta-long", axdr.TagDeltaLong.String())
	assert.Equal(t, "unknown(0x5a)", axdr.Tag(0x5a).String())
	assert.Equal(t, "unknown(0x07)", axdr.Tag(7).String())
}
