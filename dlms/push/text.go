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
	m.path, m.types, m.expanded = m.path[:0], m.types[:0], m.expanded[:0]
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
	case !ok:
		if malformed(set.Address) {
			bad(set.Address)
		}
		return
	case len(set.Values) == 0, code[2] == 98, code[2] == 99:
		return // a log or a profile: what it is of, then times and values
	default:
	}
	m.entry = Entry{Named: true, Code: code, Attribute: 2}
	e := &m.entry
	value, ok := textParts(e, set.Values)
	if !ok {
		return
	}
	if e.Value = m.textValue(e, value, strings.Contains(set.Address, ":")); e.Value != nil {
		m.give()
	}
}

// textParts finds the value among those of a line, and the time that it is of:
// P1 has that in front, meters with a readout have it behind.
func textParts(e *Entry, values []iec62056.DataValue) (value iec62056.DataValue, ok bool) {
	first, last := values[0], values[len(values)-1]
	if len(values) == 1 {
		return first, true
	}
	if first.Unit != "" {
		if at, ok := stamp(values[1].Text); ok && len(values) == 2 && values[1].Unit == "" {
			e.Time = at
		}
		return first, true
	}
	at, ok := stamp(first.Text)
	if !ok || len(first.Text) < minStamp {
		// (632525252525S)(00000.000) is a time that no device has told yet.
		return first, len(values) == 2 && !stampLike(first.Text) && last.Unit == ""
	}
	e.Time = at
	if len(values) == 2 {
		return last, true
	}
	if last.Unit == "" { // DSMR 2: code and unit stand in front of it: (..)(0-1:24.2.1)(m3)(value)
		for _, v := range values[1 : len(values)-1] {
			if _, _, ok := textUnit(v.Text); ok {
				last.Unit = v.Text
			} else if c, ok := textCode(v.Text); ok && strings.Contains(v.Text, ":") {
				e.Code = c
			}
		}
	}
	return last, last.Unit != ""
}

// textCode reads the address of a line: 1-0:1.8.1, or 1.8.1*01 of a meter of
// electricity.
func textCode(s string) (obis.Code, bool) {
	if !strings.Contains(s, ".") {
		return obis.Code{}, false
	}
	c, err := obis.Parse(s)
	return c, err == nil
}

// malformed reports whether the address of a line should be an OBIS code. Those
// with letters for value group C, like F.F or C.1.0, are codes of their own kind.
func malformed(s string) bool {
	if len(s) > 1 && s[1] == '.' && strings.IndexByte("CFLP", s[0]) >= 0 {
		return false
	}
	return strings.ContainsAny(s, ".:")
}

// textValue makes Data of the text of a value.
func (m *Mapper) textValue(e *Entry, v iec62056.DataValue, full bool) axdr.Data {
	text := strings.TrimSpace(v.Text)
	if at, ok := stamp(text); ok && v.Unit == "" && len(text) >= minStamp && isClock(e.Code) {
		return at
	}
	digits, scaler, ok := decimal(text)
	unit, power, known := textUnit(v.Unit)
	start := len(m.expanded)
	switch {
	case ok && (known || v.Unit == "" && !isText(e.Code) && len(text) <= 10):
		e.Unit, e.HasUnit = cosem.ScalerUnit{Scaler: int8(scaler + power), Unit: unit}, true
		m.expanded = axdr.AppendLong64(m.expanded, digits)
	case known:
		return nil // what has a unit is a number
	default:
		if full && (e.Code[2] == 96 || e.Code[2] == 42) {
			text = unhex(text, e.Code[3] == 13)
		}
		m.expanded = axdr.AppendVisibleString(m.expanded, text)
	}
	return axdr.Data(m.expanded[start:])
}

// isText reports whether the value of a code is text, even if it has digits
// only: numbers of devices, names, tariffs, messages, errors, dates and times.
func isText(c obis.Code) bool {
	d, e := c[3], c[4]
	switch c[2] {
	case 42, 97:
		return true
	case 96:
		return d == 1 || d == 5 || d == 13 || d == 14
	case 0:
		return c[0] == 0 || d == 0 || d == 1 && e > 1 || d == 2 || d == 9
	default:
		return false
	}
}

// unhex is the text that hexadecimal digits stand for, as P1 sends octet-strings;
// or the digits, if that is no text. A number of a device may be sent as it is,
// so digits from 0 to 9 alone have to be many, and stand for digits and letters.
func unhex(s string, message bool) string {
	b, err := hex.DecodeString(s)
	if err != nil || len(s) < 8 && !message {
		return s
	}
	plain := strings.Trim(s, "0123456789") == "" && !message
	if plain && len(s) < 16 {
		return s
	}
	for _, c := range b {
		alphanumeric := c >= '0' && c <= '9' || c >= 'A' && c <= 'Z'
		if c < 0x20 || c > 0x7E || plain && !alphanumeric {
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
		// Case tells milli from mega, and units of one letter apart.
		if c.text == s || len(s) > 1 && strings.EqualFold(c.text, s) && (c.text[0] == s[0] || c.text[0] != 'M') {
			return c.unit, c.power, true
		}
	}
	if s == "" {
		return cosem.UnitUndefined, 0, false
	}
	unit, ok := cosem.ParseUnit(s)
	return unit, 0, ok
}

// minStamp is how long a time is that is told from a number by its form alone.
const minStamp = 12

// stampLike reports whether text has the form of a time of P1: twelve digits,
// and S or W.
func stampLike(s string) bool {
	return len(s) == minStamp+1 && (s[minStamp] == 'S' || s[minStamp] == 'W') && strings.Trim(s[:minStamp], "0123456789") == ""
}

// stamp reads the time format of P1 as a date-time without deviation. S and W
// say whether daylight saving is on.
func stamp(s string) (axdr.Data, bool) {
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
