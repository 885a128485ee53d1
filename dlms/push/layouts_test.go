package push_test

import (
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/push"
)

var mac = octet(0, 1, 0x60, 3, 4, 9) // six octets that are no code

var pairs = []golden{
	{"array of pairs", arr(str(import0, u32(1)), str(export0, u32(2))), []string{"1_2 1.0.1.8.0.255: double-long-unsigned 1", "2_2 1.0.2.8.0.255: double-long-unsigned 2"}},
	{"structure of pairs", str(str(import0, u32(1)), str(export0, u32(2))), []string{"1_2 1.0.1.8.0.255: double-long-unsigned 1", "2_2 1.0.2.8.0.255: double-long-unsigned 2"}},
	{"a pair alone", str(import0, u32(1)), []string{"2 1.0.1.8.0.255: double-long-unsigned 1"}},
	{"value, then code", arr(str(u32(1), import0), str(text("x"), serial)), []string{"1_1 1.0.1.8.0.255: double-long-unsigned 1", `2_1 0.0.96.1.0.255: octet-string "x"`}},
	{"value and scaler and unit inside", arr(str(import0, str(u32(1), wh)), str(volts, str(volt, u16(2301)))), []string{"1_2 1.0.1.8.0.255: double-long-unsigned 1 [0 Wh]", "2_2 1.0.32.7.0.255: long-unsigned 2301 [-1 V]"}},
	{"value, scaler and unit inside, flat", arr(str(import0, str(u32(1), i8(3), enum(30)))), []string{"1_2 1.0.1.8.0.255: double-long-unsigned 1 [3 Wh]"}},
	{"no value inside", arr(str(import0, str(null(), wh)), str(export0, u32(2))), []string{"2_2 1.0.2.8.0.255: double-long-unsigned 2"}},
	{"clocks", arr(str(timeOf, clock(noon)), str(timeOf, axdr.AppendDateTime(nil, noon)), str(timeOf, axdr.AppendDate(nil, axdr.Date{Year: 2026, Month: 1, Day: 2, Weekday: 5}))), []string{
		"1_2 0.0.1.0.0.255: octet-string 07ea0102050c000000ffc400", "2_2 0.0.1.0.0.255: date-time 2026-01-02 12:00:00.00 +01:00", "3_2 0.0.1.0.0.255: date 2026-01-02",
	}},
	{"values of all types", arr(
		str(import0, i8(-1)), str(import0, i16(-2)), str(import0, axdr.AppendDoubleLong(nil, -3)), str(import0, axdr.AppendLong64(nil, -4)), str(import0, axdr.AppendLong64Unsigned(nil, math.MaxUint64)),
		str(import0, enum(5)), str(import0, axdr.AppendBoolean(nil, true)), str(import0, axdr.AppendBitString(nil, []byte{0xA0}, 3)), str(import0, axdr.AppendFloat32(nil, 1.5)), str(import0, axdr.AppendFloat64(nil, math.NaN())),
		str(import0, axdr.AppendBCD(nil, 0x42)), str(import0, axdr.AppendUTF8String(nil, "ü")), str(import0, ascii("00123"))),
		[]string{
			"1_2 1.0.1.8.0.255: integer -1", "2_2 1.0.1.8.0.255: long -2", "3_2 1.0.1.8.0.255: double-long -3", "4_2 1.0.1.8.0.255: long64 -4", "5_2 1.0.1.8.0.255: long64-unsigned 18446744073709551615",
			"6_2 1.0.1.8.0.255: enum 5", "7_2 1.0.1.8.0.255: boolean true", "8_2 1.0.1.8.0.255: bit-string 101", "9_2 1.0.1.8.0.255: float32 1.5", "10_2 1.0.1.8.0.255: float64 NaN",
			"11_2 1.0.1.8.0.255: bcd 42", `12_2 1.0.1.8.0.255: utf8-string "\u00fc"`, `13_2 1.0.1.8.0.255: visible-string "00123"`,
		}},
	{"values of six octets", arr(str(serial, mac), str(code("0.0.96.1.1"), import0), str(code("0.0.42.0.0"), text("123456"))), []string{
		"1_2 0.0.96.1.0.255: octet-string 000160030409", "2_2 0.0.96.1.1.255: octet-string 0100010800ff", `3_2 0.0.42.0.0.255: octet-string "123456"`,
	}},
	{"null is no value", arr(str(import0, null()), str(export0, []byte{0xFF}), str(power, null(), watt)), nil},
	{"billing periods", arr(str(code("1.0.1.8.0.1"), u32(1)), str(code("1.0.1.8.0.101"), u32(2)), str(code("1.0.1.8.0.200"), u32(3))), []string{
		"1_2 1.0.1.8.0.1: double-long-unsigned 1", "2_2 1.0.1.8.0.101: double-long-unsigned 2", "3_1: octet-string 0100010800c8", "3_2: double-long-unsigned 3",
	}},
	{"lists as values", arr(str(import0, arr(u8(1), u8(2))), str(serial, str(u8(1), text("a")))), []string{`1_2 1.0.1.8.0.255: array(2){unsigned 1, unsigned 2}`, `2_2 0.0.96.1.0.255: structure(2){unsigned 1, octet-string "a"}`}},
	{"value and its time", arr(str(code("0.1.24.2.1"), clock(noon), u32(7)), str(import0, u32(8), clock(noon)), str(code("0.1.24.2.1"), clock(noon), u32(9), unit(-3, cosem.UnitCubicMetre))), []string{
		"1_3 0.1.24.2.1.255: double-long-unsigned 7 at 2026-01-02 12:00:00.00 +01:00", "2_2 1.0.1.8.0.255: double-long-unsigned 8 at 2026-01-02 12:00:00.00 +01:00",
		"3_3 0.1.24.2.1.255: double-long-unsigned 9 [-3 m3] at 2026-01-02 12:00:00.00 +01:00",
	}},
}

var triples = []golden{
	{"code, value, unit", arr(str(import0, u32(1), wh), str(volts, u16(2301), volt)), []string{"1_2 1.0.1.8.0.255: double-long-unsigned 1 [0 Wh]", "2_2 1.0.32.7.0.255: long-unsigned 2301 [-1 V]"}},
	{"code, unit, value", arr(str(import0, wh, u32(1))), []string{"1_3 1.0.1.8.0.255: double-long-unsigned 1 [0 Wh]"}},
	{"value, unit, code", arr(str(u32(1), wh, import0)), []string{"1_1 1.0.1.8.0.255: double-long-unsigned 1 [0 Wh]"}},
	{"code, value, scaler, unit", arr(str(import0, u32(1), i8(-2), enum(30)), str(volts, u16(1), i8(0), enum(35))), []string{"1_2 1.0.1.8.0.255: double-long-unsigned 1 [-2 Wh]", "2_2 1.0.32.7.0.255: long-unsigned 1 [0 V]"}},
	{"a record alone", str(import0, u32(1), i8(-2), enum(30)), []string{"2 1.0.1.8.0.255: double-long-unsigned 1 [-2 Wh]"}},
	{"triples and null behind", arr(str(import0, u32(1), wh, null(), null())), []string{"1_2 1.0.1.8.0.255: double-long-unsigned 1 [0 Wh]"}},
	{"value, class, unit, code", arr(str(u32(1), u16(3), wh, import0), str(u16(3), u16(3), volt, volts)), []string{"1_1 1.0.1.8.0.255 class 3: double-long-unsigned 1 [0 Wh]", "2_1 1.0.32.7.0.255 class 3: long-unsigned 3 [-1 V]"}},
	{"extended register, flat", arr(str(import0, u32(1), wh, u8(0), clock(noon))), []string{"1_2 1.0.1.8.0.255: double-long-unsigned 1 [0 Wh]", "1_4: unsigned 0", "1_5: octet-string 07ea0102050c000000ffc400"}},
	{"a scaler and unit without value", arr(str(import0, wh), str(export0, u32(2), wh)), []string{"2_2 1.0.2.8.0.255: double-long-unsigned 2 [0 Wh]"}},
}

