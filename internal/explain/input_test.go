package explain

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseInput(t *testing.T) {
	const want = "7EA02A41088313"
	for _, c := range []struct{ name, text, want string }{
		{"digits", "7EA02A41088313", want},
		{"small letters", "7ea02a41088313\n", want},
		{"blanks", "7E A0 2A  41 08 83 13", want},
		{"tabs and line breaks", "7E\tA0\r\n2A 41\n\n08 83 13\r\n", want},
		{"0x and commas", "0x7E, 0xA0, 0x2A, 0x41, 0x08, 0x83, 0x13", want},
		{"0x without commas", "0x7E 0xA0 0x2A 0x41 0x08 0x83 0x13", want},
		{"0x in front of all", "0x7EA02A41088313", want},
		{"source code", "b := []byte{0x7E, 0xA0, 0x2A, 0x41, 0x08, 0x83, 0x13}", want},
		{"braces", "{0x7E,0xA0,0x2A,0x41,\n0x08,0x83,0x13,}", want},
		{"brackets", "[7E A0 2A 41 08 83 13]", want},
		{"colons", "7E:A0:2A:41:08:83:13", want},
		{"escapes", `"\x7e\xa0\x2a\x41\x08\x83\x13"`, want},
		{"quotes", `'7EA02A41088313'`, want},
		{"zeros left out", "7E A0 2A 41 8 83 13", want},
		{"groups", "7EA0 2A41 0883 13", want},
		{"prefix with time", "[12:03:04] RX: 7E A0 2A 41 08 83 13", want},
		{"prefix with date", "2026-01-01 12:00:00 INFO <- 7EA02A41088313", want},
		{"prefix of decimal words", "2026-01-01T12:00:00.123456Z 42 7 meter 12345678 sent: 7E A0 2A 41 08 83 13", want},
		{"time without brackets", "12:03:04 7E A0 2A 41 08 83 13", want},
		{"time and colons", "12:03:04.567: 7E:A0:2A:41:08:83:13", want},
		{"zone", "2026-01-01 12:00:00+01:00 7EA02A41088313", want},
		{"other dates", "01.02.2026 12:00:00 TX 7E A0 2A\n01/02/2026 12:00:00 TX 41 08 83 13", want},
		{"level and place", "[12:00:00][D][uart_debug:114]: <<< 7E:A0:2A:41:08:83:13", want},
		{"words of hexadecimal letters", "added dead beef: 7E A0 2A 41 08 83 13", want},
		{"length behind", "TX> 7EA02A41088313 (7 bytes)", want},
		{"length in front", "rx 07 bytes: 7E A0 2A 41 08 83 13", want},
		{"two lines of a log", "12:03:04 RX: 7E A0 2A\n12:03:05 RX: 41 08 83 13", want},
		{"one octet behind a mark", "12:03:04 RX: 7E\n12:03:05 <- A02A41088313", want},
		{"comments", "# meter 12345678\n// 99 88 77 66 55\n; 11 22 33 44 55\n7EA02A41088313", want},
		{"words between", "Serial number 12345678, found 42\n7EA02A41088313\nAdded device 12", want},
		{"serial number as digits", "serial 1234567890123456 here\n7EA02A41088313", want},
		{"no ASCII in a comment", "Z\u00e4hler:\n7EA02A41088313", want},
		{"hexdump -C", "00000000  7e a0 2a 41 08 83 13                              |~.*A...|\n00000007\n", want},
		{"xxd", "00000000: 7ea0 2a41 0883 13                        ~.*A...\n", want},
		{"xxd with text of digits", "00000000: 3031 3233 3435 3637 3839 6162 6364 6566  0123456789abcdef\n00000010: 4142                                     AB\n", "303132333435363738396162636465664142"},
		{"od", "0000000 7e a0 2a 41 08 83 13 7e a0 2a 41 08 83 13 7e a0\n0000020 2a\n0000021\n", "7EA02A410883137EA02A410883137EA02A"},
		{"Wireshark", "0000   7e a0 2a 41 08 83 13   ~.*A...\n", want},
		{"no hexdump", "00000000\n7EA02A41088313", "00000000" + want},
		{"JSON", `{"id": "x", "hex": ["7ea02a", "41088313"]}`, want},
		{"JSON, a string", `{"hex": "7ea0 2a41 0883 13"}`, want},
		{"JSON, a list", `["7ea02a", "41088313"]`, want},
		{"JSON, a dialog", `{"hex": ["00"], "dialog": [{"dir": "client", "hex": "7ea02a"}, {"dir": "meter", "hex": "41088313"}]}`, want},
		{"binary", "\x7E\xA0\x2A\x41\x08\x83\x13", want},
		{"record", "# telegraf-dlms record 1\n2026-11-27T23:04:05.123456Z tcp://10.0.0.5:4059 = opened\n" +
			"2026-11-27T23:04:05.123456Z tcp://10.0.0.5:4059 > 7EA02A\n2026-11-27T23:04:05.123456Z tcp://10.0.0.5:4059 < 41088313\n", want},
		{"sign-on in text", "/?!", hexOf("/?!\r\n")},
	} {
		t.Run(c.name, func(t *testing.T) {
			in, err := ParseInput([]byte(c.text))
			require.NoError(t, err)
			require.Equal(t, c.want, strings.ToUpper(hex.EncodeToString(in.Octets)))
			require.Empty(t, in.wrong)
		})
	}
}

