package axdr_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
)

func TestIntegers(t *testing.T) {
	for _, c := range []struct {
		name     string
		d        axdr.Data
		i        int64
		iok      bool
		u        uint64
		uok      bool
		asNumber float64
	}{
		{"integer", axdr.AppendInteger(nil, -128), -128, true, 0, false, -128},
		{"unsigned", axdr.AppendUnsigned(nil, 255), 255, true, 255, true, 255},
		{"long", axdr.AppendLong(nil, -32768), -32768, true, 0, false, -32768},
		{"long-unsigned", axdr.AppendLongUnsigned(nil, 65535), 65535, true, 65535, true, 65535},
		{"double-long", axdr.AppendDoubleLong(nil, math.MinInt32), math.MinInt32, true, 0, false, math.MinInt32},
		{"double-long-unsigned", axdr.AppendDoubleLongUnsigned(nil, math.MaxUint32), math.MaxUint32, true, math.MaxUint32, true, math.MaxUint32},
		{"long64", axdr.AppendLong64(nil, math.MinInt64), math.MinInt64, true, 0, false, math.MinInt64},
		{"long64-unsigned small", axdr.AppendLong64Unsigned(nil, 7), 7, true, 7, true, 7},
		{"long64-unsigned", axdr.AppendLong64Unsigned(nil, math.MaxUint64), 0, false, math.MaxUint64, true, math.MaxUint64},
		{"enum", axdr.AppendEnum(nil, 200), 200, true, 200, true, 200},
		{"bcd", axdr.AppendBCD(nil, 0x99), 99, true, 99, true, 99},
	} {
		t.Run(c.name, func(t *testing.T) {
			i, ok := c.d.Int64()
			assert.Equal(t, c.iok, ok)
			if ok {
				assert.Equal(t, c.i, i)
			}
			u, ok := c.d.Uint64()
			assert.Equal(t, c.uok, ok)
			assert.Equal(t, c.u, u)
			_, ok = c.d.Float64()
			assert.False(t, ok)

			var dec axdr.Decoder
			dec.Reset(c.d)
			assert.InDelta(t, c.asNumber, dec.Float64(), 0)
			require.NoError(t, dec.Err())
			dec.Reset(c.d)
			assert.Equal(t, c.iok, c.i == dec.Int64() && dec.Err() == nil)
		})
	}
	for _, d := range []axdr.Data{nil, {}, {0}, {6}, {6, 0, 0, 0}, {6, 0, 0, 0, 0, 0}, {0x0d, 0x0a}, {0x0d, 0xa0}, {9, 1, 1}, {23, 0, 0, 0, 0}} {
		_, ok := d.Int64()
		assert.False(t, ok, "% x", []byte(d))
		_, ok = d.Uint64()
		assert.False(t, ok, "% x", []byte(d))
	}
}

func TestOtherValues(t *testing.T) {
	f, ok := axdr.Data(octets(t, "17 47726800")).Float64()
	require.True(t, ok)
	require.InDelta(t, 62056.0, f, 0)
	f, ok = axdr.Data(octets(t, "18 40EE4D0000000000")).Float64()
	require.True(t, ok)
	require.InDelta(t, 62056.0, f, 0)

	v, ok := axdr.Data{3, 7}.Bool()
	require.True(t, v && ok)
	_, ok = axdr.Data{3}.Bool()
	require.False(t, ok)

	for _, d := range []axdr.Data{{9, 2, 65, 66}, {10, 2, 65, 66}, {12, 0x82, 0, 2, 65, 66}} {
		c, ok := d.Octets()
		require.True(t, ok)
		require.Equal(t, []byte("AB"), c)
		require.Equal(t, len(c), cap(c))
	}
	for _, d := range []axdr.Data{nil, {9}, {9, 3, 65, 66}, {9, 1, 65, 66}, {6, 0, 0, 0, 1}} {
		_, ok := d.Octets()
		require.False(t, ok)
	}

	c, bits, ok := axdr.Data{4, 9, 0xff, 0x80}.BitString()
	require.True(t, ok)
	require.Equal(t, []byte{0xff, 0x80}, c)
	require.Equal(t, 9, bits)
	_, _, ok = axdr.Data{4, 17, 0xff, 0x80}.BitString()
	require.False(t, ok)
	_, _, ok = axdr.Data{9, 1, 1}.BitString()
	require.False(t, ok)
}