var flats = []golden{
	{"flat pairs", str(import0, u32(1), export0, u32(2), timeOf, clock(noon)), []string{"2 1.0.1.8.0.255: double-long-unsigned 1", "4 1.0.2.8.0.255: double-long-unsigned 2", "6 0.0.1.0.0.255: octet-string 07ea0102050c000000ffc400"}},
	{"flat pairs in an array", arr(import0, u32(1), export0, u32(2)), []string{"2 1.0.1.8.0.255: double-long-unsigned 1", "4 1.0.2.8.0.255: double-long-unsigned 2"}},
	{"name of the list, flat pairs, null behind", str(ascii("Kamstrup_V0001"), import0, u32(1), export0, u32(2), null(), null()), []string{`1: visible-string "Kamstrup_V0001"`, "3 1.0.1.8.0.255: double-long-unsigned 1", "5 1.0.2.8.0.255: double-long-unsigned 2"}},
	{"name of the list and one pair", str(ascii("Kamstrup_V0001"), import0, u32(1)), []string{`1: visible-string "Kamstrup_V0001"`, "3 1.0.1.8.0.255: double-long-unsigned 1"}},
	{"null between pairs", str(import0, u32(1), null(), export0, u32(2), null(), null(), power, u32(3)), []string{"2 1.0.1.8.0.255: double-long-unsigned 1", "5 1.0.2.8.0.255: double-long-unsigned 2", "9 1.0.1.7.0.255: double-long-unsigned 3"}},
	{"no value in a pair", str(import0, null(), export0, u32(2), power, null()), []string{"4 1.0.2.8.0.255: double-long-unsigned 2"}},
	{"flat triples", str(import0, u32(1), wh, volts, u16(2301), volt), []string{"2 1.0.1.8.0.255: double-long-unsigned 1 [0 Wh]", "5 1.0.32.7.0.255: long-unsigned 2301 [-1 V]"}},
	{"flat triples, unit first", str(import0, wh, u32(1), volts, volt, u16(2301)), []string{"3 1.0.1.8.0.255: double-long-unsigned 1 [0 Wh]", "6 1.0.32.7.0.255: long-unsigned 2301 [-1 V]"}},
	{"flat triples, some without value", str(import0, null(), wh, volts, u16(2301), volt, export0, wh, null()), []string{"5 1.0.32.7.0.255: long-unsigned 2301 [-1 V]"}},
	{"flat pairs with value and unit inside", str(import0, str(u32(1), wh), volts, str(u16(2301), volt)), []string{"2 1.0.1.8.0.255: double-long-unsigned 1 [0 Wh]", "4 1.0.32.7.0.255: long-unsigned 2301 [-1 V]"}},
	{"flat, scaler and unit as two", str(import0, u32(1), i8(-1), enum(30), export0, u32(2), i8(1), enum(30)), []string{"2 1.0.1.8.0.255: double-long-unsigned 1 [-1 Wh]", "6 1.0.2.8.0.255: double-long-unsigned 2 [1 Wh]"}},
	{"flat, with and without unit", str(timeOf, clock(noon), import0, u32(1), i8(-1), enum(30), serial, device), []string{"2 0.0.1.0.0.255: octet-string 07ea0102050c000000ffc400", "4 1.0.1.8.0.255: double-long-unsigned 1 [-1 Wh]", `8 0.0.96.1.0.255: octet-string "ABC0123456"`}},
	{"time in front, text behind", str(clock(noon), import0, u32(1), wh, export0, u32(2), wh, text("181220000009"), text("")), []string{
		"1: octet-string 07ea0102050c000000ffc400", "3 1.0.1.8.0.255: double-long-unsigned 1 [0 Wh]", "6 1.0.2.8.0.255: double-long-unsigned 2 [0 Wh]", `8: octet-string "181220000009"`, `9: octet-string ""`,
	}},
	{"name of the list, a number of the device", str(text("List_1"), serial, u32(77), import0, u32(1)), []string{`1: octet-string "List_1"`, "3 0.0.96.1.0.255: double-long-unsigned 77", "5 1.0.1.8.0.255: double-long-unsigned 1"}},
	{"a number in front, and a clock", str(enum(2), timeOf, clock(noon), import0, u32(1)), []string{"1: enum 2", "3 0.0.1.0.0.255: octet-string 07ea0102050c000000ffc400", "5 1.0.1.8.0.255: double-long-unsigned 1"}},
	{"a number in front, and units", str(enum(2), import0, u32(1), wh, export0, u32(2), wh), []string{"1: enum 2", "3 1.0.1.8.0.255: double-long-unsigned 1 [0 Wh]", "6 1.0.2.8.0.255: double-long-unsigned 2 [0 Wh]"}},
	{"values behind pairs", str(import0, u32(1), export0, u32(2), u8(5), u8(6)), []string{"2 1.0.1.8.0.255: double-long-unsigned 1", "4 1.0.2.8.0.255: double-long-unsigned 2", "5: unsigned 5", "6: unsigned 6"}},
	{"a code among the values", str(import0, u32(1), export0, u32(2), serial, import0, power, u32(3)), []string{
		"2 1.0.1.8.0.255: double-long-unsigned 1", "4 1.0.2.8.0.255: double-long-unsigned 2", "6 0.0.96.1.0.255: octet-string 0100010800ff", "8 1.0.1.7.0.255: double-long-unsigned 3",
	}},
	{"a code as the last value", str(import0, u32(1), export0, u32(2), serial, import0, null()), []string{
		"2 1.0.1.8.0.255: double-long-unsigned 1", "4 1.0.2.8.0.255: double-long-unsigned 2", "6 0.0.96.1.0.255: octet-string 0100010800ff",
	}},
	{"six octets that are no code", str(serial, octet(0, 1, 0x96, 3, 4, 5), import0, u32(1)), []string{"2 0.0.96.1.0.255: octet-string 000196030405", "4 1.0.1.8.0.255: double-long-unsigned 1"}},
	{"flat value, class, unit, code", str(u32(1), u16(3), wh, import0, u16(3), u16(3), volt, volts), []string{"1 1.0.1.8.0.255 class 3: double-long-unsigned 1 [0 Wh]", "5 1.0.32.7.0.255 class 3: long-unsigned 3 [-1 V]"}},
}

