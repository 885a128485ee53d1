package push

import (
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/iec62056"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
)

// MapText is Map for an ASCII telegram: each of its lines with an OBIS code
// gives an entry, with the value as Data, and with scaler and unit. bad is
// called with each line that cannot be understood; nil is allowed.
//
// Decimal places become the scaler and kWh becomes Wh, so that the values are
// those that a poll of the same meter would give. The time in front of a value,
// as of the last reading of a gas meter, is the Time of the entry.
func (m *Mapper) MapText(t iec62056.Telegram, yield func(e *Entry) bool, bad func(line string)) Shape {
	m.shape, m.ended, m.yield = Shape{Leading: t.Identification}, false, yield
	m.path, m.expanded = m.path[:0], m.expanded[:0]
	m.shape.List = m.match()
	if bad == nil {
		bad = func(string) {}
	}
	for set := range t.Data(bad) {
		m.shape.Elements++
		m.path = append(m.path[:0], m.shape.Elements)
		m.set(set, bad)
		if m.ended {
			break
		}
	}
	m.yield = nil
	return m.shape
}

// set gives the value of a line.
func (m *Mapper) set(set iec62056.DataSet, bad func(string)) {
	code, ok := textCode(set.Address)
	switch {
	case set.Address == "" || len(set.Values) == 0:
		return
	case !ok:
		if len(set.Address) > 4 { // 0.9.1 and F.F are codes too, of their own kind
			bad(set.Address)
		}
		return
	case len(set.Values) > 2 && set.Values[1].Unit == "" && len(set.Values[0].Text) <= 2:
		return // a log: a count, the code of what was logged, then times and values
	default:
	}
	e := m.named(code)
	value := set.Values[0]
	if len(set.Values) > 1 {
		if at, ok := stamp(set.Values[0].Text); ok { // the last but one format of M-Bus devices has more between
			e.Time, value = at, set.Values[len(set.Values)-1]
		}
	}
	if value.Unit == "" && len(set.Values) > 2 { // DSMR 2: the unit is in front: (..)(m3)(value)
		for i := len(set.Values) - 2; i > 0; i-- {
			if _, _, ok := textUnit(set.Values[i].Text); ok {
				value.Unit = set.Values[i].Text
			} else if c, ok := textCode(set.Values[i].Text); ok && strings.Contains(set.Values[i].Text, ":") {
				e.Code = c
			}
		}
	}
	if e.Value = m.textValue(e, code, value); e.Value != nil {
		m.give()
	}
}

// textCode reads the address of a line: 1-0:1.8.1, or 1.8.1*01 of a meter of
// electricity.
func textCode(s string) (obis.Code, bool) {
	c, err := obis.Parse(s)
	if err != nil || !strings.Contains(s, ".") {
		return c, false
	}
	// The short form of IEC 62056-21 has no medium: what stands at 0.x is general.
	return c, true
}

// textValue makes Data of the text of a value; nil of none.
func (m *Mapper) textValue(e *Entry, code obis.Code, v iec62056.DataValue) axdr.Data {
	text := strings.TrimSpace(v.Text)
	if at, ok := stamp(text); ok && v.Unit == "" && isClock(code) {
		return at
	}
	digits, scaler, ok := decimal(text)
	unit, power, known := textUnit(v.Unit)
	switch {
	case ok && (known || v.Unit == "" && !isText(code) && len(text) <= 10):
		e.Unit, e.HasUnit = cosem.ScalerUnit{Scaler: int8(scaler + power), Unit: unit}, true
		start := len(m.expanded)
		m.expanded = axdr.AppendLong64(m.expanded, digits)
		return axdr.Data(m.expanded[start:])
	case text == "":
		start := len(m.expanded)
		m.expanded = axdr.AppendVisibleString(m.expanded, "")
		return axdr.Data(m.expanded[start:])
	default:
		start := len(m.expanded)
		m.expanded = axdr.AppendVisibleString(m.expanded, unhex(text))
		return axdr.Data(m.expanded[start:])
	}
}

// isClock reports whether a code is that of a date and time.
func isClock(c obis.Code) bool { return c[0] == 0 && c[2] == 1 && c[3] == 0 }

