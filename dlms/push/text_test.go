package push_test

import (
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/iec62056"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/push"
)

// mappedText is what a Mapper finds in the lines of a telegram, and the lines
// that it reports.
func mappedText(m *push.Mapper, lines ...string) (got, bad []string, shape push.Shape) {
	t := iec62056.Telegram{Identification: `ISK5\2M550T-1012`, Body: []byte(strings.Join(lines, "\r\n") + "\r\n")}
	shape = m.MapText(t, func(e *push.Entry) bool {
		got = append(got, show(e))
		return true
	}, func(line string) { bad = append(bad, line) })
	return got, bad, shape
}

func TestText(t *testing.T) {
	for _, c := range []struct {
		name        string
		lines, want []string
		bad         []string
	}{
		{"DSMR 5", []string{
			"1-3:0.2.8(50)", "0-0:1.0.0(260101120000W)", "0-0:96.1.1(4B384547303034303436333935353037)", "1-0:1.8.1(000004.426*kWh)", "1-0:2.8.2(123456.789*kWh)", "0-0:96.14.0(0002)",
			"1-0:1.7.0(02.793*kW)", "0-0:96.7.21(00004)", "1-0:99.97.0(2)(0-0:96.7.19)(101208152415W)(0000000240*s)(101208151004W)(0000000301*s)", "1-0:32.32.0(00002)",
			"0-0:96.13.0(303132333435363738393A3B3C3D3E3F)", "0-0:96.13.1()", "1-0:32.7.0(220.1*V)", "1-0:31.7.0(001*A)", "0-1:24.1.0(003)", "0-1:96.1.0(3232323241424344313233343536373839)", "0-1:24.2.1(260101110000W)(12785.123*m3)",
		}, []string{
			`1 1.3.0.2.8.255: visible-string "50"`, "2 0.0.1.0.0.255: date-time 2026-01-01 12:00:00.00", `3 0.0.96.1.1.255: visible-string "K8EG004046395507"`,
			"4 1.0.1.8.1.255: long64 4426 [0 Wh]", "5 1.0.2.8.2.255: long64 123456789 [0 Wh]", `6 0.0.96.14.0.255: visible-string "0002"`, "7 1.0.1.7.0.255: long64 2793 [0 W]", "8 0.0.96.7.21.255: long64 4 [0 ]", "10 1.0.32.32.0.255: long64 2 [0 ]",
			`11 0.0.96.13.0.255: visible-string "0123456789:;<=>?"`, `12 0.0.96.13.1.255: visible-string ""`, "13 1.0.32.7.0.255: long64 2201 [-1 V]", "14 1.0.31.7.0.255: long64 1 [0 A]",
			"15 0.1.24.1.0.255: long64 3 [0 ]", `16 0.1.96.1.0.255: visible-string "2222ABCD123456789"`, "17 0.1.24.2.1.255: long64 12785123 [-3 m3] at 2026-01-01 11:00:00.00",
		}, nil},
		{"summer and winter", []string{"0-0:1.0.0(260701120000S)", "0-0:1.0.0(260701120000)", "0-0:1.0.0(991301120000S)"}, []string{
			"1 0.0.1.0.0.255: date-time 2026-07-01 12:00:00.00", "2 0.0.1.0.0.255: date-time 2026-07-01 12:00:00.00", `3 0.0.1.0.0.255: visible-string "991301120000S"`,
		}, nil},
		{"logs", []string{"1-0:99.97.0()", "1-0:99.97.0(0)(0-0:96.7.19)", "0-0:98.1.0(2)(1-0:1.6.0)(1-0:1.6.0)(230201000000W)(230117224500W)(04.329*kW)"}, nil, nil},
		{"DSMR 2.2", []string{"0-0:96.1.1(4B414D0001)", "1-0:1.8.1(00185.000*kWh)", "0-0:17.0.0(999*A)", "0-1:24.3.0(090212160000)(00)(60)(1)(0-1:24.2.1)(m3)", "(00001.001)", "0-1:24.4.0(1)"}, []string{
			`1 0.0.96.1.1.255: visible-string "4B414D0001"`, "2 1.0.1.8.1.255: long64 185000 [0 Wh]", "3 0.0.17.0.0.255: long64 999 [0 A]", "4 0.1.24.2.1.255: long64 1001 [-3 m3] at 2009-02-12 16:00:00.00", "5 0.1.24.4.0.255: long64 1 [0 ]",
		}, nil},
		{"a device that has told nothing", []string{"0-1:24.2.1(632525252525S)(00000.000)", "0-1:24.2.1(632525252525S)(00000.000*m3)"}, nil, nil},
		{"Sweden", []string{"0-0:1.0.0(210217184019W)", "1-0:1.8.0(00006678.394*kWh)", "1-0:3.8.0(00000021.988*kvarh)", "1-0:3.7.0(0000.000*kvar)", "1-0:21.7.0(0001.023*kW)", "1-0:32.7.0(240.3*V)", "1-0:51.7.0(000.6*A)"}, []string{
			"1 0.0.1.0.0.255: date-time 2021-02-17 18:40:19.00", "2 1.0.1.8.0.255: long64 6678394 [0 Wh]", "3 1.0.3.8.0.255: long64 21988 [0 varh]", "4 1.0.3.7.0.255: long64 0 [0 var]", "5 1.0.21.7.0.255: long64 1023 [0 W]", "6 1.0.32.7.0.255: long64 2403 [-1 V]", "7 1.0.51.7.0.255: long64 6 [-1 A]",
		}, nil},
		{"readout", []string{"F.F(00)", "C.1.0(12345678)", "0.0.0(34567233)", "0.9.1(123000)", "0.9.2(260101)", "0.1.0(12)", "0.1.2*12(2601010000)", "1.8.0(001234.567*kWh)", "1.8.0*01(001200.000*kWh)", "1.8.0&02(1100*kWh)", "1.6.1(0001.23*kW)(2601151030)", "97.97.0(00000010)"}, []string{
			`3 1.0.0.0.0.255: visible-string "34567233"`, `4 1.0.0.9.1.255: visible-string "123000"`, `5 1.0.0.9.2.255: visible-string "260101"`, "6 1.0.0.1.0.255: long64 12 [0 ]", `7 1.0.0.1.2.12: visible-string "2601010000"`,
			"8 1.0.1.8.0.255: long64 1234567 [0 Wh]", "9 1.0.1.8.0.1: long64 1200000 [0 Wh]", "10 1.0.1.8.0.2: long64 1100 [3 Wh]", "11 1.0.1.6.1.255: long64 123 [1 W] at 2026-01-15 10:30:00.00", `12 1.0.97.97.0.255: visible-string "00000010"`,
		}, nil},
		{"malformed", []string{"1-0:4:24.7.0(1)", "1-0:1.8.0(1*kWh)", "1-0:999.8.0(1)", "1-0:1.8.0(1", "nonsense", "40(1)", "1-0:2.8.0(2*kWh)"}, []string{"2 1.0.1.8.0.255: long64 1 [3 Wh]", "5 1.0.2.8.0.255: long64 2 [3 Wh]"},
			[]string{"1-0:4:24.7.0", "1-0:999.8.0", "1-0:1.8.0(1", "nonsense"}},
		{"numbers", []string{
			"1-0:16.7.0(-0001.234*kW)", "1-0:16.7.0(-.5*kW)", "1-0:1.8.0(123456789012345678*Wh)", "1-0:1.8.0(1234567890123456789*Wh)", "1-0:1.8.0(1.2.3*kWh)", "1-0:1.8.0(+1*kWh)", "1-0:1.8.0(*kWh)", "1-0:1.8.0(.*kWh)", "1-0:1.8.0(--*kWh)", "1-0:96.50.1(1234567890)", "1-0:96.50.1(12345678901)", "1-0:13.7.0(0.99)",
		}, []string{
			"1 1.0.16.7.0.255: long64 -1234 [0 W]", "2 1.0.16.7.0.255: long64 -5 [2 W]", "3 1.0.1.8.0.255: long64 123456789012345678 [0 Wh]", "10 1.0.96.50.1.255: long64 1234567890 [0 ]", `11 1.0.96.50.1.255: visible-string "12345678901"`, "12 1.0.13.7.0.255: long64 99 [-2 ]",
		}, nil},
		{"units", []string{"6-0:1.8.0(1.5*GJ)", "7-0:3.0.0(1.5*m3)", "7-0:3.0.0(2*M3)", "1-0:3.7.0(1*kVAr)", "1-0:1.7.0(1*mW)", "1-0:1.7.0(1*MW)", "1-0:1.7.0(1*foo)", "0-0:96.9.0(21*C)", "1-0:14.7.0(50.01*Hz)", "7-0:42.0.0(1.01*bar)", "1-0:1.7.0(1*w)"}, []string{
			"1 6.0.1.8.0.255: long64 15 [8 J]", "2 7.0.3.0.0.255: long64 15 [-1 m3]", "3 7.0.3.0.0.255: long64 2 [0 m3]", "4 1.0.3.7.0.255: long64 1 [3 var]", `5 1.0.1.7.0.255: visible-string "1"`, "6 1.0.1.7.0.255: long64 1 [6 W]", `7 1.0.1.7.0.255: visible-string "1"`,
			"8 0.0.96.9.0.255: long64 21 [0 degC]", "9 1.0.14.7.0.255: long64 5001 [-2 Hz]", "10 7.0.42.0.0.255: long64 101 [-2 bar]", `11 1.0.1.7.0.255: visible-string "1"`,
		}, nil},
		{"texts", []string{"0-0:96.1.0(12345678)", "0-0:96.1.0(34567233)", "0-0:96.1.0(7359992892587665)", "0-0:96.1.0(45303034343030373130)", "0-0:96.1.0(00FF00FF)", "0-0:96.1.0(4B4)", "0-0:96.13.1(31323334)", "0-0:96.14.0(0001)", "0-0:42.0.0(53414731303330373030313035393233)"}, []string{
			`1 0.0.96.1.0.255: visible-string "12345678"`, `2 0.0.96.1.0.255: visible-string "34567233"`, `3 0.0.96.1.0.255: visible-string "7359992892587665"`, `4 0.0.96.1.0.255: visible-string "E004400710"`, `5 0.0.96.1.0.255: visible-string "00FF00FF"`, `6 0.0.96.1.0.255: visible-string "4B4"`,
			`7 0.0.96.13.1.255: visible-string "1234"`, `8 0.0.96.14.0.255: visible-string "0001"`, `9 0.0.42.0.0.255: visible-string "SAG1030700105923"`,
		}, nil},
		{"values that are not told apart", []string{"1-0:1.8.0(1)(2)(3)", "1-0:1.8.0(1*kWh)(2*kWh)(3)", "0-1:24.2.1(260101110000W)(1)(2)", "1-0:1.8.0(1)(x)"}, []string{"2 1.0.1.8.0.255: long64 1 [3 Wh]", "4 1.0.1.8.0.255: long64 1 [0 ]"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var m push.Mapper
			for range 2 {
				got, bad, shape := mappedText(&m, c.lines...)
				require.Equal(t, c.want, got)
				require.Equal(t, c.bad, bad)
				require.Equal(t, len(got), shape.Values)
				require.Zero(t, shape.Unnamed)
				require.Equal(t, `ISK5\2M550T-1012`, shape.Leading)
			}
		})
	}
}