var classes = []golden{
	{"class, code, attribute, value", arr(str(u16(3), import0, i8(2), u32(1)), str(u16(1), serial, i8(2), device), str(u16(70), code("0.0.96.3.10"), i8(3), enum(1)), str(u16(8), timeOf, i8(2), clock(noon)), str(u16(5), code("1.0.1.4.0"), i8(3), u16(9))), []string{
		"1_4 1.0.1.8.0.255 class 3: double-long-unsigned 1", `2_4 0.0.96.1.0.255 class 1: octet-string "ABC0123456"`, "3_4 0.0.96.3.10.255 class 70 attribute 3: enum 1", "4_4 0.0.1.0.0.255 class 8: octet-string 07ea0102050c000000ffc400", "5_4 1.0.1.4.0.255 class 5 attribute 3: long-unsigned 9",
	}},
	{"class, code, attribute, value, unit", arr(str(u16(3), import0, i8(2), u32(1), wh), str(u16(3), import0, i8(2), u16(2), i8(1), enum(30)), str(u16(3), volts, i8(2), str(u16(3), volt))), []string{
		"1_4 1.0.1.8.0.255 class 3: double-long-unsigned 1 [0 Wh]", "2_4 1.0.1.8.0.255 class 3: long-unsigned 2 [1 Wh]", "3_4 1.0.32.7.0.255 class 3: long-unsigned 3 [-1 V]",
	}},
	{"class, code, attribute, index, value", arr(str(u16(3), import0, i8(2), u16(0), u32(1)), str(u16(1), code("0.0.96.1.9"), i8(2), u16(2), u32(5)), str(u16(3), import0, i8(2), u16(0), u32(1), wh)), []string{
		"1_5 1.0.1.8.0.255 class 3: double-long-unsigned 1", "2_5 0.0.96.1.9.255 class 1 index 2: double-long-unsigned 5", "3_5 1.0.1.8.0.255 class 3: double-long-unsigned 1 [0 Wh]",
	}},
	{"a value and a time behind class, code, attribute", arr(str(u16(4), import0, i8(2), u16(7), clock(noon)), str(u16(8), timeOf, i8(2), u16(0), clock(noon))), []string{
		"1_4 1.0.1.8.0.255 class 4: long-unsigned 7 at 2026-01-02 12:00:00.00 +01:00", "2_5 0.0.1.0.0.255 class 8: octet-string 07ea0102050c000000ffc400",
	}},
	{"class, code, value", arr(str(u16(3), import0, u32(1)), str(u16(3), volts, u16(2), volt)), []string{"1_3 1.0.1.8.0.255 class 3: double-long-unsigned 1", "2_3 1.0.32.7.0.255 class 3: long-unsigned 2 [-1 V]"}},
	{"class, code, scaler, value", arr(str(u16(3), import0, i8(0), u32(1)), str(u16(3), volts, i8(-1), u16(2301)), str(u16(3), power, i8(2), u16(3)), str(u16(1), serial, i8(0), text("x"))), []string{
		"1_4 1.0.1.8.0.255 class 3: double-long-unsigned 1 [0 ]", "2_4 1.0.32.7.0.255 class 3: long-unsigned 2301 [-1 ]", "3_4 1.0.1.7.0.255 class 3: long-unsigned 3 [2 ]", `4_4 0.0.96.1.0.255 class 1: octet-string "x" [0 ]`,
	}},
	{"class, code, scaler, value alone", str(u16(3), volts, i8(-1), u16(2301)), []string{"4 1.0.32.7.0.255 class 3: long-unsigned 2301 [-1 ]"}},
	{"scaler or attribute", arr(str(u16(3), import0, i8(0), u32(1)), str(u16(3), volts, i8(2), u16(2301))), []string{"1_4 1.0.1.8.0.255 class 3: double-long-unsigned 1", "2_4: long-unsigned 2301"}},
	{"logical names", arr(str(u16(40), setup, i8(1), setup), str(u16(3), import0, i8(1), import0), str(u16(3), import0, i8(2), u32(1))), []string{"3_4 1.0.1.8.0.255 class 3: double-long-unsigned 1"}},
	{"scaler and unit beside the value", arr(str(u16(3), volts, i8(3), volt), str(u16(3), volts, i8(2), u16(2301)), str(u16(3), import0, i8(2), u32(1)), str(u16(3), import0, i8(3), wh)), []string{
		"2_4 1.0.32.7.0.255 class 3: long-unsigned 2301 [-1 V]", "3_4 1.0.1.8.0.255 class 3: double-long-unsigned 1 [0 Wh]",
	}},
	{"references", arr(str(u16(3), import0, i8(2)), str(u16(3), import0), str(u16(3), import0, wh), str(u16(3), import0, i8(2), null())), nil},
	{"a code as the value", arr(str(u16(1), serial, i8(2), import0), str(u16(1), serial, i8(2), u16(0), import0), str(u16(1), serial, import0)), []string{"1_4 0.0.96.1.0.255 class 1: octet-string 0100010800ff", "2_5 0.0.96.1.0.255 class 1: octet-string 0100010800ff", "3_1: long-unsigned 1"}},
	{"attribute 0", arr(str(u16(3), import0, i8(0), str(import0, u32(1), wh)), str(u16(3), export0, i8(0), str(u32(2), wh))), []string{"1_4_2 1.0.1.8.0.255 class 3: double-long-unsigned 1 [0 Wh]", "2_4 1.0.2.8.0.255 class 3: double-long-unsigned 2 [0 Wh]"}},
	{"flat class, code, attribute, value", str(u16(3), import0, i8(2), u32(1), u16(3), volts, i8(2), u16(3), u16(1), serial, i8(2), device), []string{"4 1.0.1.8.0.255 class 3: double-long-unsigned 1", "8 1.0.32.7.0.255 class 3: long-unsigned 3", `12 0.0.96.1.0.255 class 1: octet-string "ABC0123456"`}},
	{"flat class, code, attribute, value, unit", str(u16(3), import0, i8(2), u32(1), wh, u16(3), volts, i8(2), u16(3), volt), []string{"4 1.0.1.8.0.255 class 3: double-long-unsigned 1 [0 Wh]", "9 1.0.32.7.0.255 class 3: long-unsigned 3 [-1 V]"}},
	{"flat class, code, attribute, index, value", str(u16(3), import0, i8(2), u16(0), u32(1), u16(3), volts, i8(2), u16(0), u16(3)), []string{"5 1.0.1.8.0.255 class 3: double-long-unsigned 1", "10 1.0.32.7.0.255 class 3: long-unsigned 3"}},
	{"flat class, code, scaler, value", str(u16(3), import0, i8(0), u32(1), u16(3), volts, i8(-1), u16(3)), []string{"4 1.0.1.8.0.255 class 3: double-long-unsigned 1 [0 ]", "8 1.0.32.7.0.255 class 3: long-unsigned 3 [-1 ]"}},
	{"flat class, code, value", str(u16(3), import0, u32(1), u16(3), volts, u16(3)), []string{"3 1.0.1.8.0.255 class 3: double-long-unsigned 1", "6 1.0.32.7.0.255 class 3: long-unsigned 3"}},
	{"flat scaler and unit beside the value", str(u16(3), volts, i8(3), volt, u16(3), volts, i8(2), u16(2301)), []string{"8 1.0.32.7.0.255 class 3: long-unsigned 2301 [-1 V]"}},
	{"flat, no values", str(u16(3), import0, i8(2), null(), u16(3), volts, i8(2), u16(3)), []string{"8 1.0.32.7.0.255 class 3: long-unsigned 3"}},
	{"a number in front of flat descriptors", str(enum(1), u16(1), serial, i8(2), device, u16(3), import0, i8(2), u32(1)), []string{"1: enum 1", `5 0.0.96.1.0.255 class 1: octet-string "ABC0123456"`, "9 1.0.1.8.0.255 class 3: double-long-unsigned 1"}},
	{"time in front of descriptors", str(clock(noon), u16(3), import0, i8(2), u32(1)), []string{"1: octet-string 07ea0102050c000000ffc400", "5 1.0.1.8.0.255 class 3: double-long-unsigned 1"}},
}

