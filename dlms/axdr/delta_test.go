package axdr_test

import (
	"math"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
)

func TestDelta(t *testing.T) {
	for s, want := range map[string]int64{
		"1C7F": 127, "1C80": -128, "1D8000": -32768, "1E80000000": math.MinInt32, "1E7FFFFFFF": math.MaxInt32,
		"1FFF": 255, "20FFFF": 65535, "21FFFFFFFF": math.MaxUint32,
	} {
		b := octets(t, s)
		v, ok := axdr.Data(b).Delta()
		require.True(t, ok, s)
		require.Equal(t, want, v, s)
		for n := range b {
			_, ok := axdr.Data(b[:n]).Delta()
			require.False(t, ok)
		}
	}
	for _, s := range []string{"", "00", "0F01", "1101", "1C0101", "0901 1C"} {
		_, ok := axdr.Data(octets(t, s)).Delta()
		require.False(t, ok, s)
	}
}

func TestAppendSum(t *testing.T) {
	for _, c := range []struct {
		d    string
		n    int64
		want string // "" if there is no sum
	}{
		{"0F7E", 1, "0F7F"},
		{"0F7F", 1, ""},
		{"0F80", -1, ""},
		{"0F80", 255, "0F7F"},
		{"107FFF", 1, ""},
		{"108000", 65535, "107FFF"},
		{"057FFFFFFF", 1, ""},
		{"0580000000", math.MaxUint32, "057FFFFFFF"},
		{"1100", -1, ""},
		{"11FF", 0, "11FF"},
		{"11FF", 1, ""},
		{"12FFFE", 1, "12FFFF"},
		{"12FFFF", 1, ""},
		{"06FFFFFFFF", 1, ""},
		{"0600000000", math.MaxUint32, "06FFFFFFFF"},
		{"147FFFFFFFFFFFFFFF", 1, ""},
		{"148000000000000000", -1, ""},
		{"147FFFFFFFFFFFFFFF", math.MinInt64, "14FFFFFFFFFFFFFFFF"},
		{"15FFFFFFFFFFFFFFFF", 1, ""},
		{"15FFFFFFFFFFFFFFFF", -1, "15FFFFFFFFFFFFFFFE"},
		{"157FFFFFFFFFFFFFFF", 1, "158000000000000000"},
		{"150000000000000000", -1, ""},
		{"150000000000000001", -1, "150000000000000000"},
		{"158000000000000000", math.MinInt64, "150000000000000000"},
		{"1601", 1, ""},
		{"0D01", 1, ""},
		{"1C01", 1, ""},
		{"0301", 1, ""},
		{"1700000000", 1, ""},
		{"090101", 1, ""},
		{"00", 1, ""},
		{"", 1, ""},
		{"1200", 1, ""},
	} {
		front := []byte{0xAA}
		got, ok := axdr.AppendSum(front, octets(t, c.d), c.n)
		require.Equal(t, c.want != "", ok, c.d)
		require.Equal(t, append(front, octets(t, c.want)...), got, "%s %+d", c.d, c.n)
	}
}

// FuzzAppendSum compares with numbers that have no end.
func FuzzAppendSum(f *testing.F) {
	f.Add([]byte{0x15, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}, int64(-1))
	f.Add([]byte{0x0F, 0x80}, int64(math.MinInt64))
	f.Fuzz(func(t *testing.T, b []byte, n int64) {
		d := axdr.Data(b)
		sum, ok := axdr.AppendSum(nil, d, n)
		if !ok {
			require.Empty(t, sum)
			return
		}
		require.Equal(t, len(b), len(sum))
		require.Equal(t, d.Tag(), axdr.Data(sum).Tag())
		require.Equal(t, new(big.Int).Add(number(t, d), big.NewInt(n)), number(t, sum))
		again, ok := axdr.AppendSum(nil, sum, 0)
		require.True(t, ok)
		require.Equal(t, sum, again)
	})
}

func number(t *testing.T, d axdr.Data) *big.Int {
	if v, ok := d.Uint64(); ok {
		return new(big.Int).SetUint64(v)
	}
	v, ok := d.Int64()
	require.True(t, ok)
	return big.NewInt(v)
}

func TestAdvance(t *testing.T) {
	for _, c := range []struct {
		from string
		d    time.Duration
		want string // "" if there is none
	}{
		{"07EA0B1802080000 00 FFC4 00", 15 * time.Minute, "07EA0B1802080F00 00 FFC4 00"},
		{"07EA031D070130FF FF 8000 80", time.Hour, "07EA031D070230FF FF 8000 80"}, // no change to or from daylight saving
		{"07EA0C1FFF173B3B 63 8000 FF", 10 * time.Millisecond, "07EB0101FF000000 00 8000 FF"},
		{"07EA0C1F00173B00 00 7FFF 01", time.Minute, "07EB010100000000 00 7FFF 01"},
		{"07EA0B1E01180000 00 FF88 80", time.Hour, "07EA0C0102010000 00 FF88 80"},
		{"07EA0B1E01180000 00 FF88 80", -time.Hour, "07EA0B1E01170000 00 FF88 80"},
		{"07EA0B18020800FF 00 FFC4 00", 90 * time.Second, "07EA0B180208011E 00 FFC4 00"},
		{"07EA0B1802080000 FF FFC4 00", time.Second / 2, "07EA0B1802080000 32 FFC4 00"},
		{"270F0C1FFF173B00 00 8000 00", time.Minute, ""},
		{"00010101FF000000 00 8000 00", -time.Second, ""},
		{"07EAFF01FF000000 00 8000 00", time.Second, ""},
		{"FFFF0101FF000000 00 8000 00", time.Second, ""},
		{"07EA021DFF000000 00 8000 00", time.Second, ""},
	} {
		from, ok := axdr.ParseDateTime(octets(t, c.from))
		require.True(t, ok)
		got, ok := from.Advance(c.d)
		require.Equal(t, c.want != "", ok, c.from)
		if ok {
			require.Equal(t, octets(t, c.want), got.Append(nil), c.from)
		}
	}
}

func FuzzAdvance(f *testing.F) {
	f.Add(octets(f, "07EA0B1802080000 00 FFC4 00"), int64(900))
	f.Add(octets(f, "07EA0B1EFF1800FF FF 8000 FF"), int64(-1))
	f.Fuzz(func(t *testing.T, b []byte, seconds int64) {
		from, ok := axdr.ParseDateTime(b)
		if !ok {
			return
		}
		d := time.Duration(seconds%(1<<32)) * time.Second
		to, ok := from.Advance(d)
		if !ok {
			return
		}
		require.True(t, to.Complete())
		require.Equal(t, from.Deviation, to.Deviation)
		require.Equal(t, from.Status, to.Status)
		from.Deviation, to.Deviation = 0, 0
		u, ok := from.Time(time.UTC)
		require.True(t, ok)
		v, ok := to.Time(time.UTC)
		require.True(t, ok)
		require.Equal(t, d, v.Sub(u))
		if to.Weekday >= 1 && to.Weekday <= 7 {
			require.Equal(t, v.Weekday(), time.Weekday(to.Weekday%7))
		}
	})
}
