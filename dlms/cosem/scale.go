package cosem

import (
	"math"
	"strconv"
)

// exactPowers are the powers of ten that a float64 holds exactly.
var exactPowers = [...]float64{
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
	1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
}

// Scale returns v x 10^scaler, rounded once: it is the float64 nearest to the
// decimal number, so that 9 with scaler -3 is 0.009. A negative scaler divides
// by the power of ten, because 10^-n has no exact value to multiply by.
// Results beyond the range of float64 are 0 or infinite; a finite v never
// gives a NaN.
func Scale(v float64, scaler int) float64 {
	switch {
	case scaler == 0:
		return v
	case scaler < 0 && scaler > -len(exactPowers):
		return v / exactPowers[-scaler]
	case scaler > 0 && scaler < len(exactPowers):
		return v * exactPowers[scaler]
	default:
		return scaleDecimal(v, scaler)
	}
}

// scaleDecimal moves the exponent of the decimal text of v, since 10^23 and
// more are not exact. No meter of sound mind gets here.
func scaleDecimal(v float64, scaler int) float64 {
	if v == 0 || math.IsInf(v, 0) || math.IsNaN(v) {
		return v
	}
	const limit = 1000 // leaves the range of float64 for every v
	scaler = max(-limit, min(scaler, limit))
	var buf [40]byte
	b := strconv.AppendFloat(buf[:0], v, 'e', -1, 64)
	e := len(b) - 1
	for b[e] != 'e' {
		e--
	}
	exponent, err := strconv.Atoi(string(b[e+1:]))
	if err != nil {
		return v // not reached: AppendFloat has written it
	}
	b = strconv.AppendInt(b[:e+1], int64(exponent+scaler), 10)
	r, err := strconv.ParseFloat(string(b), 64)
	_ = err // out of range: r is infinite, as documented
	return r
}