var positions = []golden{
	{"a number", u32(5852), []string{"1: double-long-unsigned 5852"}},
	{"a text", ascii("x"), []string{`1: visible-string "x"`}},
	{"a list", str(text("KFM_001"), u32(1), i16(-2), clock(noon), enum(1), axdr.AppendBoolean(nil, true), axdr.AppendBitString(nil, []byte{0x80}, 1)), []string{
		`1: octet-string "KFM_001"`, "2: double-long-unsigned 1", "3: long -2", "4: octet-string 07ea0102050c000000ffc400", "5: enum 1", "6: boolean true", "7: bit-string 1",
	}},
	{"null keeps the places", str(null(), u8(1), null(), u8(2)), []string{"2: unsigned 1", "4: unsigned 2"}},
	{"lists inside", str(u8(1), arr(u8(2), str(u8(3), u8(4)))), []string{"1: unsigned 1", "2_1: unsigned 2", "2_2_1: unsigned 3", "2_2_2: unsigned 4"}},
	{"device, push setup, time, values", str(device, setup, clock(noon), u16(2301), u32(5), i16(-7)), []string{`1: octet-string "ABC0123456"`, "3: octet-string 07ea0102050c000000ffc400", "4: long-unsigned 2301", "5: double-long-unsigned 5", "6: long -7"}},
	{"device, push setup, value", str(device, setup, u16(2301)), []string{`1: octet-string "ABC0123456"`, "3: long-unsigned 2301"}},
	{"device and push setup", arr(str(device, setup)), []string{`1_1: octet-string "ABC0123456"`}},
	{"push setup, values", str(setup, u16(2301), u32(5)), []string{"2: long-unsigned 2301", "3: double-long-unsigned 5"}},
	{"push setup, pairs", str(setup, import0, u32(1), export0, u32(2)), []string{"3 1.0.1.8.0.255: double-long-unsigned 1", "5 1.0.2.8.0.255: double-long-unsigned 2"}},
	{"push setup, list", str(setup, arr(str(import0, u32(1)), str(export0, u32(2)))), []string{"2_1_2 1.0.1.8.0.255: double-long-unsigned 1", "2_2_2 1.0.2.8.0.255: double-long-unsigned 2"}},
	{"values with units", str(u16(2301), volt, u32(5), wh), []string{"1: long-unsigned 2301 [-1 V]", "3: double-long-unsigned 5 [0 Wh]"}},
	{"structures of value and unit", arr(str(u16(2301), volt), str(u32(5), wh)), []string{"1_1: long-unsigned 2301 [-1 V]", "2_1: double-long-unsigned 5 [0 Wh]"}},
	{"six octets among values", str(u16(1), u16(2), octet(1, 0, 1, 8, 0, 7), u16(3)), []string{"1: long-unsigned 1", "2: long-unsigned 2", "4: long-unsigned 3"}},
}

var mixtures = []golden{
	{"flat pair, then structures", str(timeOf, clock(noon), str(serial, device), str(volts, u16(2301), volt)), []string{"2 0.0.1.0.0.255: octet-string 07ea0102050c000000ffc400", `3_2 0.0.96.1.0.255: octet-string "ABC0123456"`, "4_2 1.0.32.7.0.255: long-unsigned 2301 [-1 V]"}},
	{"number of the list, then records", str(enum(1), arr(str(u16(3), import0, i8(2), u32(1)))), []string{"1: enum 1", "2_1_4 1.0.1.8.0.255 class 3: double-long-unsigned 1"}},
	{"a name and a time, then pairs in a list", str(device, clock(noon), arr(str(import0, u32(1)), str(export0, u32(2)))), []string{`1: octet-string "ABC0123456"`, "2: octet-string 07ea0102050c000000ffc400", "3_1_2 1.0.1.8.0.255: double-long-unsigned 1", "3_2_2 1.0.2.8.0.255: double-long-unsigned 2"}},
	{"a code in front of a list that tells itself", str(serial, str(import0, u32(1)), str(export0, u32(2))), []string{"2_2 1.0.1.8.0.255: double-long-unsigned 1", "3_2 1.0.2.8.0.255: double-long-unsigned 2"}},
	{"pairs, descriptors, triples", str(import0, u32(1), u16(3), export0, i8(2), u32(2), volts, u16(3), volt), []string{"2 1.0.1.8.0.255: double-long-unsigned 1", "6 1.0.2.8.0.255 class 3: double-long-unsigned 2", "8 1.0.32.7.0.255: long-unsigned 3 [-1 V]"}},
	{"object list and what tells itself", str(arr(object(4, 3, import0, 2, 0), object(4, 3, export0, 2, 0)), str(import0, u32(1), wh), str(export0, u32(2))), []string{"2_2 1.0.1.8.0.255: double-long-unsigned 1 [0 Wh]", "3_2 1.0.2.8.0.255: double-long-unsigned 2"}},
	{"object list and a list of what tells itself", str(arr(object(4, 3, import0, 2, 0), object(4, 3, export0, 2, 0), object(4, 3, power, 2, 0)), arr(str(import0, u32(1), wh), str(export0, u32(2)))), []string{"2_1_2 1.0.1.8.0.255: double-long-unsigned 1 [0 Wh]", "2_2_2 1.0.2.8.0.255: double-long-unsigned 2"}},
	{"values, structures of values, text", str(u8(1), str(u8(2), volt), text("x"), str(import0, u8(3))), []string{"1: unsigned 1", "2_1: unsigned 2 [-1 V]", `3: octet-string "x"`, "4_2 1.0.1.8.0.255: unsigned 3"}},
}

func objects(columns int) []byte {
	return arr(object(columns, 40, setup, 2, 0), object(columns, 3, import0, 2, 0), object(columns, 1, serial, 2, 0))
}

