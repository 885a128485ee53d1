package iec62056

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// plainCRC is the CRC once more, in the other bit order and one bit at a time.
func plainCRC(b string) uint16 {
	var crc uint16
	for _, c := range []byte(b) {
		for bit := range 8 {
			top := crc >> 15
			crc <<= 1
			if top != uint16(c>>bit&1) {
				crc ^= 0x8005
			}
		}
	}
	return bits.Reverse16(crc)
}

func p1(text string) string {
	text = strings.ReplaceAll(text, "\n", "\r\n")
	return text + fmt.Sprintf("%04X\r\n", plainCRC(text))
}

func block(identification, text string) string {
	text = strings.ReplaceAll(text, "\n", "\r\n") + "\x03"
	var bcc byte
	for _, c := range []byte(text) {
		bcc ^= c
	}
	return identification + "\x02" + text + string(rune(bcc))
}

var (
	dsmr5 = p1(`/ISk5\2MT382-1000

1-3:0.2.8(50)
0-0:1.0.0(170102192002W)
0-0:96.1.1(4B384547303034303436333935353037)
1-0:1.8.1(000004.426*kWh)
1-0:1.8.2(000002.399*kWh)
1-0:2.8.1(000002.444*kWh)
1-0:2.8.2(000000.000*kWh)
0-0:96.14.0(0002)
1-0:1.7.0(00.244*kW)
1-0:2.7.0(00.000*kW)
0-0:96.7.21(00013)
0-0:96.7.9(00000)
1-0:99.97.0(0)(0-0:96.7.19)
1-0:32.32.0(00000)
1-0:52.32.0(00000)
1-0:72.32.0(00000)
1-0:32.36.0(00000)
1-0:52.36.0(00000)
1-0:72.36.0(00000)
0-0:96.13.0()
1-0:32.7.0(0230.0*V)
1-0:52.7.0(0230.0*V)
1-0:72.7.0(0229.0*V)
1-0:31.7.0(0.48*A)
1-0:51.7.0(0.44*A)
1-0:71.7.0(0.86*A)
1-0:21.7.0(00.070*kW)
1-0:41.7.0(00.032*kW)
1-0:61.7.0(00.142*kW)
1-0:22.7.0(00.000*kW)
1-0:42.7.0(00.000*kW)
1-0:62.7.0(00.000*kW)
0-1:24.1.0(003)
0-1:96.1.0(3232323241424344313233343536373839)
0-1:24.2.1(170102161005W)(00000.107*m3)
0-2:24.1.0(003)
0-2:96.1.0()
!`)
	dsmr2 = strings.ReplaceAll(`/KMP5 KA6U001234567890

0-0:96.1.1(204B413655303031323334353637383930)
1-0:1.8.1(00132.478*kWh)
1-0:1.7.0(0000.91*kW)
0-0:17.0.0(999*A)
0-0:96.13.1()
0-1:24.3.0(120517020000)(08)(60)(1)(0-1:24.2.1)(m3)
(00124.477)
0-1:24.4.0(1)
!
`, "\n", "\r\n")
	swedish = p1(`/ELL5\253833635_A

0-0:1.0.0(210217184019W)
1-0:1.8.0(00006678.394*kWh)
1-0:2.8.0(00000000.000*kWh)
1-0:3.8.0(00000021.988*kvarh)
1-0:1.7.0(0001.034*kW)
1-0:32.7.0(232.5*V)
!`)
	luxembourg = p1(`/Lux5\253663629_D

1-3:0.2.8(42)
0-0:1.0.0(190101120000W)
0-0:42.0.0(53414731303330373030303030303030)
1-0:4:24.7.0(00000.000*kvar)
0-0:17.0.0(27.3*kVA)
!`)
	iskra = strings.ReplaceAll(`/ISK5MT171-0133

1-0:0.0.0*255(00000000)
1-0:1.8.1*255(0001234.567)
!
`, "\n", "\r\n")
	modeC      = block("/ISk5ME172-0001\r\n", "F.F(0000000)\n0.0.0(12345678)\n1.8.0(000123.456*kWh)2.8.0(000456.789*kWh)\n1.8.0*01(000120.000*kWh)\n!\n")
	blockAlone = block("", "6.8(0001205*kWh)6.26(00456.78*m3)\n9.4(0105*C&0055*C)\n!\n")
)

