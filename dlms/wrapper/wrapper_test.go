package wrapper_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/wrapper"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	require.NoError(t, err)
	return b
}

func TestGolden(t *testing.T) {
	t.Parallel()
	wire := unhex(t, "0001 0010 0001 000D C001C100080000010000FF0200")
	apdu := unhex(t, "C001C100080000010000FF0200")

	b, err := wrapper.Append([]byte{0x55}, 16, 1, apdu)
	require.NoError(t, err)
	require.Equal(t, append([]byte{0x55}, wire...), b)

	h, got, rest, err := wrapper.Cut(wire)
	require.NoError(t, err)
	require.Equal(t, wrapper.Header{Source: 16, Destination: 1, Length: 13}, h)
	require.Equal(t, apdu, got)
	require.Empty(t, rest)

	for n := range wire {
		h, got, rest, err := wrapper.Cut(wire[:n])
		require.ErrorIs(t, err, io.ErrUnexpectedEOF, "prefix of %d octets", n)
		require.Nil(t, got)
		require.Len(t, rest, n)
		if n < wrapper.HeaderLength {
			require.Zero(t, h)
		} else {
			require.Equal(t, 13, h.Length)
		}
	}
}

func TestSeveralAPDUs(t *testing.T) {
	t.Parallel()
	var b []byte
	want := []string{"first", "", "third"}
	for _, apdu := range want {
		var err error
		b, err = wrapper.Append(b, 1, 16, []byte(apdu))
		require.NoError(t, err)
	}
	b = append(b, 0, 1, 0)
	for _, apdu := range want {
		var got []byte
		var err error
		_, got, b, err = wrapper.Cut(b)
		require.NoError(t, err)
		require.NotNil(t, got)
		require.Equal(t, apdu, string(got))
		require.Equal(t, len(got), cap(got), "appending to an APDU would overwrite the next one")
	}
	_, _, rest, err := wrapper.Cut(b)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.Equal(t, []byte{0, 1, 0}, rest)
}

func TestLengths(t *testing.T) {
	t.Parallel()
	b, err := wrapper.Append(nil, 0xFFFF, 0, make([]byte, wrapper.MaxLength))
	require.NoError(t, err)
	h, apdu, rest, err := wrapper.Cut(b)
	require.NoError(t, err)
	require.Equal(t, wrapper.Header{Source: 0xFFFF, Length: wrapper.MaxLength}, h)
	require.Len(t, apdu, wrapper.MaxLength)
	require.Empty(t, rest)

	b, err = wrapper.Append([]byte{1}, 16, 1, make([]byte, wrapper.MaxLength+1))
	require.EqualError(t, err, "APDU of 65536 octets does not fit the wrapper (at most 65535)")
	require.Equal(t, []byte{1}, b)
}

func TestFormatErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		in   []byte
		want string
	}{
		{"HDLC", unhex(t, "7EA00721037301407E"), "wrapper version 00 01 expected, but 7E A0 07 21 03 73 01 40 7E received"},
		{"text", []byte("HTTP/1.1 400 Bad Request"), "wrapper version 00 01 expected, but 48 54 54 50 2F 31 2E 31 20 34 30 30 20 42 61 64 received"},
		{"version 2", unhex(t, "0002001000010000"), "wrapper version 00 01 expected, but 00 02 00 10 00 01 00 00 received"},
		{"first octet", unhex(t, "01"), "wrapper version 00 01 expected, but 01 received"},
		{"second octet", unhex(t, "0000"), "wrapper version 00 01 expected, but 00 00 received"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, apdu, rest, err := wrapper.Cut(tt.in)
			var formatErr *wrapper.FormatError
			require.ErrorAs(t, err, &formatErr)
			require.EqualError(t, err, tt.want)
			require.Nil(t, apdu)
			require.Equal(t, tt.in, rest)

			// The octets are the error's own.
			in := bytes.Clone(tt.in)
			_, _, _, err = wrapper.Cut(in)
			clear(in)
			require.EqualError(t, err, tt.want)
		})
	}
}

func FuzzWrapper(f *testing.F) {
	f.Add(unhex(f, "0001 0010 0001 000D C001C100080000010000FF0200"))
	f.Add(unhex(f, "0001 0010 0001 0000 0001 0001 0010 0001 55"))
	f.Add(unhex(f, "0001 0010 0001 FFFF 00"))
	f.Add(unhex(f, "7EA00721037301407E"))
	f.Fuzz(func(t *testing.T, in []byte) {
		b := in
		for range len(in) + 1 {
			h, apdu, rest, err := wrapper.Cut(b)
			require.True(t, bytes.HasSuffix(b, rest))
			var formatErr *wrapper.FormatError
			switch {
			case errors.As(err, &formatErr):
				require.NotEmpty(t, err.Error())
				require.LessOrEqual(t, len(formatErr.First), 16)
				return
			case err != nil:
				require.ErrorIs(t, err, io.ErrUnexpectedEOF)
				require.Len(t, rest, len(b))
				require.Less(t, len(b), wrapper.HeaderLength+wrapper.MaxLength)
				return
			}
			require.Len(t, apdu, h.Length)
			again, err := wrapper.Append(nil, h.Source, h.Destination, apdu)
			require.NoError(t, err)
			require.Equal(t, b[:len(b)-len(rest)], again)
			b = rest
		}
		require.Fail(t, "more APDUs than octets")
	})
}

func TestAllocations(t *testing.T) {
	apdu := make([]byte, 500)
	buf := make([]byte, 0, 600)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		b, err := wrapper.Append(buf, 16, 1, apdu)
		if err != nil {
			t.Error(err)
		}
		if _, _, _, err := wrapper.Cut(b); err != nil {
			t.Error(err)
		}
	}))
}