var objectWant = []string{"2 1.0.1.8.0.255 class 3: double-long-unsigned 1", `3 0.0.96.1.0.255 class 1: octet-string "ABC0123456"`}

var objectLists = []golden{
	{"three columns", str(objects(3), u32(1), device), objectWant},
	{"four columns", str(objects(4), u32(1), device), objectWant},
	{"six columns", str(objects(6), u32(1), device), objectWant},
	{"does not name itself", str(arr(object(4, 3, import0, 2, 0), object(4, 1, serial, 2, 0)), u32(1), device), objectWant},
	{"names itself at the end", str(arr(object(4, 3, import0, 2, 0), object(4, 1, serial, 2, 0), object(4, 40, setup, 2, 0)), u32(1), device), objectWant},
	{"names itself, and is there twice", str(objects(4), objects(4), u32(1), device), []string{"3 1.0.1.8.0.255 class 3: double-long-unsigned 1", `4 0.0.96.1.0.255 class 1: octet-string "ABC0123456"`}},
	{"names itself, and null is in its place", str(objects(4), null(), u32(1), device), []string{"3 1.0.1.8.0.255 class 3: double-long-unsigned 1", `4 0.0.96.1.0.255 class 1: octet-string "ABC0123456"`}},
	{"in the middle", str(u32(1), arr(object(4, 3, import0, 2, 0), object(4, 40, setup, 2, 0), object(4, 1, serial, 2, 0)), device), []string{"1 1.0.1.8.0.255 class 3: double-long-unsigned 1", `3 0.0.96.1.0.255 class 1: octet-string "ABC0123456"`}},
	{"at the end", str(u32(1), device, arr(object(4, 3, import0, 2, 0), object(4, 1, serial, 2, 0))), []string{"1 1.0.1.8.0.255 class 3: double-long-unsigned 1", `2 0.0.96.1.0.255 class 1: octet-string "ABC0123456"`}},
	{"at the end, names itself", str(u32(1), device, arr(object(4, 3, import0, 2, 0), object(4, 1, serial, 2, 0), object(4, 40, setup, 2, 0))), []string{"1 1.0.1.8.0.255 class 3: double-long-unsigned 1", `2 0.0.96.1.0.255 class 1: octet-string "ABC0123456"`}},
	{"one value", str(arr(object(4, 3, import0, 2, 0)), u32(1)), objectWant[:1]},
	{"null behind", str(objects(4), u32(1), device, null(), null()), objectWant},
	{"null as a value", str(objects(4), null(), device), objectWant[1:]},
	{"null as the last value", str(objects(4), u32(1), null()), objectWant[:1]},
	{"values with units inside", str(objects(4), str(u32(1), wh), device), []string{"2 1.0.1.8.0.255 class 3: double-long-unsigned 1 [0 Wh]", objectWant[1]}},
	{"the list in an array with its values", arr(objects(4), u32(1), device), objectWant},
	{"nested", str(objects(4), str(u32(1), device)), []string{"2_1 1.0.1.8.0.255 class 3: double-long-unsigned 1", `2_2 0.0.96.1.0.255 class 1: octet-string "ABC0123456"`}},
	{"nested, in an array", str(objects(4), arr(u32(1), device)), []string{"2_1 1.0.1.8.0.255 class 3: double-long-unsigned 1", `2_2 0.0.96.1.0.255 class 1: octet-string "ABC0123456"`}},
	{"nested, behind a name", str(text("x"), objects(6), str(u32(1), device, null())), []string{`1: octet-string "x"`, "3_1 1.0.1.8.0.255 class 3: double-long-unsigned 1", `3_2 0.0.96.1.0.255 class 1: octet-string "ABC0123456"`}},
	{"nested, one value", str(arr(object(4, 3, import0, 2, 0)), str(u32(1))), []string{"2_1 1.0.1.8.0.255 class 3: double-long-unsigned 1"}},
	{"one value, with unit inside", str(arr(object(4, 3, import0, 2, 0)), str(u32(1), wh)), []string{"2 1.0.1.8.0.255 class 3: double-long-unsigned 1 [0 Wh]"}},
	{"object list with scaler and unit beside the value", str(arr(object(4, 3, import0, 3, 0), object(4, 3, import0, 2, 0), object(4, 3, volts, 2, 0), object(4, 3, volts, 3, 0)), wh, u32(1), u16(2301), volt), []string{"3 1.0.1.8.0.255 class 3: double-long-unsigned 1 [0 Wh]", "4 1.0.32.7.0.255 class 3: long-unsigned 2301 [-1 V]"}},
	{"extended and demand registers", str(arr(object(4, 4, import0, 2, 0), object(4, 4, import0, 5, 0), object(4, 5, power, 2, 0), object(4, 5, power, 3, 0), object(4, 5, power, 4, 0)), u32(1), clock(noon), u16(2), u16(3), watt), []string{
		"2 1.0.1.8.0.255 class 4: double-long-unsigned 1", "3 1.0.1.8.0.255 class 4 attribute 5: octet-string 07ea0102050c000000ffc400", "4 1.0.1.7.0.255 class 5: long-unsigned 2 [0 W]", "5 1.0.1.7.0.255 class 5 attribute 3: long-unsigned 3 [0 W]",
	}},
	{"attribute 1", str(arr(object(4, 40, setup, 1, 0), object(4, 3, import0, 1, 0), object(4, 3, import0, 2, 0)), setup, import0, u32(1)), []string{"4 1.0.1.8.0.255 class 3: double-long-unsigned 1"}},
	{"data index", str(arr(object(4, 1, serial, 2, 1), object(4, 1, serial, 2, 2), object(4, 63, code("0.0.96.5.0"), 2, 0)), u8(7), u8(8), u16(9)), []string{"2 0.0.96.1.0.255 class 1 index 1: unsigned 7", "3 0.0.96.1.0.255 class 1 index 2: unsigned 8", "4 0.0.96.5.0.255 class 63: long-unsigned 9"}},
	{"codes as values", str(objects(4), u32(1), import0), []string{objectWant[0], "3 0.0.96.1.0.255 class 1: octet-string 0100010800ff"}},
	{"class of a maker", str(arr(object(4, 8200, import0, 2, 0), object(4, 3, export0, 2, 0)), u32(1), u32(2)), []string{"2 1.0.1.8.0.255 class 8200: double-long-unsigned 1", "3 1.0.2.8.0.255 class 3: double-long-unsigned 2"}},
	{"the list alone", objects(4), nil},
	{"the list alone, in a structure", str(objects(6)), nil},

	// Numbers that do not fit give no names.
	{"a value too few", str(arr(object(4, 3, import0, 2, 0), object(4, 3, export0, 2, 0), object(4, 1, serial, 2, 0)), u32(1), u32(2)), []string{"2: double-long-unsigned 1", "3: double-long-unsigned 2"}},
	{"a value too many", str(arr(object(4, 3, import0, 2, 0), object(4, 3, export0, 2, 0)), u32(1), u32(2), u32(3)), []string{"2: double-long-unsigned 1", "3: double-long-unsigned 2", "4: double-long-unsigned 3"}},
	{"names itself, a value too many", str(objects(4), u32(1), device, u32(2)), []string{"2: double-long-unsigned 1", `3: octet-string "ABC0123456"`, "4: double-long-unsigned 2"}},
	{"names itself, a value too few", str(objects(4), u32(1)), []string{"2: double-long-unsigned 1"}},
	{"codes among values that do not fit", str(objects(4), import0, u32(1), export0, u32(2)), []string{"3: double-long-unsigned 1", "5: double-long-unsigned 2"}},
	{"fits in two ways", str(objects(4), null(), u32(1), null()), []string{"3: double-long-unsigned 1"}},
	{"nested, a value too many", str(arr(object(4, 3, import0, 2, 0), object(4, 3, export0, 2, 0)), str(u32(1), u32(2), u32(3))), []string{"2_1: double-long-unsigned 1", "2_2: double-long-unsigned 2", "2_3: double-long-unsigned 3"}},
	{"in the middle, and does not name itself", str(u32(1), arr(object(4, 3, import0, 2, 0), object(4, 1, serial, 2, 0)), device), []string{"1: double-long-unsigned 1", `3: octet-string "ABC0123456"`}},
	{"values of two octets look like data indexes", arr(str(u16(3), volts, i8(2), u16(2301)), str(u16(3), power, i8(2), u16(5))), []string{"1_4 1.0.32.7.0.255 class 3: long-unsigned 2301", "2_4 1.0.1.7.0.255 class 3: long-unsigned 5"}},
	{"values of two octets beside as many values", str(arr(str(u16(3), volts, i8(2), u16(2301)), str(u16(3), power, i8(2), u16(5))), u8(1), u8(2)), []string{"1_1_4 1.0.32.7.0.255 class 3: long-unsigned 2301", "1_2_4 1.0.1.7.0.255 class 3: long-unsigned 5", "2: unsigned 1", "3: unsigned 2"}},
	{"number of the list, one value of 0", str(enum(1), arr(str(u16(3), volts, i8(2), u16(0)))), []string{"1: enum 1"}},
}

