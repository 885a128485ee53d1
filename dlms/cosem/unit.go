package cosem

import (
	"math"
	"strconv"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
)

// Unit is the physical unit of a value (Blue Book Ed. 13, clause 4.3.2
// "Register", enumerated values for physical units).
type Unit uint8

// Units that programs name. All others have their number in the standard.
const (
	UnitSecond            Unit = 7
	UnitDegree            Unit = 8
	UnitCelsius           Unit = 9
	UnitCubicMetre        Unit = 13
	UnitCubicMetrePerHour Unit = 15
	UnitJoule             Unit = 25
	UnitWatt              Unit = 27
	UnitVA                Unit = 28
	UnitVar               Unit = 29
	UnitWattHour          Unit = 30
	UnitVAHour            Unit = 31
	UnitVarHour           Unit = 32
	UnitAmpere            Unit = 33
	UnitVolt              Unit = 35
	UnitHertz             Unit = 44
	UnitPercent           Unit = 56
	UnitUndefined         Unit = 0 // not in the standard; meters send it for "none"
	UnitNone              Unit = 255
)

// Symbol returns the symbol of the unit in ASCII, for example "Wh" or "m3/h";
// "" for [UnitNone] and [UnitUndefined], and for example "unit_73" for a
// number without a meaning.
func (u Unit) Symbol() string {
	if u == UnitNone || u == UnitUndefined {
		return ""
	}
	if s := unitSymbols[u]; s != "" {
		return s
	}
	return "unit_" + strconv.Itoa(int(u))
}

// ParseUnit returns the first unit with that symbol; "" is [UnitNone].
func ParseUnit(symbol string) (Unit, bool) {
	if symbol == "" {
		return UnitNone, true
	}
	for u, s := range unitSymbols {
		if s == symbol {
			return Unit(u), true
		}
	}
	return UnitNone, false
}

// String returns the symbol, or "none".
func (u Unit) String() string {
	if s := u.Symbol(); s != "" {
		return s
	}
	return "none"
}

// ScalerUnit is the scal_unit_type: a value stands for
// value x 10^Scaler in Unit.
type ScalerUnit struct {
	Scaler int8
	Unit   Unit
}

// ParseScalerUnit reads the attribute scaler_unit: a structure of an integer
// and an enum. Other integer types are accepted if their value fits. Errors
// are of type [*DecodeError].
func ParseScalerUnit(d axdr.Data) (ScalerUnit, error) {
	var dec axdr.Decoder
	dec.Reset(d)
	dec.Structure(2)
	scaler, unit := dec.Int64(), dec.Int64()
	if err := dec.Err(); err != nil {
		return ScalerUnit{}, &DecodeError{What: "scaler_unit", Err: err}
	}
	var bad error
	switch rest := len(dec.Rest()); {
	case rest > 0:
		bad = trailing(rest)
	case scaler < math.MinInt8 || scaler > math.MaxInt8:
		bad = shapeError("scaler " + strconv.FormatInt(scaler, 10) + ", want -128 to 127")
	case unit < 0 || unit > math.MaxUint8:
		bad = shapeError("unit " + strconv.FormatInt(unit, 10) + ", want 0 to 255")
	default:
		return ScalerUnit{Scaler: int8(scaler), Unit: Unit(unit)}, nil
	}
	return ScalerUnit{}, &DecodeError{What: "scaler_unit", Err: bad}
}

// Append appends s as the structure it is in the attribute, 6 octets.
func (s ScalerUnit) Append(b []byte) []byte {
	b = axdr.AppendStructure(b, 2)
	b = axdr.AppendInteger(b, s.Scaler)
	return axdr.AppendEnum(b, uint8(s.Unit))
}

// unitSymbols is dense enough to be an array; the numbers from 128 on are the
// non-SI units.
var unitSymbols = [256]string{
	1: "a", 2: "mo", 3: "wk", 4: "d", 5: "h", 6: "min", 7: "s",
	8: "deg", 9: "degC", 10: "currency",
	11: "m", 12: "m/s",
	13: "m3", 14: "m3", 15: "m3/h", 16: "m3/h", 17: "m3/d", 18: "m3/d", // 14, 16, 18: corrected volume
	19: "l", 20: "kg", 21: "N", 22: "Nm", 23: "Pa", 24: "bar", 25: "J", 26: "J/h",
	27: "W", 28: "VA", 29: "var", 30: "Wh", 31: "VAh", 32: "varh",
	33: "A", 34: "C", 35: "V", 36: "V/m", 37: "F", 38: "Ohm", 39: "Ohm_m",
	40: "Wb", 41: "T", 42: "A/m", 43: "H", 44: "Hz",
	45: "1/Wh", 46: "1/varh", 47: "1/VAh", 48: "V2h", 49: "A2h",
	50: "kg/s", 51: "S", 52: "K", 53: "1/V2h", 54: "1/A2h", 55: "1/m3", 56: "%", 57: "Ah",
	60: "Wh/m3", 61: "J/m3", 62: "mol_%", 63: "g/m3", 64: "Pa_s", 65: "J/kg", 66: "g/cm2", 67: "atm",
	70: "dBm", 71: "dBuV", 72: "dB",

	128: "in", 129: "ft", 130: "lb", 131: "degF", 132: "degR",
	133: "sq_in", 134: "sq_ft", 135: "acre",
	136: "cu_in", 137: "cu_ft", 138: "acre_ft", 139: "gal_imp", 140: "gal_us",
	141: "lbf", 142: "psi", 143: "lb/cu_ft", 144: "lb/(ft_s)", 145: "sq_ft/s",
	146: "Btu", 147: "therm_eu", 148: "therm_us", 149: "Btu/lb", 150: "Btu/cu_ft",
	151: "cu_ft", 152: "ft/s",
	153: "cu_ft/s", 154: "cu_ft/min", 155: "cu_ft/h", 156: "cu_ft/d",
	157: "acre_ft/s", 158: "acre_ft/min", 159: "acre_ft/h", 160: "acre_ft/d",
	161: "gal_imp", 162: "gal_imp/s", 163: "gal_imp/min", 164: "gal_imp/h", 165: "gal_imp/d",
	166: "gal_us", 167: "gal_us/s", 168: "gal_us/min", 169: "gal_us/h", 170: "gal_us/d",
	171: "Btu/s", 172: "Btu/min", 173: "Btu/h", 174: "Btu/d",

	254: "other",
}