var telegrams = []struct {
	name, wire     string
	identification string
	checked        bool
	sets           int
	some           string // of the sets, see setsOf
}{
	{"DSMR 5", dsmr5, `ISk5\2MT382-1000`, true, 37, "0-1:24.2.1 [170102161005W] [00000.107 m3]; 0-2:24.1.0 [003]; 0-2:96.1.0 []"},
	{"DSMR 2.2", dsmr2, "KMP5 KA6U001234567890", false, 7, "0-1:24.3.0 [120517020000] [08] [60] [1] [0-1:24.2.1] [m3] [00124.477]; 0-1:24.4.0 [1]"},
	{"Sweden", swedish, `ELL5\253833635_A`, true, 6, "1-0:3.8.0 [00000021.988 kvarh]"},
	{"Luxembourg", luxembourg, `Lux5\253663629_D`, true, 5, "1-0:4:24.7.0 [00000.000 kvar]"},
	{"Iskra, mode D", iskra, "ISK5MT171-0133", false, 2, "1-0:0.0.0*255 [00000000]; 1-0:1.8.1*255 [0001234.567]"},
	{"mode C", modeC, "ISk5ME172-0001", true, 5, "F.F [0000000]; 0.0.0 [12345678]; 1.8.0 [000123.456 kWh]; 2.8.0 [000456.789 kWh]; 1.8.0*01 [000120.000 kWh]"},
	{"block", blockAlone, "", true, 3, "6.8 [0001205 kWh]; 6.26 [00456.78 m3]; 9.4 [0105 C&0055*C]"},
}

func setsOf(t Telegram) (sets, bad []string) {
	for s := range t.Data(func(line string) { bad = append(bad, line) }) {
		text := s.Address
		for _, v := range s.Values {
			text += strings.TrimRight(" ["+v.Text+" "+v.Unit, " ") + "]"
		}
		sets = append(sets, text)
	}
	return sets, bad
}

// cutAll cuts b to pieces; rest is what is kept for more.
func cutAll(t testing.TB, b []byte) (found []Telegram, rest []byte, errs []*TelegramError) {
	t.Helper()
	for {
		telegram, rest, err := CutTelegram(b)
		if errors.Is(err, io.ErrUnexpectedEOF) {
			require.LessOrEqual(t, len(rest), MaxTelegram)
			return found, rest, errs
		}
		require.Less(t, len(rest), len(b), "no progress")
		var telegramError *TelegramError
		if errors.As(err, &telegramError) {
			require.Equal(t, len(b)-len(rest), telegramError.Skipped)
			errs = append(errs, telegramError)
		} else {
			require.NoError(t, err)
			found = append(found, telegram)
		}
		b = rest
	}
}

func TestCRC(t *testing.T) {
	// The check value of the CRC, and a telegram that is widely published.
	require.Equal(t, uint16(0xBB3D), plainCRC("123456789"))
	require.Equal(t, uint16(0xBB3D), crc16([]byte("123456789")))
	require.True(t, strings.HasSuffix(dsmr5, "!6EEE\r\n"))
}