var wholes = []golden{
	{"whole register", str(arr(object(4, 3, import0, 0, 0), object(4, 1, serial, 0, 0)), str(import0, u32(1), wh), str(serial, device)), []string{"2_2 1.0.1.8.0.255 class 3: double-long-unsigned 1 [0 Wh]", `3_2 0.0.96.1.0.255 class 1: octet-string "ABC0123456"`}},
	{"whole extended and demand registers", str(arr(object(4, 4, import0, 0, 0), object(4, 5, power, 0, 0)), str(import0, u32(1), wh, u8(3), clock(noon)), str(power, u16(1), u16(2), watt, u8(0), clock(noon), clock(midnight), u32(900), u16(1))), []string{
		"2_2 1.0.1.8.0.255 class 4: double-long-unsigned 1 [0 Wh]", "2_4 1.0.1.8.0.255 class 4 attribute 4: unsigned 3", "2_5 1.0.1.8.0.255 class 4 attribute 5: octet-string 07ea0102050c000000ffc400",
		"3_2 1.0.1.7.0.255 class 5: long-unsigned 1 [0 W]", "3_3 1.0.1.7.0.255 class 5 attribute 3: long-unsigned 2 [0 W]", "3_5 1.0.1.7.0.255 class 5 attribute 5: unsigned 0",
		"3_6 1.0.1.7.0.255 class 5 attribute 6: octet-string 07ea0102050c000000ffc400", "3_7 1.0.1.7.0.255 class 5 attribute 7: octet-string 07ea01020500000000ffc400", "3_8 1.0.1.7.0.255 class 5 attribute 8: double-long-unsigned 900", "3_9 1.0.1.7.0.255 class 5 attribute 9: long-unsigned 1",
	}},
	{"a value for the whole", str(arr(object(4, 3, import0, 0, 0), object(4, 3, volts, 0, 0)), u32(1), str(u16(2301), volt)), []string{"2 1.0.1.8.0.255 class 3: double-long-unsigned 1", "3 1.0.32.7.0.255 class 3: long-unsigned 2301 [-1 V]"}},
	{"whole, but of another object", str(arr(object(4, 3, import0, 0, 0)), str(export0, u32(1), wh)), nil},
	{"whole, without its name", str(arr(object(4, 4, import0, 0, 0)), str(u32(1), wh, u8(0), null())), nil},
	{"whole profile", str(arr(object(4, 7, profile, 0, 0), object(4, 1, serial, 2, 0)), str(profile, arr(str(clock(noon), u32(5))), arr(object(4, 8, timeOf, 2, 0), object(4, 3, import0, 2, 0)), u32(900), enum(1), object(4, 8, timeOf, 2, 0), u32(1), u32(10)), device), []string{
		"2_2_1_2 1.0.1.8.0.255 class 3: double-long-unsigned 5 row 1 column 2 at 2026-01-02 12:00:00.00 +01:00",
		"2_3 1.0.99.1.0.255 class 7 attribute 3: array(2){structure(4){long-unsigned 8, octet-string 0000010000ff, integer 2, long-unsigned 0}, structure(4){long-unsigned 3, octet-string 0100010800ff, integer 2, long-unsigned 0}}",
		"2_4 1.0.99.1.0.255 class 7 attribute 4: double-long-unsigned 900", "2_5 1.0.99.1.0.255 class 7 attribute 5: enum 1",
		"2_6 1.0.99.1.0.255 class 7 attribute 6: structure(4){long-unsigned 8, octet-string 0000010000ff, integer 2, long-unsigned 0}",
		"2_7 1.0.99.1.0.255 class 7 attribute 7: double-long-unsigned 1", "2_8 1.0.99.1.0.255 class 7 attribute 8: double-long-unsigned 10", `3 0.0.96.1.0.255 class 1: octet-string "ABC0123456"`,
	}},
}

var (
	columns  = arr(object(4, 8, timeOf, 2, 0), object(4, 3, import0, 2, 0), object(4, 3, export0, 2, 0))
	rows     = arr(str(clock(midnight), u32(1), u32(2)), str(clock(noon), u32(3), null()))
	rowsWant = []string{
		"2_1_2 1.0.1.8.0.255 class 3: double-long-unsigned 1 row 1 column 2 at 2026-01-02 00:00:00.00 +01:00",
		"2_1_3 1.0.2.8.0.255 class 3: double-long-unsigned 2 row 1 column 3 at 2026-01-02 00:00:00.00 +01:00",
		"2_2_2 1.0.1.8.0.255 class 3: double-long-unsigned 3 row 2 column 2 at 2026-01-02 12:00:00.00 +01:00",
	}
)

// withColumns is an entry of a push object list that tells the columns.
func withColumns() []byte {
	return str(u16(7), profile, i8(2), u16(0), str(enum(0), null()), columns)
}

