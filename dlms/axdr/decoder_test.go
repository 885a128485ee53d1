package axdr_test

import (
	"io"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
)

func everyType() []byte {
	b := axdr.AppendStructure(nil, 17)
	b = axdr.AppendBoolean(b, true)
	b = axdr.AppendInteger(b, -1)
	b = axdr.AppendLong(b, -2)
	b = axdr.AppendDoubleLong(b, -3)
	b = axdr.AppendLong64(b, -4)
	b = axdr.AppendUnsigned(b, 1)
	b = axdr.AppendLongUnsigned(b, 2)
	b = axdr.AppendDoubleLongUnsigned(b, 3)
	b = axdr.AppendLong64Unsigned(b, 4)
	b = axdr.AppendEnum(b, 5)
	b = axdr.AppendOctetString(b, []byte{6})
	b = axdr.AppendBCD(b, 0x07)
	b = axdr.AppendFloat32(b, 0.5)
	b = axdr.AppendFloat64(b, 0.25)
	b = axdr.AppendArray(b, 1)
	b = axdr.AppendNull(b)
	b = axdr.AppendDateTime(b, axdr.DateTime{Year: 2026})
	return axdr.AppendVisibleString(b, "end")
}

type everyValue struct {
	Bool           bool
	I8             int8
	I16            int16
	I32            int32
	I64            int64
	U8             uint8
	U16            uint16
	U32            uint32
	U64            uint64
	Enum           uint8
	Octets         []byte
	BCD            int64
	Half, Quarter  float64
	Null           axdr.Data
	Year           uint16
	Count, Members int
}

func readEveryType(dec *axdr.Decoder, b []byte) (v everyValue) {
	dec.Reset(b)
	dec.Structure(-1)
	v.Members = dec.Count()
	v.Bool = dec.Bool()
	v.I8, v.I16, v.I32, v.I64 = dec.Integer(), dec.Long(), dec.DoubleLong(), dec.Long64()
	v.U8, v.U16, v.U32, v.U64 = dec.Unsigned(), dec.LongUnsigned(), dec.DoubleLongUnsigned(), dec.Long64Unsigned()
	v.Enum = dec.Enum()
	v.Octets = dec.Octets()
	v.BCD = dec.Int64()
	v.Half, v.Quarter = dec.Float64(), dec.Float64()
	v.Count = dec.Array()
	v.Null = dec.Data()
	v.Year = dec.DateTime().Year
	dec.Skip()
	return v
}

func TestDecoder(t *testing.T) {
	b := everyType()
	var dec axdr.Decoder
	v := readEveryType(&dec, append(b, 0xee))
	require.NoError(t, dec.Err())
	require.Equal(t, everyValue{
		true, -1, -2, -3, -4, 1, 2, 3, 4, 5, []byte{6}, 7, 0.5, 0.25, axdr.Data{0}, 2026, 1, 17,
	}, v)
	require.Equal(t, []byte{0xee}, dec.Rest())
	tag, ok := dec.Peek()
	require.True(t, ok)
	require.Equal(t, axdr.Tag(0xee), tag)

	for n := range b {
		readEveryType(&dec, b[:n])
		require.ErrorIs(t, dec.Err(), io.ErrUnexpectedEOF, "%d octets", n)
		require.Empty(t, dec.Rest())
		_, ok := dec.Peek()
		require.False(t, ok)
	}
	if !raceEnabled {
		require.Zero(t, testing.AllocsPerRun(100, func() { readEveryType(&dec, b) }))
	}
}