// isText reports whether the value of a code is text, even if it has digits
// only: numbers of devices, names, tariffs and messages.
func isText(c obis.Code) bool {
	switch {
	case c[2] == 42, c[2] == 0 && c[0] == 0, c[2] == 0 && c[3] == 0:
		return true
	case c[2] == 96:
		return c[3] == 1 || c[3] == 13 || c[3] == 14
	case c[0] == 1 && c[2] == 0 && c[3] == 2, c[0] == 1 && c[2] == 3 && c[3] == 0:
		return true
	default:
		return false
	}
}

// unhex is the text that hexadecimal digits stand for, as P1 sends octet-strings;
// or the digits, if that is no text.
func unhex(s string) string {
	if len(s) < 8 || len(s)%2 != 0 {
		return s
	}
	b, err := hex.DecodeString(s)
	if err != nil {
		return s
	}
	for _, c := range b {
		if c < 0x20 || c > 0x7E {
			return s
		}
	}
	return string(b)
}

// decimal reads a number as an integer and a power of ten, so that no digit of
// it is lost.
func decimal(s string) (digits int64, scaler int, ok bool) {
	whole, fraction, _ := strings.Cut(s, ".")
	if whole+fraction == "" || len(whole)+len(fraction) > 18 || strings.ContainsAny(fraction, "+-") || s[0] == '+' {
		return 0, 0, false
	}
	digits, err := strconv.ParseInt(whole+fraction, 10, 64)
	return digits, -len(fraction), err == nil
}

// textUnit reads a unit of a telegram: the unit of the standard, and the power
// of ten between the two.
func textUnit(s string) (u cosem.Unit, power int, ok bool) {
	for _, c := range [...]struct {
		text  string
		unit  cosem.Unit
		power int
	}{
		{"kWh", cosem.UnitWattHour, 3}, {"Wh", cosem.UnitWattHour, 0}, {"MWh", cosem.UnitWattHour, 6},
		{"kvarh", cosem.UnitVarHour, 3}, {"varh", cosem.UnitVarHour, 0}, {"kVAh", cosem.UnitVAHour, 3}, {"VAh", cosem.UnitVAHour, 0},
		{"kW", cosem.UnitWatt, 3}, {"W", cosem.UnitWatt, 0}, {"MW", cosem.UnitWatt, 6},
		{"kvar", cosem.UnitVar, 3}, {"var", cosem.UnitVar, 0}, {"kVA", cosem.UnitVA, 3}, {"VA", cosem.UnitVA, 0},
		{"V", cosem.UnitVolt, 0}, {"kV", cosem.UnitVolt, 3}, {"A", cosem.UnitAmpere, 0}, {"Hz", cosem.UnitHertz, 0},
		{"m3", cosem.UnitCubicMetre, 0}, {"m^3", cosem.UnitCubicMetre, 0}, {"dm3", cosem.UnitCubicMetre, -3}, {"m3/h", cosem.UnitCubicMetrePerHour, 0},
		{"GJ", cosem.UnitJoule, 9}, {"MJ", cosem.UnitJoule, 6}, {"J", cosem.UnitJoule, 0},
		{"s", cosem.UnitSecond, 0}, {"C", cosem.UnitCelsius, 0}, {"%", cosem.UnitPercent, 0}, {"Deg", cosem.UnitDegree, 0},
	} {
		if strings.EqualFold(c.text, s) && (len(s) != 1 || c.text == s) {
			return c.unit, c.power, true
		}
	}
	return cosem.UnitUndefined, 0, false
}

// stamp reads the time format of P1 as a date-time without deviation. S and W
// say whether daylight saving is on.
func stamp(s string) (axdr.Data, bool) {
	if len(s) < 12 {
		return nil, false
	}
	t, ok := iec62056.ParseTimestamp(s)
	if !ok {
		return nil, false
	}
	d := axdr.DateTime{
		Year: uint16(t.Year), Month: uint8(t.Month), Day: uint8(t.Day), Weekday: 0xFF,
		Hour: uint8(t.Hour), Minute: uint8(t.Minute), Second: uint8(t.Second),
		Deviation: axdr.DeviationUnspecified, Status: axdr.StatusUnspecified,
	}
	switch {
	case t.Summer:
		d.Status = axdr.StatusDaylightSaving
	case t.Winter:
		d.Status = 0
	default:
	}
	return axdr.AppendDateTime(nil, d), true
}