var profiles = []golden{
	{"rows of a profile", arr(str(profile, rows)), []string{
		"1_2_1_2 1.0.99.1.0.255 index 2: double-long-unsigned 1 row 1 column 2 at 2026-01-02 00:00:00.00 +01:00", "1_2_1_3 1.0.99.1.0.255 index 3: double-long-unsigned 2 row 1 column 3 at 2026-01-02 00:00:00.00 +01:00",
		"1_2_2_2 1.0.99.1.0.255 index 2: double-long-unsigned 3 row 2 column 2 at 2026-01-02 12:00:00.00 +01:00",
	}},
	{"rows, columns told", str(arr(withColumns()), rows), rowsWant},
	{"rows, columns beside them", str(arr(object(4, 7, profile, 2, 0), object(4, 7, profile, 3, 0)), rows, columns), append(append([]string(nil), rowsWant...),
		"3 1.0.99.1.0.255 class 7 attribute 3: array(3){structure(4){long-unsigned 8, octet-string 0000010000ff, integer 2, long-unsigned 0}, structure(4){long-unsigned 3, octet-string 0100010800ff, integer 2, long-unsigned 0}, structure(4){long-unsigned 3, octet-string 0100020800ff, integer 2, long-unsigned 0}}")},
	{"columns, then rows", str(columns, rows), rowsWant},
	{"columns, then as many rows", str(columns, arr(str(clock(midnight), u32(1), u32(2)), str(clock(noon), u32(3), null()), str(clock(noon), null(), null()))), rowsWant},
	{"rows, with the scaler of a column", str(arr(withColumns(), object(6, 3, import0, 3, 0)), rows, wh), []string{
		"2_1_2 1.0.1.8.0.255 class 3: double-long-unsigned 1 [0 Wh] row 1 column 2 at 2026-01-02 00:00:00.00 +01:00", rowsWant[1],
		"2_2_2 1.0.1.8.0.255 class 3: double-long-unsigned 3 [0 Wh] row 2 column 2 at 2026-01-02 12:00:00.00 +01:00",
	}},
	{"columns that do not fit", str(arr(withColumns()), arr(str(clock(noon), u32(1)))), nil},
	{"a row without time among others", str(arr(withColumns()), arr(str(clock(midnight), u32(1), null()), str(null(), u32(3), null()))), rowsWant[:1]},
	{"rows without time", arr(str(profile, arr(str(u32(1)), str(u32(2))))), []string{"1_2_1_1 1.0.99.1.0.255 index 1: double-long-unsigned 1 row 1 column 1", "1_2_2_1 1.0.99.1.0.255 index 1: double-long-unsigned 2 row 2 column 1"}},
	{"rows as arrays", arr(str(profile, arr(arr(u32(1), u32(2))))), []string{"1_2_1_1 1.0.99.1.0.255 index 1: double-long-unsigned 1 row 1 column 1", "1_2_1_2 1.0.99.1.0.255 index 2: double-long-unsigned 2 row 1 column 2"}},
	{"no rows", str(arr(withColumns()), arr()), []string{"2 1.0.99.1.0.255 class 7: array(0){}"}},
	{"class, code, attribute, rows", arr(str(u16(7), profile, i8(2), rows)), []string{
		"1_4_1_2 1.0.99.1.0.255 class 7 index 2: double-long-unsigned 1 row 1 column 2 at 2026-01-02 00:00:00.00 +01:00", "1_4_1_3 1.0.99.1.0.255 class 7 index 3: double-long-unsigned 2 row 1 column 3 at 2026-01-02 00:00:00.00 +01:00",
		"1_4_2_2 1.0.99.1.0.255 class 7 index 2: double-long-unsigned 3 row 2 column 2 at 2026-01-02 12:00:00.00 +01:00",
	}},
}

// odd are bodies that could be read in several ways, of which none is sure.
var odd = []golden{
	{"two values behind a code", str(import0, u32(1), u32(2)), []string{"2: double-long-unsigned 1", "3: double-long-unsigned 2"}},
	{"two values behind each code", str(import0, u32(1), u8(2), export0, u32(3), u8(4)), []string{"2: double-long-unsigned 1", "3: unsigned 2", "5: double-long-unsigned 3", "6: unsigned 4"}},
	{"structures of a code and two values", arr(str(import0, u8(0), u32(1)), str(export0, u32(1), i8(-1)), str(power, u32(1), enum(27))), []string{"1_2: unsigned 0", "1_3: double-long-unsigned 1", "2_2: double-long-unsigned 1", "2_3: integer -1", "3_2: double-long-unsigned 1", "3_3: enum 27"}},
	{"a value on either side", arr(str(u32(1), import0, u8(2))), []string{"1_1: double-long-unsigned 1", "1_3: unsigned 2"}},
	{"codes first, then values", str(import0, export0, power, u32(1), u32(2), u32(3)), []string{"4: double-long-unsigned 1", "5: double-long-unsigned 2", "6: double-long-unsigned 3"}},
	{"two codes first, then values", str(import0, export0, u32(1), u32(2)), []string{"3: double-long-unsigned 1", "4: double-long-unsigned 2"}},
	{"codes in a list, then values", str(arr(import0, export0), u32(1), u32(2)), []string{"2: double-long-unsigned 1", "3: double-long-unsigned 2"}},
	{"values first, then their codes", str(u32(1), import0, u32(2), export0), []string{"1: double-long-unsigned 1", "3: double-long-unsigned 2"}},
	{"values, their units, their codes", str(u32(1), wh, import0, u32(2), wh, export0), []string{"1: double-long-unsigned 1 [0 Wh]", "4: double-long-unsigned 2 [0 Wh]"}},
	{"a number in front of pairs", str(u32(9), import0, u32(1), export0, u32(2)), []string{"1: double-long-unsigned 9", "3: double-long-unsigned 1", "5: double-long-unsigned 2"}},
	{"two numbers around a unit", arr(str(import0, u8(1), wh, u32(2))), []string{"1_2 1.0.1.8.0.255: unsigned 1 [0 Wh]", "1_4: double-long-unsigned 2"}},
	{"a code with a value that may be the next code", str(serial, import0, u32(1)), []string{"3: double-long-unsigned 1"}},
	{"six octets and a value behind values", str(u8(1), octet(1, 0, 1, 8, 0, 255), u8(2)), []string{"1: unsigned 1", "3: unsigned 2"}},
	{"values that are classes", str(power, u16(3), export0, i8(2), import0, u16(5)), []string{"2 1.0.1.7.0.255: long-unsigned 3", "4 1.0.2.8.0.255: integer 2", "6 1.0.1.8.0.255: long-unsigned 5"}},
	{"an attribute that is none", arr(str(u16(1), serial, i8(-1), u32(1)), str(u16(1), serial, i8(99), u32(1))), []string{"1_4: double-long-unsigned 1", "2_4: double-long-unsigned 1"}},
	{"the scaler of a register, but no unit", arr(str(u16(3), import0, i8(2), u32(1)), str(u16(3), import0, i8(2), u16(5), u32(1))), []string{"1_4 1.0.1.8.0.255 class 3: double-long-unsigned 1", "2_4: long-unsigned 5", "2_5: double-long-unsigned 1"}},
	{"flat class, code, attribute, two values", str(u16(3), import0, i8(2), u16(5), u32(1)), []string{"4: long-unsigned 5", "5: double-long-unsigned 1"}},
	{"units in front and behind", str(wh, u32(1), volt, u32(2)), []string{"2: double-long-unsigned 1", "4: double-long-unsigned 2"}},
	{"captured objects of a profile", str(profile, rows, arr(object(4, 8, timeOf, 2, 0), object(4, 3, import0, 2, 0), object(4, 3, export0, 2, 0)), u32(900), enum(1)), []string{
		"2_1_1: octet-string 07ea01020500000000ffc400", "2_1_2: double-long-unsigned 1", "2_1_3: double-long-unsigned 2",
		"2_2_1: octet-string 07ea0102050c000000ffc400", "2_2_2: double-long-unsigned 3", "4: double-long-unsigned 900", "5: enum 1",
	}},
}