// TestTextLists: the list of a telegram is found by its identification, and
// not by what was mapped before it.
func TestTextLists(t *testing.T) {
	l := &push.List{Leading: "ISK5*", Items: []push.Item{{Code: codeOf("1.0.13.7.0"), Unit: cosem.ScalerUnit{Scaler: 0, Unit: cosem.UnitNone}, HasUnit: true}}}
	m := push.Mapper{Lists: []*push.List{{Types: "u"}, {Elements: 1}, l}}
	_, err := m.Map(u32(1), func(*push.Entry) bool { return true })
	require.NoError(t, err)
	got, _, shape := mappedText(&m, "1-0:13.7.0(0.99)")
	require.Same(t, l, shape.List)
	require.Equal(t, []string{"1 1.0.13.7.0.255: long64 99 [-2 ] item [] [0 ]"}, got)
}

func TestTextStop(t *testing.T) {
	telegram := iec62056.AppendTelegram(nil, "KFM5KAIFA-METER", []string{"1-0:1.8.0(1*kWh)", "1-0:x.8.0(1)", "1-0:2.8.0(2*kWh)"})
	parsed, _, err := iec62056.CutTelegram(telegram)
	require.NoError(t, err)
	n := 0
	var m push.Mapper
	shape := m.MapText(parsed, func(*push.Entry) bool { n++; return false }, nil)
	require.Equal(t, 1, n)
	require.Equal(t, 1, shape.Values)
	require.Equal(t, 3, func() int {
		return m.MapText(parsed, func(*push.Entry) bool { return true }, nil).Elements
	}())
	_, _, err = iec62056.CutTelegram(telegram[:20])
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
}