func hexOf(s string) string { return strings.ToUpper(hex.EncodeToString([]byte(s))) }

func TestParseInputNothing(t *testing.T) {
	for _, text := range []string{"", "\n", "hello\n", "12:03:04\n2026-01-01\n", "# 7EA0\n", "[12:03:04] INFO started 12 devices in 3 seconds"} {
		_, err := ParseInput([]byte(text))
		require.ErrorIs(t, err, ErrNothing, text)
	}
	for text, want := range map[string]string{
		`{"hex": 5}`:           "JSON without a field hex: a string, or a list of strings, with hexadecimal digits is expected there",
		`{"id": "x"}`:          "JSON without a field hex: a string, or a list of strings, with hexadecimal digits is expected there",
		`{"hex": ["7E", 5]}`:   "JSON without a field hex: a string, or a list of strings, with hexadecimal digits is expected there",
		`{"hex": ["7", "A0"]}`: "JSON: string 1 of hex: encoding/hex: odd length hex string",
	} {
		_, err := ParseInput([]byte(text))
		require.EqualError(t, err, want)
	}
	_, err := ParseInput(make([]byte, MaxInput+1))
	require.ErrorContains(t, err, "at most")
}

func TestInputLine(t *testing.T) {
	in, err := ParseInput([]byte("# comment\n7EA0\n\n[12:03:04] RX: 2A 41 08\n"))
	require.NoError(t, err)
	for offset, want := range []int{2, 2, 4, 4, 4, 0} {
		require.Equal(t, want, in.Line(offset), offset)
	}
	in, err = ParseInput([]byte("7EA0\n7EA\n"))
	require.NoError(t, err)
	require.Equal(t, []wrongLine{{2, "an odd number of hexadecimal digits (3); the last one is left out"}}, in.wrong)
	require.Equal(t, "\x7E\xA0\x7E", string(in.Octets))

	in, err = ParseInput([]byte("# telegraf-dlms record 1\nxx\n2026-11-27T23:04:05Z tcp://a > 7EA0\n2026-11-27T23:04:05Z tcp://a ? 00\n2026-11-27T23:04:05Z tcp://a < 7E0"))
	require.NoError(t, err)
	require.Equal(t, []wrongLine{
		{2, "a time, an endpoint, one of > < = and octets or a note are expected"},
		{4, "octets in hexadecimal digits are expected behind > or <"},
	}, in.wrong, "the last line is torn")
	require.Equal(t, 3, in.Line(0))
}

// The telegram has no CR, as after an editor; its check is made with them.
func TestParseInputTelegram(t *testing.T) {
	in, err := ParseInput([]byte("/ISK5\\2M550T\n\n1-0:1.8.1(000001.000*kWh)\n!0000\n"))
	require.NoError(t, err)
	require.Equal(t, "/ISK5\\2M550T\r\n\r\n1-0:1.8.1(000001.000*kWh)\r\n!0000\r\n", string(in.Octets))
}

// Every capture and session gives its octets, whatever form it has.
func TestParseInputForms(t *testing.T) {
	files, err := filepath.Glob("../../dlms/testdata/captures/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, f := range files {
		data, err := os.ReadFile(f)
		require.NoError(t, err)
		in, err := ParseInput(data)
		require.NoError(t, err)
		require.Equal(t, JSON, in.Form)
		b := in.Octets
		var spaced, log strings.Builder
		for i, c := range b {
			if i%20 == 0 {
				spaced.WriteString("\n")
				log.WriteString("\n2026-01-01 12:00:01,123 [DEBUG] RX: ")
			}
			spaced.WriteString(hexOf(string([]byte{c})) + " ")
			log.WriteString(hexOf(string([]byte{c})) + " ")
		}
		for _, text := range []string{hexOf(string(b)), spaced.String(), log.String(), hex.Dump(b), string(b)} {
			in, err := ParseInput([]byte(text))
			require.NoError(t, err)
			require.Equal(t, b, in.Octets, "%s\n%s", f, text)
		}
	}
}
