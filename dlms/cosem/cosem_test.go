package cosem_test

import (
	"encoding/hex"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
)

// octets decodes hexadecimal digits; blanks are ignored.
func octets(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	require.NoError(t, err)
	return b
}

func code(t testing.TB, s string) obis.Code {
	t.Helper()
	c, err := obis.Parse(s)
	require.NoError(t, err)
	return c
}

var clock = cosem.CaptureObject{Class: cosem.Clock, Instance: obis.Code{0, 0, 1, 0, 0, 255}, Attribute: 2}

func TestRangeSelection(t *testing.T) {
	from := axdr.DateTime{Year: 2017, Month: 8, Day: 1, Weekday: 7, Hundredths: 0xff, Deviation: -60}
	to := from
	to.Month, to.Day = 11, 1
	s := cosem.RangeSelection(
		axdr.AppendOctetString(nil, from.Append(nil)),
		axdr.AppendOctetString(nil, to.Append(nil)), clock, nil)
	require.Equal(t, cosem.SelectorRange, s.Selector)
	require.Equal(t, axdr.Data(octets(t, "0204 0204 120008 09060000010000FF 0F02 120000"+
		"090C 07E1 08 01 07 00 00 00 FF FFC4 00 090C 07E1 0B 01 07 00 00 00 FF FFC4 00 0100")), s.Parameters)

	s = cosem.RangeSelection(axdr.AppendDoubleLongUnsigned(nil, 1), axdr.AppendDoubleLongUnsigned(nil, 2), clock,
		[]cosem.CaptureObject{clock, {Class: cosem.Register, Instance: obis.Code{1, 0, 1, 8, 0, 255}, Attribute: 2}})
	require.Equal(t, axdr.Data(octets(t, "0204 0204 120008 09060000010000FF 0F02 120000 0600000001 0600000002"+
		"0102 0204 120008 09060000010000FF 0F02 120000 0204 120003 09060100010800FF 0F02 120000")), s.Parameters)
	_, err := axdr.Parse(s.Parameters)
	require.NoError(t, err)
}

func TestEntrySelection(t *testing.T) {
	s := cosem.EntrySelection(1, 10, 1, 0)
	require.Equal(t, cosem.SelectorEntry, s.Selector)
	require.Equal(t, axdr.Data(octets(t, "0204 0600000001 060000000A 120001 120000")), s.Parameters)
}

func TestCaptureObjects(t *testing.T) {
	want := []cosem.CaptureObject{
		clock,
		{Class: cosem.Register, Instance: obis.Code{1, 0, 1, 8, 0, 255}, Attribute: 2},
		{Class: cosem.ClassID(65535), Instance: obis.Code{255, 1, 2, 3, 4, 5}, Attribute: -128, DataIndex: 65535},
	}
	b := cosem.AppendCaptureObjects(nil, want)
	got, err := cosem.ParseCaptureObjects(b)
	require.NoError(t, err)
	require.Equal(t, want, got)
	assert.Equal(t, "class 8, 0.0.1.0.0.255, attribute 2 (time)", got[0].String())
	assert.Equal(t, "class 65535, 255.1.2.3.4.5, attribute -128, element 65535", got[2].String())

	for n := range b {
		_, err := cosem.ParseCaptureObjects(b[:n])
		require.ErrorIs(t, err, io.ErrUnexpectedEOF, "%d octets", n)
	}
	got, err = cosem.ParseCaptureObjects(axdr.Data{1, 0})
	require.NoError(t, err)
	require.Empty(t, got)

	// Other integer types, and a fifth element as in push lists.
	got, err = cosem.ParseCaptureObjects(octets(t, "0101 0205 1103 09060100010800FF 1102 1100 020100"))
	require.NoError(t, err)
	require.Equal(t, want[1:2], got)
}

func TestCaptureObjectsFaults(t *testing.T) {
	for hex, want := range map[string]string{
		"00":                                     "capture_objects: data octet 0: want array, got null-data",
		"0102 0000":                              "capture_objects, column 1: data octet 2: want structure, got null-data",
		"0101 0203 120003 09060100010800FF 0F02": "capture_objects, column 1: structure of 3 elements, want class, logical name, attribute, data index",
		"0101 0204 120003 09050100010800 0F02 120000":             "capture_objects, column 1: logical name of 5 octets, want 6",
		"0101 0204 0600010000 09060100010800FF 0F02 120000":       "capture_objects, column 1: class 65536, want 0 to 65535",
		"0101 0204 120003 09060100010800FF 1180 120000":           "capture_objects, column 1: attribute 128, want -128 to 127",
		"0101 0204 120003 09060100010800FF 0F02 0FFF":             "capture_objects, column 1: data index -1, want 0 to 65535",
		"0101 0204 120003 09060100010800FF 0F02 0900":             "capture_objects, column 1: data octet 17: want an integer, got octet-string",
		"0101 0204 120003 09060100010800FF 0F02 120000 00":        "capture_objects: 1 octets after the end of the element",
		"01847FFFFFFF 0204 120003 09060100010800FF 0F02 120000":   "capture_objects: data octet 0: array of 2147483647 elements with 18 octets left: unexpected EOF",
		"0101 0205 120003 09060100010800FF 0F02 120000 13":        "capture_objects, column 1: data octet 21: type description is cut short: unexpected EOF",
		"0103 0204 120003 09060100010800FF 0F02 120000 0204 1101": "capture_objects, column 2: data octet 20: structure of 4 elements with 2 octets left: unexpected EOF",
	} {
		_, err := cosem.ParseCaptureObjects(octets(t, hex))
		var decode *cosem.DecodeError
		require.ErrorAs(t, err, &decode, hex)
		assert.EqualError(t, err, want, hex)
	}
}