// broken are bodies with odd counts and depths.
var broken = []golden{
	{"codes only", str(import0, export0), []string{"2 1.0.1.8.0.255: octet-string 0100020800ff"}},
	{"units only", arr(wh, volt), nil},
	{"a code only", str(import0), nil},
	{"empty lists inside", str(import0, u32(1), arr(), str(), export0, u32(2)), []string{"2 1.0.1.8.0.255: double-long-unsigned 1", "6 1.0.2.8.0.255: double-long-unsigned 2"}},
	{"an object list without entries", str(arr(), u32(1)), []string{"2: double-long-unsigned 1"}},
	{"a class only", str(u16(3)), []string{"1: long-unsigned 3"}},
	{"a descriptor cut off", str(u32(1), u16(3), import0, i8(2)), []string{"1: double-long-unsigned 1", "2: long-unsigned 3", "4: integer 2"}},
	{"a long length", append([]byte{2, 0x82, 0, 2, 9, 6, 1, 0, 1, 8, 0, 255}, u32(1)...), []string{"2 1.0.1.8.0.255: double-long-unsigned 1"}},
}

// TestTime: the time of a value is a date and time.
func TestTime(t *testing.T) {
	m := push.Mapper{}
	n := 0
	_, err := m.Map(str(arr(withColumns()), rows), func(e *push.Entry) bool {
		at, ok := e.Time.DateTime()
		require.True(t, ok && at.Complete())
		n++
		return true
	})
	require.NoError(t, err)
	require.Equal(t, 3, n)
}

// made is a body with codes and values of which it is known what belongs
// together, and what a reader may find in it.
type made struct {
	body  []byte
	truth map[obis.Code]uint32
	text  string
}

// part is what records are made of.
type part byte

const (
	partCode   part = 'C'
	partValue  part = 'V'
	partUnit   part = 'U'
	partClass  part = 'K'
	partStatus part = 's'
	partTime   part = 't'
	partScaler part = 'i'
	partEnum   part = 'e'
	partText   part = 'x'
	partSix    part = '6'
	partNull   part = 'n'
	partAttr   part = 'a'
	partIndex  part = 'd'
	partPush   part = 'p'
)

// make appends the parts of a record with that code and value.
func (p part) append(r *rand.Rand, c obis.Code, v uint32) []byte {
	switch p {
	case partCode:
		return octet(c[:]...)
	case partValue:
		return u32(v)
	case partUnit:
		return unit(int8(v-1000), cosem.UnitWattHour)
	case partClass:
		return u16(3)
	case partStatus:
		return [][]byte{u8(uint8(r.IntN(5))), u16(uint16(r.IntN(9))), u32(uint32(r.IntN(9)))}[r.IntN(3)]
	case partTime:
		return clock(noon)
	case partScaler:
		return i8(int8(r.IntN(4) - 2))
	case partEnum:
		return enum(30)
	case partText:
		return text("Some_text")
	case partSix:
		return octet(1, 0, uint8(r.IntN(9)), 8, uint8(r.IntN(3)), 255)
	case partAttr:
		return i8(2)
	case partIndex:
		return u16(0)
	case partPush:
		return setup
	default:
		return null()
	}
}

// makeBody makes a body of records of one arrangement, with other things in
// front and behind.
func makeBody(r *rand.Rand) (b made) {
	const all = "Kstiexnad"
	layout := []string{"CV", "VC", "CVU", "CUV", "VUC", "VKUC", "KCaV", "KCadV", "KCiV", "KCV", "CsV", "CVs", "CtV", "CVt", "CVie", "CVUst", "CiV", "CVe", "CVi", "CV6", "C6V", "sCV", "VCs", "KCaVU", "KCasV", "KCaVs", "CnV"}[r.IntN(27)]
	if r.IntN(4) == 0 {
		layout = []string{"CV", "CVU", "VC", "KCaV"}[r.IntN(4)]
		for range r.IntN(4) {
			i := r.IntN(len(layout) + 1)
			layout = layout[:i] + string(all[r.IntN(len(all))]) + layout[i:]
		}
	}
	extra := func() string {
		return []string{"", "", "", "x", "t", "p", "xt", "xpt", "s", "n", "nn", "ss"}[r.IntN(12)]
	}
	front, behind := extra(), extra()
	records := 1 + r.IntN(5)
	flat := r.IntN(2) == 0
	b.truth = map[obis.Code]uint32{}
	b.text = front + " " + strconv.Itoa(records) + "*" + layout + " " + behind
	var elements [][]byte
	add := func(s string, c obis.Code, v uint32) (list [][]byte) {
		for _, p := range []byte(s) {
			list = append(list, part(p).append(r, c, v))
		}
		return list
	}
	elements = append(elements, add(front, obis.Code{}, 0)...)
	for i := range records {
		c := obis.Code{1, 0, uint8(20 + i), 8, 0, 255}
		v := uint32(1000 + i)
		b.truth[c] = v
		record := add(layout, c, v)
		if flat {
			elements = append(elements, record...)
		} else {
			elements = append(elements, str(record...))
		}
	}
	elements = append(elements, add(behind, obis.Code{}, 0)...)
	if flat {
		b.text += " flat"
	}
	b.body = str(elements...)
	return b
}

// TestNeverWrong: whatever the arrangement, a value has its own code, scaler and
// unit or none.
func TestNeverWrong(t *testing.T) {
	named := map[string]bool{}
	var m push.Mapper
	for seed := range uint64(30000) {
		b := makeBody(rand.New(rand.NewPCG(seed, 1)))
		_, err := m.Map(b.body, func(e *push.Entry) bool {
			got, _ := e.Value.Int64()
			if e.HasUnit && e.Unit.Unit == cosem.UnitWattHour && got >= 1000 && !strings.ContainsAny(b.text, "ie") {
				require.EqualValues(t, got-1000, e.Unit.Scaler, "%s: scaler and unit of another\n%v", b.text, axdr.Data(b.body))
			}
			want, ok := b.truth[e.Code]
			if !e.Named || !ok || e.Attribute != 2 {
				return true
			}
			require.EqualValues(t, want, got, "%s: value of another\n%v", b.text, axdr.Data(b.body))
			named[b.text] = true
			return true
		})
		require.NoError(t, err)
	}
	require.Greater(t, len(named), 2500, "most of the usual arrangements are understood")
}
