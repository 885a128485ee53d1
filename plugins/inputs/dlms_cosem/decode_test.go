package dlms_cosem

import (
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
)

func decodeAs(t testing.TB, name string, d axdr.Data) (value, error) {
	typ, ok := lookupType(name)
	require.True(t, ok, name)
	return typ.decoder(2)(cosem.Data, d)
}

// TestDecode has for each data_type what the folders of testcases do not.
func TestDecode(t *testing.T) {
	octets := func(s string) []byte { return axdr.AppendOctetString(nil, []byte(s)) }
	visible := func(s string) []byte { return axdr.AppendVisibleString(nil, s) }
	num, text := func(n float64) value { return value{number: n, hasNumber: true, scalable: true} }, func(s string) value { return value{text: s, hasText: true} }
	at := axdr.DateTime{Year: 2026, Month: 11, Day: 24, Weekday: 2, Hour: 10, Minute: 30, Second: 15, Deviation: -60}
	for _, c := range []struct {
		typ  string
		data []byte
		want value
		err  string
	}{
		{"auto", axdr.AppendNull(nil), value{}, "null-data"},
		{"auto", axdr.AppendArray(nil, 0), value{}, "an array of 0 elements"},
		{"auto", octets("\x07\xEA\x0B\x18\x02\x0A\x1E\x0F\x00\xFF\xC4\x00"), value{when: at, hasWhen: true}, ""},
		{"auto", octets("123456789012"), text("123456789012"), ""},
		{"auto", octets("AB\xff\xff"), text("AB"), ""},
		{"auto", octets("\x00\x01"), text("0001"), ""},
		{"auto", axdr.AppendFloat64(nil, math.NaN()), value{}, "NaN"},
		{"bool", axdr.AppendEnum(nil, 0), value{hasFlag: true}, ""},
		{"bool", visible("yes"), value{}, "does not fit"},
		{"int8", axdr.AppendLong(nil, -128), num(-128), ""},
		{"int8", axdr.AppendLong(nil, 128), value{}, "does not fit"},
		{"uint8", axdr.AppendLong(nil, 255), num(255), ""},
		{"uint8", axdr.AppendLong(nil, -1), value{}, "does not fit"},
		{"int32", axdr.AppendFloat32(nil, 3), num(3), ""},
		{"int32", axdr.AppendFloat32(nil, 3.5), value{}, "does not fit"},
		{"int16", visible("-12"), num(-12), ""},
		{"int16", visible("12.5"), value{}, "does not fit"},
		{"uint16", axdr.AppendBoolean(nil, true), num(1), ""},
		{"uint16", axdr.AppendBitString(nil, []byte{0x80, 0x01}, 16), num(0x8001), ""},
		{"int64", axdr.AppendLong64(nil, math.MinInt64), num(math.MinInt64), ""},
		{"uint64", axdr.AppendStructure(nil, 0), value{}, "structure of 0 elements"},
		{"uint64", axdr.AppendNull(nil), value{}, "null-data"},
		{"float32", axdr.AppendLong(nil, 7), num(7), ""},
		{"float64", octets("\x3F\xF8\x00\x00\x00\x00\x00\x00"), num(1.5), ""},
		{"float64", visible("2.5"), num(2.5), ""},
		{"float64", visible("inf"), value{}, "no number"},
		{"float64", visible("x"), value{}, "does not fit"},
		{"string", axdr.AppendBoolean(nil, true), text("true"), ""},
		{"string", axdr.AppendLong(nil, -7), text("-7"), ""},
		{"string", axdr.AppendFloat64(nil, 0.1), text("0.1"), ""},
		{"string", axdr.AppendBitString(nil, []byte{0xA0}, 3), text("101"), ""},
		{"string", axdr.AppendDateTime(nil, at), text("2026-11-24 10:30:15.00 +01:00"), ""},
		{"string", axdr.AppendDate(nil, axdr.Date{Year: 2026, Month: 11, Day: 24, Weekday: 2}), text("2026-11-24"), ""},
		{"string", axdr.AppendTime(nil, axdr.Time{Hour: 1, Minute: 2, Second: 3, Hundredths: 4}), text("01:02:03.04"), ""},
		{"string", axdr.AppendArray(nil, 0), value{}, "element"},
		{"string", axdr.AppendNull(nil), value{}, "null-data"},
		{"string", visible(strings.Repeat("ä", 1000)), text(strings.Repeat("ä", 512)), ""},
		{"string", axdr.AppendUTF8String(nil, "a\u202Eb\x00c"), text("abc"), ""},
		{"hex", axdr.AppendLongUnsigned(nil, 0x12ab), text("12ab"), ""},
		{"hex", axdr.AppendBitString(nil, []byte{0xA0}, 3), text("a0"), ""},
		{"hex", axdr.AppendNull(nil), value{}, "null-data"},
		{"bcd", axdr.AppendBCD(nil, 0x42), num(42), ""},
		{"bcd", axdr.AppendLongUnsigned(nil, 0x1234), num(1234), ""},
		{"bcd", axdr.AppendNull(nil), value{}, "null-data"},
		{"bcd", octets(""), value{}, "does not fit"},
		{"datetime", axdr.AppendDateTime(nil, at), value{when: at, hasWhen: true}, ""},
		{"datetime", axdr.AppendLong(nil, -1), value{}, "does not fit"},
		{"date", axdr.AppendDateTime(nil, at), text("2026-11-24"), ""},
		{"date", visible("x"), value{}, "does not fit"},
		{"time", axdr.AppendDateTime(nil, at), text("10:30:15"), ""},
		{"time", axdr.AppendNull(nil), value{}, "null-data"},
		{"bits", axdr.AppendUnsigned(nil, 5), text("00000101"), ""},
		{"bits", axdr.AppendNull(nil), value{}, "null-data"},
		{"enum", axdr.AppendUnsigned(nil, 5), value{number: 5, hasNumber: true}, ""},
		{"enum", visible("x"), value{}, "does not fit"},
		{"raw", octets(strings.Repeat("x", 2000)), text("0982" + "07d0" + strings.Repeat("78", 508)), ""},
	} {
		d, err := axdr.Parse(c.data)
		require.NoError(t, err)
		got, err := decodeAs(t, c.typ, d)
		if c.err != "" {
			require.ErrorContains(t, err, c.err, "%s of %s", c.typ, d)
			continue
		}
		require.NoError(t, err, "%s of %s", c.typ, d)
		require.Equal(t, c.want, got, "%s of %s", c.typ, d)
	}
}