func TestObjectList(t *testing.T) {
	b := cosem.AppendObjectList(nil, []cosem.Object{{
		Class: cosem.Register, Instance: obis.Code{1, 1, 1, 8, 0, 255},
		Attributes: []cosem.AttributeAccess{
			{ID: 1, Mode: cosem.ReadOnly}, {ID: 2, Mode: cosem.ReadOnly}, {ID: 3, Mode: cosem.ReadOnly},
		},
	}})
	require.Equal(t, octets(t, "0101"+"0204 120003 1100 09060101010800FF 0202 0103"+
		"0203 0F01 1601 00 0203 0F02 1601 00 0203 0F03 1601 00 0100"), b)

	b = cosem.AppendObjectList(nil, []cosem.Object{
		{
			Class: cosem.ProfileGeneric, Version: 1, Instance: obis.Code{1, 0, 99, 1, 0, 255},
			Attributes: []cosem.AttributeAccess{{ID: 2, Mode: cosem.AuthenticatedReadOnly, Selectors: []int8{1, 2}}, {ID: -1}},
			Methods:    []cosem.MethodRight{{ID: 1, Mode: cosem.MethodAccess}},
		},
		{Class: cosem.Clock, Instance: obis.Code{0, 0, 1, 0, 0, 255}},
	})
	require.Equal(t, octets(t, "0102"+
		"0204 120007 1101 09060100630100FF 0202 0102 0203 0F02 1604 0102 0F01 0F02 0203 0FFF 1600 00 0101 0202 0F01 1601"+
		"0204 120008 1100 09060000010000FF 0202 0100 0100"), b)
	_, err := axdr.Parse(b)
	require.NoError(t, err)
	require.Equal(t, []byte{1, 0}, cosem.AppendObjectList(nil, nil))
}

func TestAttributeString(t *testing.T) {
	for want, a := range map[string]cosem.Attribute{
		"class 3, 1.0.1.8.0.255, attribute 2 (value)":       {Class: cosem.Register, Instance: code(t, "1.0.1.8.0.255"), ID: 2},
		"class 3, 1.0.1.8.0.255, attribute 3 (scaler_unit)": {Class: cosem.Register, Instance: code(t, "1.0.1.8.0.255"), ID: 3},
		"class 3, 1.0.1.8.0.255, attribute 4":               {Class: cosem.Register, Instance: code(t, "1.0.1.8.0.255"), ID: 4},
		"class 9000, 0.0.42.0.0.255, attribute -1":          {Class: 9000, Instance: code(t, "0.0.42.0.0.255"), ID: -1},
	} {
		assert.Equal(t, want, a.String())
	}
}

func TestAttributeNames(t *testing.T) {
	for _, c := range []struct {
		class cosem.ClassID
		id    int8
		want  string
	}{
		{cosem.Data, 1, "logical_name"},
		{cosem.Data, 2, "value"},
		{cosem.Data, 3, ""},
		{cosem.Register, 3, "scaler_unit"},
		{cosem.ExtendedRegister, 5, "capture_time"},
		{cosem.DemandRegister, 2, "current_average_value"},
		{cosem.DemandRegister, 4, "scaler_unit"},
		{cosem.DemandRegister, 9, "number_of_periods"},
		{cosem.RegisterActivation, 4, "active_mask"},
		{cosem.ProfileGeneric, 2, "buffer"},
		{cosem.ProfileGeneric, 8, "profile_entries"},
		{cosem.Clock, 2, "time"},
		{cosem.Clock, 9, "clock_base"},
		{cosem.AssociationLN, 8, "association_status"},
		{cosem.AssociationLN, 11, "current_user"},
		{cosem.ImageTransfer, 7, "image_to_activate_info"},
		{cosem.ActivityCalendar, 10, "activate_passive_calendar_time"},
		{cosem.IECHDLCSetup, 9, "device_address"},
		{cosem.PushSetup, 13, "last_confirmation_date_time"},
		{cosem.IPv4Setup, 10, "secondary_DNS_address"},
		{cosem.GSMDiagnostic, 8, "capture_time"},
		{cosem.RegisterTable, 4, "scaler_unit"},
		{cosem.CompactData, 6, "capture_method"},
		{cosem.SecuritySetup, 6, "certificates"},
		{cosem.Limiter, 11, "actions"},
		{cosem.MBusClient, 14, "encryption_key_status"},
		{cosem.Account, 19, "max_provision_period"},
		{cosem.DisconnectControl, 4, "control_mode"},
		{cosem.Clock, 0, ""},
		{cosem.Clock, -1, ""},
		{cosem.Clock, 127, ""},
		{cosem.ClassID(8192), 2, ""},
		{cosem.ClassID(8192), 1, "logical_name"},
	} {
		assert.Equal(t, c.want, cosem.AttributeName(c.class, c.id), "%v %d", c.class, c.id)
	}
}

