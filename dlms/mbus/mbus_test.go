package mbus_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/mbus"
)

func octets(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	require.NoError(t, err)
	return b
}

// published is the message of a documentation that a meter sends in one frame.
const published = "68 5D 5D 68 53 FF 10 01 67 DB08454C5365700000014D200000541FE2A330AD29E0D68C09365BA286DBF3A7DF14B7790E14D1556AB974B27EC5847D11936DB5191DD0F489BA768C2DBB68F6B001E304C21FEA147E0B2E2CA1B91D574DF4F7F582CEBE92 83 16"

func fragment(ci uint8, data string) mbus.Frame {
	return mbus.Frame{Control: 0x53, Address: 0xFF, CI: ci, Data: append([]byte{1, 0x67}, data...)}
}

func TestPublishedFrame(t *testing.T) {
	b := octets(t, published)
	f, rest, err := mbus.CutFrame(append(bytes.Clone(b), 0x68))
	require.NoError(t, err)
	require.Equal(t, []byte{0x68}, rest)
	require.Equal(t, uint8(0x53), f.Control)
	require.Equal(t, uint8(0xFF), f.Address)
	require.Equal(t, b, f.Append(nil))
	j := mbus.Joiner{Max: 1000}
	message, err := j.Add(f)
	require.NoError(t, err)
	require.Equal(t, b[9:len(b)-2], message)
	require.Equal(t, [2]uint8{1, 0x67}, j.SAPs)
	for n := range b {
		_, rest, err := mbus.CutFrame(b[:n])
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		require.Equal(t, b[:n], rest)
	}
	for i := range b {
		c := bytes.Clone(b)
		c[i] ^= 0x20
		_, rest, err := mbus.CutFrame(c)
		require.Error(t, err, "octet %d", i)
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			require.Less(t, len(rest), len(c))
		}
	}
}

func TestShortFramesAndNoise(t *testing.T) {
	b := octets(t, "E5 00 10 40 01 41 16")
	_, rest, err := mbus.CutFrame(b)
	require.EqualError(t, err, "M-Bus: 2 octets that begin no frame")
	f, rest, err := mbus.CutFrame(rest)
	require.NoError(t, err)
	require.Empty(t, rest)
	require.Equal(t, mbus.Frame{Short: true, Control: 0x40, Address: 1}, f)
	require.Equal(t, b[2:], f.Append(nil))
	var j mbus.Joiner
	message, err := j.Add(f)
	require.NoError(t, err)
	require.Nil(t, message)
	_, rest, err = mbus.CutFrame(octets(t, "10 40 01 42 16"))
	require.EqualError(t, err, "M-Bus: the sum is 42, 41 was expected, or 16 is not where the frame should end")
	require.Len(t, rest, 4)
	_, _, err = mbus.CutFrame(octets(t, "68 05 06"))
	require.EqualError(t, err, "M-Bus: 68 without a length that is there twice")
}

func TestLengthThatHasOverflowed(t *testing.T) {
	for _, size := range []int{252, 253, 254, 260} { // octets behind the CI field, 2 of them addresses
		f := fragment(0x10, strings.Repeat("x", size-2))
		b := f.Append(nil)
		for n := range b {
			_, _, err := mbus.CutFrame(b[:n])
			require.ErrorIs(t, err, io.ErrUnexpectedEOF, "%d of %d octets", n, len(b))
		}
		got, rest, err := mbus.CutFrame(append(b, 0xAA))
		require.NoError(t, err)
		require.Equal(t, f, got)
		require.Equal(t, []byte{0xAA}, rest)
	}
}

func TestJoiner(t *testing.T) {
	for _, c := range []struct {
		name   string
		frames []mbus.Frame
		want   []string // "" nothing, "!" an error
	}{
		{"two", []mbus.Frame{fragment(0, "ab"), fragment(0x11, "cd")}, []string{"", "abcd"}},
		{"short frames between", []mbus.Frame{fragment(0, "ab"), {Short: true, Control: 0x40}, fragment(0x11, "cd")}, []string{"", "", "abcd"}},
		{"begins anew", []mbus.Frame{fragment(0, "ab"), fragment(0, "xy"), fragment(0x11, "z")}, []string{"", "", "xyz"}},
		{"one twice", []mbus.Frame{fragment(0, "a"), fragment(1, "b"), fragment(1, "b"), fragment(0x12, "c")}, []string{"", "", "", "abc"}},
		{"one lost", []mbus.Frame{fragment(0, "a"), fragment(0x12, "c"), fragment(0x10, "x")}, []string{"", "!", "x"}},
		{"begins in the middle", []mbus.Frame{fragment(1, "b"), fragment(0x12, "c")}, []string{"!", "!"}},
		{"not of DLMS", []mbus.Frame{fragment(0x72, "b")}, []string{"!"}},
		{"without addresses", []mbus.Frame{{CI: 0x10, Data: []byte{1}}}, []string{"!"}},
		{"too much", []mbus.Frame{fragment(0, "12345"), fragment(1, "6789012345"), fragment(0x10, "ok")}, []string{"", "!", "ok"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			j := mbus.Joiner{Max: 10}
			for i, f := range c.frames {
				message, err := j.Add(f)
				if c.want[i] == "!" {
					var fragment *mbus.FragmentError
					require.ErrorAs(t, err, &fragment, "frame %d", i)
					require.NotEmpty(t, err.Error())
					continue
				}
				require.NoError(t, err, "frame %d", i)
				require.Equal(t, c.want[i], string(message), "frame %d", i)
			}
			require.False(t, j.Pending())
		})
	}
	j := mbus.Joiner{Max: 1000}
	for i := range 40 { // the number has four bits
		ci := uint8(i & 0x0F)
		if i == 0 || ci != 0 {
			_, err := j.Add(fragment(ci, "x"))
			require.NoError(t, err)
		}
		if i == 15 {
			break
		}
	}
	require.True(t, j.Reset())
	require.False(t, j.Reset())
}

func FuzzFrame(f *testing.F) {
	f.Add(octets(f, published))
	f.Add(octets(f, "10 40 01 41 16"))
	f.Add(fragment(0x10, strings.Repeat("x", 252)).Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		j := mbus.Joiner{Max: 300}
		for len(b) > 0 {
			frame, rest, err := mbus.CutFrame(b)
			if errors.Is(err, io.ErrUnexpectedEOF) {
				require.LessOrEqual(t, len(rest), mbus.MaxFrame)
				return
			}
			require.Less(t, len(rest), len(b))
			if err == nil {
				again, none, err := mbus.CutFrame(frame.Append(nil))
				require.NoError(t, err)
				require.Empty(t, none)
				require.Equal(t, frame, again)
				message, _ := j.Add(frame)
				require.LessOrEqual(t, len(message), 300)
			}
			b = rest
		}
	})
}