// FuzzDecode lets no data of a meter become a metric that is not in order.
func FuzzDecode(f *testing.F) {
	f.Add([]byte{0x09, 0x02, 0x31, 0xFF}, "auto")
	f.Add([]byte{0x17, 0x7F, 0xC0, 0, 0}, "float32")
	f.Add([]byte{0x04, 0x09, 0xFF, 0x80}, "bits")
	f.Add([]byte{0x09, 0x0C, 7, 0xEA, 11, 24, 2, 10, 30, 15, 0, 0xFF, 0xC4, 0}, "datetime")
	f.Add([]byte{0x02, 0x01, 0x0D, 0x99}, "bcd")
	f.Fuzz(func(t *testing.T, b []byte, name string) {
		d, err := axdr.Parse(b)
		typ, ok := lookupType(name)
		if err != nil || !ok {
			return
		}
		decode := typ.decoder(2)
		for _, decode := range []decoder{decode, atElement([]int{1}, decode), atElement([]int{2, 1}, decode)} {
			v, err := decode(cosem.Clock, d)
			if err != nil {
				require.NotEmpty(t, err.Error())
				continue
			}
			z := zone{location: time.UTC}
			if v.hasWhen {
				z.learn(v.when, time.Unix(1766000000, 0))
				_, v.text, _ = z.read(v.when, time.Unix(1766000000, 0))
			}
			require.True(t, v.hasNumber || v.hasText || v.hasFlag || v.hasWhen)
			require.False(t, math.IsNaN(v.number) || math.IsInf(v.number, 0))
			require.True(t, utf8.ValidString(v.text))
			require.LessOrEqual(t, len(v.text), maxText)
			require.NotContains(t, v.text, "\n")
		}
	})
}

func TestZone(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	now := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	local := axdr.DateTime{Year: 2026, Month: 7, Day: 1, Hour: 14, Deviation: 120} // inverted sign
	z := zone{location: berlin}
	require.True(t, z.learn(local, now))
	require.False(t, z.learn(local, now), "said once")
	at, text, ok := z.read(axdr.DateTime{Year: 2026, Month: 1, Day: 1, Hour: 1, Deviation: 60}, now)
	require.True(t, ok)
	require.Equal(t, "2026-01-01T01:00:00+01:00", text)
	require.Equal(t, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), at.UTC())

	z = zone{location: berlin}
	far := local
	far.Year = 2001
	require.False(t, z.learn(far, now), "a clock that is far off tells nothing")
	require.Equal(t, deviationAuto, z.sign)
	local.Deviation = -120
	require.False(t, z.learn(local, now))
	require.Equal(t, deviationStandard, z.sign)

	// A register captured just now tells its sign without the clock.
	z = zone{location: berlin}
	at, _, ok = z.read(axdr.DateTime{Year: 2026, Month: 7, Day: 1, Hour: 13, Minute: 45, Deviation: 120}, now)
	require.True(t, ok)
	require.Equal(t, now.Add(-15*time.Minute), at.UTC())

	// The end of a day, and no deviation in a gap of daylight saving.
	z = zone{location: berlin, mode: deviationIgnore}
	_, text, ok = z.read(axdr.DateTime{Year: 2026, Month: 3, Day: 28, Hour: 24, Deviation: 60}, now)
	require.True(t, ok)
	require.Equal(t, "2026-03-29T00:00:00", text)
	_, text, ok = z.read(axdr.DateTime{Year: 2026, Month: 3, Day: 29, Hour: 2, Minute: 30}, now)
	require.True(t, ok)
	require.Equal(t, "2026-03-29T02:30:00", text, "the meter's own wall clock")
}