func TestTelegrams(t *testing.T) {
	for _, c := range telegrams {
		t.Run(c.name, func(t *testing.T) {
			telegram, rest, err := CutTelegram([]byte(c.wire + "more"))
			require.NoError(t, err)
			require.Equal(t, "more", string(rest))
			require.Equal(t, c.identification, telegram.Identification)
			require.Equal(t, c.identification[:min(3, len(c.identification))], telegram.Maker)
			require.Equal(t, c.checked, telegram.Checked)
			require.Equal(t, len(telegram.Body), cap(telegram.Body))
			sets, bad := setsOf(telegram)
			require.Empty(t, bad)
			require.Len(t, sets, c.sets)
			require.Contains(t, strings.Join(sets, "; "), c.some)

			for n := range c.wire {
				_, rest, err := CutTelegram([]byte(c.wire[:n]))
				require.ErrorIs(t, err, io.ErrUnexpectedEOF, "%q", c.wire[:n])
				require.Equal(t, c.wire[:n], string(rest))
			}
		})
	}
}

// What is checked is right, whichever octet is wrong. The block check does not
// cover the identification.
func TestWrongOctets(t *testing.T) {
	special := []byte("/!()*\r\n\x02\x03\x00 0A\xFF")
	for _, c := range telegrams {
		good, _, err := CutTelegram([]byte(c.wire))
		require.NoError(t, err)
		next, _, err := CutTelegram([]byte(swedish))
		require.NoError(t, err)
		b := []byte(c.wire + swedish)
		lost := 0
		for i := range c.wire {
			values := slices.Clone(special)
			for bit := range 8 {
				values = append(values, c.wire[i]^1<<bit)
			}
			for _, v := range values {
				if v == c.wire[i] {
					continue
				}
				b[i] = v
				found, _, _ := cutAll(t, b)
				if len(found) == 0 || !bytes.Equal(found[len(found)-1].Body, next.Body) {
					lost++
				}
				for _, f := range found {
					if f.Checked && !bytes.Equal(f.Body, next.Body) {
						require.Equal(t, string(good.Body), string(f.Body), "%q at %d", v, i)
						if c.wire[len(c.wire)-1] == '\n' {
							require.Equal(t, good.Identification, f.Identification)
						}
					}
				}
			}
			b[i] = c.wire[i]
		}
		require.Zero(t, lost, "%s: the telegram behind it", c.name)
	}
	// The block check is weak: it must not be asked about half a block.
	for i := range modeC {
		b := []byte(modeC)
		good, _, _ := CutTelegram(b)
		want := string(good.Body)
		for v := range 256 {
			b[i] = byte(v)
			found, _, _ := cutAll(t, b)
			for _, f := range found {
				require.True(t, !f.Checked || string(f.Body) == want, "%q at %d: %q", byte(v), i, f.Body)
			}
		}
	}
}

func TestNoise(t *testing.T) {
	noise := "\x00\x7f/?!\r\n/12\r\n//\x01!\r\n(5)\r\n\x06050\r\n"
	for _, c := range telegrams {
		found, rest, errs := cutAll(t, []byte(noise+c.wire+noise+c.wire+"\r\n"))
		require.Len(t, found, 2, c.name)
		require.Equal(t, found[0], found[1])
		require.Empty(t, rest)
		for _, e := range errs {
			require.Equal(t, TelegramNoise, e.Kind)
		}
		require.Len(t, errs, 3)
		require.Equal(t, len(noise), errs[0].Skipped)
	}
}

