package axdr_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
)

const (
	profileRows    = 1000
	profileColumns = 5
)

// profile is the buffer of a load profile: capture time as octet-string and
// four energies.
func profile() []byte {
	b := axdr.AppendArray(nil, profileRows)
	for i := range profileRows {
		t := axdr.DateTime{
			Year: 2026, Month: 11, Day: uint8(1 + i/96), Weekday: 0xff,
			Hour: uint8(i / 4 % 24), Minute: uint8(i % 4 * 15), Deviation: -60,
		}
		b = axdr.AppendStructure(b, profileColumns)
		b = axdr.AppendOctetString(b, t.Append(nil))
		for c := range uint32(profileColumns - 1) {
			b = axdr.AppendDoubleLongUnsigned(b, 1000000*c+uint32(i))
		}
	}
	return b
}

// sums keeps the compiler from dropping what the benchmarks compute.
type sums struct {
	minutes int
	value   float64
	rows    int
}

func readCursor(dec *axdr.Decoder, b []byte) (s sums) {
	dec.Reset(b)
	for range dec.Array() {
		if !dec.Structure(profileColumns) {
			return s
		}
		t := dec.DateTime()
		s.minutes += int(t.Hour)*60 + int(t.Minute)
		for range profileColumns - 1 {
			s.value += dec.Float64()
		}
		s.rows++
	}
	return s
}

func readViews(b []byte) (s sums, err error) {
	d, err := axdr.Parse(b)
	if err != nil {
		return s, err
	}
	for row := range d.All() {
		for v := range row.All() {
			if i, ok := v.Int64(); ok {
				s.value += float64(i)
			} else if t, ok := v.DateTime(); ok {
				s.minutes += int(t.Hour)*60 + int(t.Minute)
			}
		}
		s.rows++
	}
	return s, nil
}

func BenchmarkProfileCursor(b *testing.B) {
	buf := profile()
	require.Len(b, buf, 36004)
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	var dec axdr.Decoder
	var s sums
	for b.Loop() {
		s = readCursor(&dec, buf)
	}
	require.NoError(b, dec.Err())
	require.Equal(b, profileRows, s.rows)
}

func BenchmarkProfileViews(b *testing.B) {
	buf := profile()
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	var s sums
	var err error
	for b.Loop() {
		s, err = readViews(buf)
	}
	require.NoError(b, err)
	require.Equal(b, profileRows, s.rows)
}

func BenchmarkParse(b *testing.B) {
	buf := profile()
	b.SetBytes(int64(len(buf)))
	for b.Loop() {
		if _, err := axdr.Parse(buf); err != nil {
			b.Fatal(err)
		}
	}
}

func TestProfileIsReadWithoutAllocation(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	buf := profile()
	var dec axdr.Decoder
	require.Zero(t, testing.AllocsPerRun(10, func() {
		if s := readCursor(&dec, buf); s.rows != profileRows {
			t.Error("cursor lost rows")
		}
	}))
	require.Zero(t, testing.AllocsPerRun(10, func() {
		if s, err := readViews(buf); err != nil || s.rows != profileRows {
			t.Error("views lost rows")
		}
	}))
	byCursor := readCursor(&dec, buf)
	byViews, err := readViews(buf)
	require.NoError(t, err)
	require.Equal(t, byCursor, byViews)
}