func TestScalerAttribute(t *testing.T) {
	for class, want := range map[cosem.ClassID]int8{
		cosem.Register: 3, cosem.ExtendedRegister: 3, cosem.DemandRegister: 4, cosem.RegisterTable: 4,
		cosem.Data: 0, cosem.Clock: 0, cosem.ProfileGeneric: 0, cosem.ClassID(9999): 0,
	} {
		id, ok := cosem.ScalerAttribute(class)
		assert.Equal(t, want != 0, ok, class)
		assert.Equal(t, want, id, class)
		if ok {
			assert.Equal(t, "scaler_unit", cosem.AttributeName(class, id))
		}
	}
}

func TestClassString(t *testing.T) {
	assert.Equal(t, "Register", cosem.Register.String())
	assert.Equal(t, "Association LN", cosem.AssociationLN.String())
	assert.Equal(t, "unknown(66)", cosem.ClassID(66).String())
	assert.Equal(t, "manufacturer specific(8192)", cosem.ClassID(8192).String())
	assert.Equal(t, "user group specific(32768)", cosem.ClassID(32768).String())
}

func TestUnits(t *testing.T) {
	for unit, want := range map[cosem.Unit]string{
		0: "", 255: "", 254: "other", 253: "unit_253", 73: "unit_73", 58: "unit_58", 127: "unit_127", 175: "unit_175",
		1: "a", 9: "degC", 13: "m3", 15: "m3/h", 27: "W", 28: "VA", 29: "var", 30: "Wh", 31: "VAh", 32: "varh",
		33: "A", 35: "V", 44: "Hz", 45: "1/Wh", 55: "1/m3", 56: "%", 57: "Ah", 60: "Wh/m3", 67: "atm", 70: "dBm", 72: "dB",
		128: "in", 131: "degF", 140: "gal_us", 142: "psi", 146: "Btu", 151: "cu_ft", 152: "ft/s", 156: "cu_ft/d",
		160: "acre_ft/d", 161: "gal_imp", 165: "gal_imp/d", 166: "gal_us", 170: "gal_us/d", 171: "Btu/s", 174: "Btu/d",
	} {
		assert.Equal(t, want, unit.Symbol(), "%d", uint8(unit))
	}
	for u := range math.MaxUint8 {
		s := cosem.Unit(u).Symbol()
		assert.Equal(t, u == 0, s == "", u)
		assert.NotContains(t, s, " ")
	}
	assert.Equal(t, "none", cosem.UnitNone.String())
	assert.Equal(t, "Wh", cosem.UnitWattHour.String())
}

func TestScalerUnit(t *testing.T) {
	b := octets(t, "0202 0FFD 161E")
	s, err := cosem.ParseScalerUnit(b)
	require.NoError(t, err)
	require.Equal(t, cosem.ScalerUnit{Scaler: -3, Unit: cosem.UnitWattHour}, s)
	require.Equal(t, b, s.Append(nil))
	for n := range b {
		_, err := cosem.ParseScalerUnit(b[:n])
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	}
	s, err = cosem.ParseScalerUnit(octets(t, "0202 10FFFE 111B"))
	require.NoError(t, err)
	require.Equal(t, cosem.ScalerUnit{Scaler: -2, Unit: cosem.UnitWatt}, s)

	for hex, want := range map[string]string{
		"00":                  "scaler_unit: data octet 0: want structure, got null-data",
		"0201 0F00":           "scaler_unit: data octet 0: structure of 1 elements, want 2",
		"0202 0F00 0900":      "scaler_unit: data octet 4: want an integer, got octet-string",
		"0202 1180 161E":      "scaler_unit: scaler 128, want -128 to 127",
		"0202 0F00 120100":    "scaler_unit: unit 256, want 0 to 255",
		"0202 0F00 0FFF":      "scaler_unit: unit -1, want 0 to 255",
		"0202 0F00 161E 0000": "scaler_unit: 2 octets after the end of the element",
	} {
		_, err := cosem.ParseScalerUnit(octets(t, hex))
		var decode *cosem.DecodeError
		require.ErrorAs(t, err, &decode)
		assert.EqualError(t, err, want)
	}
}