func TestBrokenTelegrams(t *testing.T) {
	cut := func(s string, n int) string { return s[:len(s)-n] }
	for _, c := range []struct {
		name, wire string
		want       TelegramError
		words      string
	}{
		{"wrong CRC", cut(dsmr5, 6) + "6EEF\r\n", TelegramError{TelegramChecksum, len(dsmr5), 0x6EEE, 0x6EEF}, "6EEF received, 6EEE expected"},
		{"wrong BCC", cut(modeC, 1) + "?", TelegramError{TelegramChecksum, len(modeC), uint16(modeC[len(modeC)-1]), '?'}, "wrong check"},
		{"no BCC", cut(modeC, 1), TelegramError{TelegramChecksum, len(modeC) - 1, uint16(modeC[len(modeC)-1]), '/'}, "002F received"},
		{"no ETX", cut(modeC, 2), TelegramError{TelegramSyntax, len(modeC) - 2, ETX, '/'}, "'/' of another telegram received, ETX expected"},
		{"no '!'", block("", "1.8.0(5)\n"), TelegramError{TelegramSyntax, 12, '!', ETX}, "ETX received, '!' expected"},
		{"P1 breaks off", cut(dsmr2, 30), TelegramError{TelegramSyntax, len(dsmr2) - 30, '!', '/'}, "'/' of another telegram received, '!' expected"},
		{"a block breaks off", cut(modeC, 30), TelegramError{TelegramSyntax, len(modeC) - 30, ETX, '/'}, "'/' of another telegram"},
		{"control character", "\x021.8.0(\x00", TelegramError{TelegramSyntax, 8, ETX, 0}, `'\x00' received`},
		{"STX twice", "\x02\x02", TelegramError{TelegramNoise, 1, 0, 0}, "1 octets outside of a telegram"},
		{"STX twice behind an identification", "/ABC5\r\n\x02\x02", TelegramError{TelegramSyntax, 8, ETX, STX}, "STX received"},
		{"STX inside", "\x021.8.0(5)\r\n\x02", TelegramError{TelegramSyntax, 12, ETX, STX}, "STX received, ETX expected"},
		{"text behind '!'", "\x021.8.0(5)\r\n!\r\n(", TelegramError{TelegramSyntax, 14, ETX, '('}, "'(' received, ETX expected"},
		{"an identification breaks off", "/ABC5x", TelegramError{TelegramNoise, 6, 0, 0}, "6 octets outside of a telegram"},
		{"text behind an identification", "/ABC5x\ry\r\n\r\n!\r\n", TelegramError{TelegramNoise, 15, 0, 0}, "15 octets outside of a telegram"},
		{"no empty line", "/ABC5x\r\n1.8.0(5)\r\n!\r\n", TelegramError{TelegramNoise, 21, 0, 0}, "21 octets outside of a telegram"},
	} {
		found, rest, errs := cutAll(t, []byte(c.wire+swedish))
		require.NotEmpty(t, errs, c.name)
		require.Equal(t, c.want, *errs[0], c.name)
		require.ErrorContains(t, errs[0], c.words, c.name)
		require.Empty(t, rest, c.name)
		require.Len(t, found, 1, c.name)
		require.Equal(t, `ELL5\253833635_A`, found[0].Identification)
	}
	require.NotEmpty(t, (&TelegramError{}).Error())
}

func TestTelegramEnds(t *testing.T) {
	text := "/ABC5x\r\n\r\n1.8.0(5)\r\n!"
	crc := fmt.Sprintf("%04X", plainCRC(text))
	for _, c := range []struct {
		end     string
		rest    string
		checked bool
	}{
		{crc + "\r\n", "", true},
		{crc + "\n", "", true},
		{strings.ToLower(crc) + "\r\n", "", true},
		{crc + "/ABC5", "/ABC5", true},
		{"\r\n", "", false},
		{"\n", "", false},
		{crc[:3] + "\r\n", "", false},
		{crc + "0\r\n", "", false},
		{"+" + crc[:3] + "\r\n", "", false},
		{"/ABC5", "/ABC5", false},
		{"\x02", "\x02", false},
		{strings.Repeat(" ", maxEnd), strings.Repeat(" ", maxEnd), false},
	} {
		telegram, rest, err := CutTelegram([]byte(text + c.end))
		require.NoError(t, err, "%q", c.end)
		require.Equal(t, c.rest, string(rest), "%q", c.end)
		require.Equal(t, c.checked, telegram.Checked, "%q", c.end)
		require.Equal(t, "1.8.0(5)\r\n", string(telegram.Body))
	}
	_, _, err := CutTelegram([]byte(text + strings.Repeat(" ", maxEnd-1)))
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	// A '!' in a line of data ends nothing.
	telegram, _, err := CutTelegram([]byte("/ABC5x\n\n!-0:1.8.0(5)\nA!\n!5.7)\n1.8.0(6)\n!\n"))
	require.NoError(t, err)
	sets, bad := setsOf(telegram)
	require.Equal(t, []string{"!-0:1.8.0 [5]", "1.8.0 [6]"}, sets)
	require.Equal(t, []string{"A!", "!5.7)"}, bad)
	// Nor is there a need for data.
	telegram, _, err = CutTelegram([]byte("/ABC5\r\r\n\n!\n"))
	require.NoError(t, err)
	require.Equal(t, Telegram{Identification: "ABC5", Maker: "ABC", Body: []byte{}}, telegram)
}