func TestStamps(t *testing.T) {
	want := axdr.DateTime{Year: 2026, Month: 3, Day: 29, Weekday: 7, Hour: 3, Minute: 4, Second: 5, Hundredths: 6, Deviation: -120, Status: 0x80}
	raw := want.Append(nil)
	for _, d := range []axdr.Data{axdr.AppendDateTime(nil, want), axdr.AppendOctetString(nil, raw), append([]byte{9, 0x81, 12}, raw...)} {
		got, ok := d.DateTime()
		require.True(t, ok)
		require.Equal(t, want, got)
		var dec axdr.Decoder
		dec.Reset(d)
		require.Equal(t, want, dec.DateTime())
		require.NoError(t, dec.Err())
		_, ok = d.Date()
		require.False(t, ok)
		_, ok = d.Time()
		require.False(t, ok)
	}
	date := axdr.Date{Year: 2026, Month: 3, Day: 29, Weekday: 7}
	for _, d := range []axdr.Data{axdr.AppendDate(nil, date), axdr.AppendOctetString(nil, date.Append(nil))} {
		got, ok := d.Date()
		require.True(t, ok)
		require.Equal(t, date, got)
	}
	clock := axdr.Time{Hour: 3, Minute: 4, Second: 5, Hundredths: 6}
	for _, d := range []axdr.Data{axdr.AppendTime(nil, clock), axdr.AppendOctetString(nil, clock.Append(nil))} {
		got, ok := d.Time()
		require.True(t, ok)
		require.Equal(t, clock, got)
	}
	for _, d := range []axdr.Data{nil, {25}, {9, 12}, {9, 0}, {10, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}} {
		_, ok := d.DateTime()
		require.False(t, ok)
		_, ok = d.Time()
		require.False(t, ok)
	}
}

func TestElementsOfContainers(t *testing.T) {
	d, err := axdr.Parse(octets(t, "0203 0601020304 0102 1101 1102 0900"))
	require.NoError(t, err)
	require.Equal(t, 3, d.Len())
	all := slices.Collect(d.All())
	require.Equal(t, []axdr.Data{octets(t, "0601020304"), octets(t, "0102 1101 1102"), octets(t, "0900")}, all)
	for i, want := range all {
		got, ok := d.Element(i)
		require.True(t, ok)
		require.Equal(t, want, got)
		require.Equal(t, len(got), cap(got))
	}
	for _, i := range []int{-1, 3, math.MaxInt} {
		_, ok := d.Element(i)
		require.False(t, ok)
	}
	for range d.All() {
		break // stopping early is fine
	}
	require.Zero(t, all[0].Len())
	require.Empty(t, slices.Collect(all[0].All()))

	kept := all[1].Clone()
	d[8] = 0xee
	require.Equal(t, axdr.Data(octets(t, "0102 1101 1102")), kept)
	require.Nil(t, axdr.Data(nil).Clone())
}

func TestViewsOfInvalidOctets(t *testing.T) {
	for _, c := range []struct {
		hex  string
		n    int // elements before the fault
		text string
	}{
		{"", 0, "no data"},
		{"02", 0, "structure(0){}"},
		{"0205", 0, "structure(0){}"},
		{"0202 0F01 5A", 1, "structure(2){integer 1}"},
		{"0203 0000 06", 2, "structure(3){null-data, null-data}"},
		{"0185", 0, "array(0){}"},
		{"0603", 0, "double-long-unsigned octets 03"},
		{"5A03", 0, "unknown(0x5a) octets 03"},
		{"090541", 0, "octet-string octets 0541"},
	} {
		d := axdr.Data(octets(t, c.hex))
		require.Len(t, slices.Collect(d.All()), c.n, c.hex)
		require.LessOrEqual(t, d.Len(), len(d))
		require.Equal(t, c.text, d.String())
		_, ok := d.Element(c.n)
		require.False(t, ok)
	}
}

func TestStringIsBounded(t *testing.T) {
	b := axdr.AppendArray(nil, 10000)
	for range 10000 {
		b = axdr.AppendNull(b)
	}
	for _, d := range []axdr.Data{
		b,
		axdr.AppendOctetString(nil, make([]byte, 10000)),
		axdr.AppendVisibleString(nil, strings.Repeat("x", 10000)),
		axdr.AppendBitString(nil, make([]byte, 10000), 80000),
		axdr.Data(append([]byte{0x5a}, make([]byte, 10000)...)),
	} {
		s := d.String()
		require.LessOrEqual(t, len(s), 515)
		require.True(t, strings.HasSuffix(s, "..."))
	}
}