func TestDecoderFaults(t *testing.T) {
	for _, c := range []struct {
		name string
		hex  string
		read func(d *axdr.Decoder)
		text string
	}{
		{"structure", "0101", func(d *axdr.Decoder) { d.Structure(1) }, "data octet 0: want structure, got array"},
		{"count", "02020000", func(d *axdr.Decoder) { d.Structure(3) }, "data octet 0: structure of 2 elements, want 3"},
		{"count with many octets", "028200020000", func(d *axdr.Decoder) { d.Structure(3) }, "data octet 0: structure of 2 elements, want 3"},
		{"count over octets", "020300", func(d *axdr.Decoder) { d.Structure(3) }, "data octet 0: structure of 3 elements with 1 octets left: unexpected EOF"},
		{"array", "0184FFFFFFFF", func(d *axdr.Decoder) { d.Array() }, "data octet 1: length 4294967295 is over 2147483647"},
		{"array over octets", "01820102 00", func(d *axdr.Decoder) { d.Array() }, "data octet 0: array of 258 elements with 1 octets left: unexpected EOF"},
		{"second", "1101 1201", func(d *axdr.Decoder) { d.Unsigned(); d.Unsigned() }, "data octet 2: want unsigned, got long-unsigned"},
		{"end", "1101", func(d *axdr.Decoder) { d.Unsigned(); d.Long() }, "data octet 2: long is cut short: unexpected EOF"},
		{"no integer", "1747726800", func(d *axdr.Decoder) { d.Int64() }, "data octet 0: want an integer, got float32"},
		{"string is no integer", "0900", func(d *axdr.Decoder) { d.Int64() }, "data octet 0: want an integer, got octet-string"},
		{"large integer", "15FFFFFFFFFFFFFFFF", func(d *axdr.Decoder) { d.Int64() }, "data octet 0: long64-unsigned is over 2^63-1"},
		{"null is no number", "00", func(d *axdr.Decoder) { d.Float64() }, "data octet 0: want a number, got null-data"},
		{"bcd without digits", "0DFF", func(d *axdr.Decoder) { d.Float64() }, "data octet 0: want a number, got bcd"},
		{"number cut short", "06000000", func(d *axdr.Decoder) { d.Float64() }, "data octet 0: double-long-unsigned is cut short: unexpected EOF"},
		{"octets", "0A00", func(d *axdr.Decoder) { d.Octets() }, "data octet 0: want octet-string, got visible-string"},
		{"octets cut short", "0902AA", func(d *axdr.Decoder) { d.Octets() }, "data octet 0: octet-string is cut short: unexpected EOF"},
		{"date-time of 6", "0906000000000000", func(d *axdr.Decoder) { d.DateTime() }, "data octet 0: want a date-time of 12 octets, got an octet-string of 6"},
		{"date-time", "1100", func(d *axdr.Decoder) { d.DateTime() }, "data octet 0: want octet-string, got unsigned"},
		{"element", "0201 13", func(d *axdr.Decoder) { d.Skip() }, "data octet 3: type description is cut short: unexpected EOF"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var dec axdr.Decoder
			dec.Reset(octets(t, c.hex))
			c.read(&dec)
			require.EqualError(t, dec.Err(), c.text)

			// Nothing comes out of it any more, and the first error stays.
			assert.False(t, dec.Structure(0))
			assert.False(t, dec.Structure(-1))
			assert.Zero(t, dec.Array())
			assert.Zero(t, dec.Count())
			assert.Nil(t, dec.Data())
			assert.Nil(t, dec.Octets())
			assert.False(t, dec.Bool())
			assert.Zero(t, dec.Unsigned())
			assert.Zero(t, dec.Float64())
			assert.Zero(t, dec.Int64())
			assert.Zero(t, dec.DateTime())
			require.EqualError(t, dec.Err(), c.text)

			dec.Reset([]byte{0x11, 7})
			assert.Equal(t, uint8(7), dec.Unsigned())
			assert.NoError(t, dec.Err())
		})
	}
	var dec axdr.Decoder
	assert.Nil(t, dec.Data())
	assert.ErrorIs(t, dec.Err(), io.ErrUnexpectedEOF, "the zero value is without input")
}

func TestDecoderRoundsLargeNumbers(t *testing.T) {
	var dec axdr.Decoder
	dec.Reset(axdr.AppendLong64Unsigned(nil, math.MaxUint64))
	require.InDelta(t, 18446744073709551615.0, dec.Float64(), 0)
	require.NoError(t, dec.Err())
}