func TestLongTelegrams(t *testing.T) {
	head, line := "/ABC5x\r\n\r\n", "1.8.0(5)\r\n"
	fill := func(n int) string { return head + strings.Repeat("x", n-len(head)-2) + "\r\n" }
	telegram, rest, err := CutTelegram([]byte(fill(MaxTelegram-3) + "!\r\n" + line))
	require.NoError(t, err)
	require.Equal(t, line, string(rest))
	require.Len(t, telegram.Body, MaxTelegram-3-len(head))

	long := fill(MaxTelegram-2) + "!\r\n"
	_, _, err = CutTelegram([]byte(long[:MaxTelegram-1]))
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	_, _, err = CutTelegram([]byte(long[:MaxTelegram]))
	require.Equal(t, &TelegramError{Kind: TelegramLength, Skipped: MaxTelegram}, err)
	for _, start := range []string{"", "\x02"} {
		found, rest, errs := cutAll(t, []byte(start+long+swedish))
		require.Len(t, found, 1)
		require.Empty(t, rest)
		kind := TelegramLength
		if start == "\x02" {
			kind = TelegramSyntax // where the identification begins
		}
		require.Equal(t, kind, errs[0].Kind)
		require.NotEmpty(t, errs[0].Error())
	}
	_, rest, errs := cutAll(t, []byte(strings.Repeat("/", 3*MaxTelegram)))
	require.Len(t, errs, 1)
	require.Len(t, rest, 1)
	_, rest, errs = cutAll(t, []byte("/ABC5"+strings.Repeat("x", 2*MaxTelegram)))
	require.Len(t, errs, 1)
	require.Empty(t, rest)
}

