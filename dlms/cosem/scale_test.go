package cosem_test

import (
	"math"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
)

// decimal is v x 10^scaler as the decimal text says it.
func decimal(t testing.TB, v int64, scaler int) float64 {
	t.Helper()
	f, err := strconv.ParseFloat(strconv.FormatInt(v, 10)+"e"+strconv.Itoa(scaler), 64)
	if err != nil {
		require.ErrorIs(t, err, strconv.ErrRange)
	}
	return f
}

func TestScale(t *testing.T) {
	require.Equal(t, "0.009", strconv.FormatFloat(cosem.Scale(9, -3), 'g', -1, 64))
	require.Equal(t, "12345.678", strconv.FormatFloat(cosem.Scale(12345678, -3), 'g', -1, 64))
	for v := range int64(100000) {
		want, err := strconv.ParseFloat(strconv.FormatInt(v/1000, 10)+"."+strconv.FormatInt(1000+v%1000, 10)[1:], 64)
		require.NoError(t, err)
		if got := cosem.Scale(float64(v), -3); got != want {
			t.Fatalf("%d with scaler -3 is %v, want %v", v, got, want)
		}
	}
}

// Every scaler there is gives the float64 nearest to the decimal number.
func TestScaleOfAllScalers(t *testing.T) {
	for scaler := math.MinInt8; scaler <= math.MaxInt8; scaler++ {
		for _, v := range []int64{0, 1, -1, 3, 7, 9, 123456789, -4294967295, 1<<53 - 1, 9007199254740881} {
			got := cosem.Scale(float64(v), scaler)
			if want := decimal(t, v, scaler); got != want {
				t.Errorf("%de%d is %v, want %v", v, scaler, got, want)
			}
		}
	}
}

func TestScaleBeyondFloat64(t *testing.T) {
	for _, v := range []float64{0, 1, -1, math.SmallestNonzeroFloat64, math.MaxFloat64, -math.MaxFloat64, math.Pi} {
		for _, scaler := range []int{math.MinInt, -2000, -400, -128, -23, -22, 0, 22, 23, 127, 400, 2000, math.MaxInt} {
			require.False(t, math.IsNaN(cosem.Scale(v, scaler)), "%v e%d", v, scaler)
		}
	}
	require.InDelta(t, 0, cosem.Scale(0, math.MaxInt), 0)
	require.True(t, math.IsInf(cosem.Scale(math.MaxFloat64, 1), 1))
	require.True(t, math.IsInf(cosem.Scale(-1, 400), -1))
	require.InDelta(t, 0, cosem.Scale(1, -400), 0)
	require.InDelta(t, 1e-5, cosem.Scale(1e-300, 295), 0)
	require.True(t, math.IsInf(cosem.Scale(math.Inf(1), -100), 1))
	require.True(t, math.IsNaN(cosem.Scale(math.NaN(), -100)))
	if n := testing.AllocsPerRun(100, func() { cosem.Scale(math.Pi, -3) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzScalerUnit(f *testing.F) {
	f.Add([]byte{2, 2, 0x0f, 0xfd, 0x16, 30})
	f.Add([]byte{2, 2, 0x10, 0xff, 0xfe, 0x11, 27})
	f.Add([]byte{2, 2, 0x0f, 0, 0x15, 0xff, 0, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{0})
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := cosem.ParseScalerUnit(b)
		if err != nil {
			var decode *cosem.DecodeError
			require.ErrorAs(t, err, &decode)
			require.Zero(t, s)
			return
		}
		again, err := cosem.ParseScalerUnit(s.Append(nil))
		require.NoError(t, err)
		require.Equal(t, s, again)
		require.False(t, math.IsNaN(cosem.Scale(math.MaxUint32, int(s.Scaler))))
		_ = s.Unit.String()
	})
}

func FuzzCaptureObjects(f *testing.F) {
	f.Add(cosem.AppendCaptureObjects(nil, []cosem.CaptureObject{clock, {Class: 3, Attribute: -1, DataIndex: 9}}))
	f.Add(octets(f, "0101 0205 1103 09060100010800FF 1102 1100 020100"))
	f.Add(octets(f, "01847FFFFFFF 0204"))
	f.Add([]byte{1, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		cs, err := cosem.ParseCaptureObjects(b)
		if err != nil {
			var decode *cosem.DecodeError
			require.ErrorAs(t, err, &decode)
			require.Empty(t, cs)
			return
		}
		require.LessOrEqual(t, 14*len(cs), len(b))
		again, err := cosem.ParseCaptureObjects(cosem.AppendCaptureObjects(nil, cs))
		require.NoError(t, err)
		require.Equal(t, len(cs), len(again))
		for i := range cs {
			require.Equal(t, cs[i], again[i])
			_ = cs[i].String()
		}
	})
}
