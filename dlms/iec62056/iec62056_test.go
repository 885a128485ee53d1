package iec62056

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRequest(t *testing.T) {
	b, err := AppendRequest(nil, "")
	require.NoError(t, err)
	require.Equal(t, "/?!\r\n", string(b))
	b, err = AppendRequest(nil, "12345678")
	require.NoError(t, err)
	require.Equal(t, "/?12345678!\r\n", string(b))
	for _, address := range []string{strings.Repeat("1", 33), "1!", "\r", "ä"} {
		_, err := AppendRequest(nil, address)
		require.Error(t, err, address)
	}
}

var identifications = []struct {
	text string
	want Identification
	hdlc bool
	fast bool
}{
	{"/APA5\\2NORAX30\r\n", Identification{Maker: "APA", Baud: '5', Modes: "2", Text: "NORAX30"}, true, false},
	{"/XXX5\\2ident\r\n", Identification{Maker: "XXX", Baud: '5', Modes: "2", Text: "ident"}, true, false},
	{"/LGz4\\2ZMD3104107.B32\r\n", Identification{Maker: "LGz", Baud: '4', Modes: "2", Text: "ZMD3104107.B32"}, true, true},
	{"/EMH5\\@201LZQJL0013F\r\n", Identification{Maker: "EMH", Baud: '5', Modes: "@", Text: "201LZQJL0013F"}, false, false},
	{"/ABC6\\@\\2x\r\n", Identification{Maker: "ABC", Baud: '6', Modes: "@2", Text: "x"}, true, false},
	{"/ISk5MT174-0001\r\n", Identification{Maker: "ISk", Baud: '5', Text: "MT174-0001"}, false, true},
	{"/XYZ0\n", Identification{Maker: "XYZ", Baud: '0'}, false, false},
}

func TestIdentification(t *testing.T) {
	for _, c := range identifications {
		id, rest, err := CutIdentification([]byte(c.text + "more"))
		require.NoError(t, err, c.text)
		require.Equal(t, c.want, id)
		require.Equal(t, "more", string(rest))
		require.Equal(t, c.hdlc, id.HDLC())
		require.Equal(t, c.fast, id.Fast())
		require.Equal(t, strings.TrimRight(c.text, "\r\n"), id.String())
		for n := range c.text {
			_, rest, err := CutIdentification([]byte(c.text[:n]))
			require.ErrorIs(t, err, io.ErrUnexpectedEOF, c.text[:n])
			require.Equal(t, c.text[:n], string(rest))
		}
	}
	// Noise, a request of our own that comes back, and lines that are none.
	id, _, err := CutIdentification([]byte("\x00\x7f/?!\r\n/12\r\n//\x01\r\n/APA5\\2NORAX30\r\n"))
	require.NoError(t, err)
	require.Equal(t, "APA", id.Maker)
	_, rest, err := CutIdentification([]byte(strings.Repeat("/", 1000)))
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.LessOrEqual(t, len(rest), maxLine)
}

func TestReadout(t *testing.T) {
	text := "\x020-0:C.1.0(0012345678)\r\n1-0:1.8.0(000123.456*kWh)"
	_, _, err := CutIdentification([]byte("\x7f" + text))
	var readout *ReadoutError
	require.ErrorAs(t, err, &readout)
	require.Equal(t, text[:32], string(readout.First))
	require.ErrorContains(t, err, "ASCII readout")
}

func TestSpeeds(t *testing.T) {
	for z, want := range map[byte]int{'0': 300, '5': 9600, '6': 19200, '7': 0, 'A': 0, '/': 0} {
		require.Equal(t, want, Speed(z), "%c", z)
	}
	for _, c := range []struct {
		offered byte
		limit   int
		want    byte
	}{{'5', 0, '5'}, {'6', 9600, '5'}, {'3', 9600, '3'}, {'5', 300, '0'}, {'5', 1000, '1'}, {'9', 0, '0'}, {'0', 9600, '0'}} {
		require.Equal(t, c.want, ChooseSpeed(c.offered, c.limit), "%v", c)
	}
}

func TestMessages(t *testing.T) {
	require.Equal(t, []byte{0x06, 0x32, 0x35, 0x32, 0x0D, 0x0A}, AppendModeE(nil, '5'))
	require.Equal(t, []byte{0x01, 0x42, 0x30, 0x03, 0x71}, AppendBreak(nil))
	// In software the request is AF 3F 21 8D 0A, the acknowledgement 06 B2 35 B2 8D 0A.
	b := []byte("/?!\r\n")
	SetParity(b)
	require.Equal(t, []byte{0xAF, 0x3F, 0x21, 0x8D, 0x0A}, b)
	StripParity(b)
	require.Equal(t, "/?!\r\n", string(b))
	b = AppendModeE(nil, '5')
	SetParity(b)
	require.Equal(t, []byte{0x06, 0xB2, 0x35, 0xB2, 0x8D, 0x0A}, b)
}

func FuzzIdentification(f *testing.F) {
	for _, c := range identifications {
		f.Add([]byte(c.text))
	}
	f.Add([]byte("\x02"))
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		id, rest, err := CutIdentification(b)
		require.Equal(t, before, b)
		require.LessOrEqual(t, len(rest), len(b))
		var readout *ReadoutError
		switch {
		case errors.As(err, &readout):
		case err != nil:
			require.ErrorIs(t, err, io.ErrUnexpectedEOF)
			require.LessOrEqual(t, len(rest), maxLine)
		default:
			again, _, err := CutIdentification([]byte(id.String() + "\r\n"))
			require.NoError(t, err)
			require.Equal(t, id, again)
			require.LessOrEqual(t, Speed(ChooseSpeed(id.Baud, 0)), 19200)
		}
	})
}