func TestData(t *testing.T) {
	many := strings.Repeat("(1)", maxValues)
	for _, c := range []struct {
		body string
		sets string
		bad  []string
	}{
		{"", "", nil},
		{"\r\n \r\n", "", nil},
		{"1.8.0(5*kWh)", "1.8.0 [5 kWh]", nil},
		{"1.8.0(5*)(*A)()\n", "1.8.0 [5] [ A] []", nil},
		{" 1.8.0 (1) (2)  2.8.0(3) \r\n", "1.8.0 [1] [2]; 2.8.0 [3]", nil},
		{"a(1)\n(2)(3)b(4)\n(5)", "a [1] [2] [3]; b [4] [5]", nil},
		{"a(1)\nb\nc(2)", "a [1]; c [2]", []string{"b"}},
		{"a(1)\nb(2\nc(3)", "a [1]; c [3]", []string{"b(2"}},
		{"a(1)\nb(2))\nb((2)\nb)(2)\nb(2)x\n", "a [1]", []string{"b(2))", "b((2)", "b)(2)", "b(2)x"}},
		{"a(1)\nb(\x002)\nc(\x7f)\nd(3\r4)\n", "a [1]", []string{"b(\x002)", "c(\x7f)", "d(3\r4)"}},
		// What goes on with a line that is lost does not go to another one.
		{"a(1)\nb(2\n(3)\nc(4)", "a [1]; c [4]", []string{"b(2", "(3)"}},
		{"(3)\nc(4)", "c [4]", []string{"(3)"}},
		{"a" + many + "\nb(1)", strings.ReplaceAll("a"+many, "(1)", " [1]") + "; b [1]", nil},
		{"a" + many + "\n(1)\nb(1)", strings.ReplaceAll("a"+many, "(1)", " [1]") + "; b [1]", []string{"(1)"}},
		{"a" + many + "(1)\nb(1)", "b [1]", []string{("a" + many)[:maxBad]}},
		{strings.Repeat("x", maxDataLine-2) + "()\n", strings.Repeat("x", maxDataLine-2) + " []", nil},
		{strings.Repeat("x", maxDataLine-1) + "()\na(1)", "a [1]", []string{strings.Repeat("x", maxBad)}},
		{strings.Repeat("a(1)\n", maxSets-1) + "b(1)c(2)\nd(1)\ne(1)\n", strings.Repeat("a [1]; ", maxSets-1) + "d [1]", []string{"b(1)c(2)", "e(1)"}},
	} {
		sets, bad := setsOf(Telegram{Body: []byte(c.body)})
		require.Equal(t, c.sets, strings.Join(sets, "; "), "%q", c.body)
		require.Equal(t, c.bad, bad, "%q", c.body)
	}

	// Nobody needs to listen, nor to the end, and the sets outlive the body.
	body := []byte("a(1)\nb\nc(2)d(3)\ne(4)\n")
	for n := range 4 {
		var all []DataSet
		for s := range (Telegram{Body: body}).Data(nil) {
			all = append(all, s)
			if len(all) > n {
				break
			}
		}
		require.Len(t, all, n+1)
	}
	sets := slices.Collect(Telegram{Body: body}.Data(nil))
	clear(body)
	require.Equal(t, DataSet{Address: "e", Values: []DataValue{{Text: "4"}}}, sets[3])
}

func TestTimestamp(t *testing.T) {
	for text, want := range map[string]Stamp{
		"170102192002W": {2017, 1, 2, 19, 20, 2, false, true},
		"240229235959S": {2024, 2, 29, 23, 59, 59, true, false},
		"120517020000":  {2012, 5, 17, 2, 0, 0, false, false},
		"1205170203":    {2012, 5, 17, 2, 3, 0, false, false},
		"991231000000W": {2099, 12, 31, 0, 0, 0, false, true},
	} {
		stamp, ok := ParseTimestamp(text)
		require.True(t, ok, text)
		require.Equal(t, want, stamp)
	}
	for _, text := range []string{
		"", "W", "170102192002X", "170102192002w", "170102192002WW", "1701021920W", "17010219200", "632525252525W", "000000000000",
		"230229000000W", "170431000000S", "171301000000W", "170100000000W", "170102240000W", "170102196000W", "170102192060W",
		"1701021920-1", "170102 92002", "17010219.002", "+70102192002", "170102192.02", "1701021920０",
	} {
		stamp, ok := ParseTimestamp(text)
		require.False(t, ok, text)
		require.Zero(t, stamp)
	}
}

func TestAppendTelegram(t *testing.T) {
	for _, c := range telegrams {
		telegram, _, err := CutTelegram([]byte(c.wire))
		require.NoError(t, err)
		lines := strings.Split(strings.TrimSuffix(string(telegram.Body), "\r\n"), "\r\n")
		identification := telegram.Identification
		if identification == "" {
			identification = "ABC5"
		}
		b := AppendTelegram([]byte("!"), identification, lines)
		again, rest, err := CutTelegram(b[1:])
		require.NoError(t, err)
		require.Empty(t, rest)
		require.True(t, again.Checked)
		require.Equal(t, identification, again.Identification)
		require.Equal(t, telegram.Body, again.Body)
		if c.checked && strings.HasSuffix(c.wire, "\n") {
			require.Equal(t, "!"+c.wire, string(b))
		}
	}
}
