package xdlms

import (
	"bytes"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestGateway(t *testing.T) {
	g := Gateway{Network: 2, Device: []byte("1234")}
	b, err := g.Append([]byte{0xFF}, TagGatewayRequest)
	require.NoError(t, err)
	require.Equal(t, []byte{0xFF, 0xE6, 2, 4, '1', '2', '3', '4'}, b)

	apdu := append(b[1:], 0xC0, 1)
	got, rest, ok, err := CutGateway(apdu, TagGatewayRequest)
	require.NoError(t, err)
	require.True(t, ok)
	require.True(t, g.Equal(got))
	require.False(t, g.Equal(Gateway{Network: 3, Device: g.Device}))
	require.False(t, g.Equal(Gateway{Network: 2, Device: []byte("123")}))
	require.Equal(t, []byte{0xC0, 1}, rest)

	_, rest, ok, err = CutGateway(apdu, TagGatewayResponse)
	require.NoError(t, err)
	require.False(t, ok)
	require.Equal(t, apdu, rest)
	_, _, ok, err = CutGateway(nil, TagGatewayResponse)
	require.NoError(t, err)
	require.False(t, ok)

	for n := 1; n < len(apdu)-1; n++ {
		_, _, ok, err := CutGateway(apdu[:n], TagGatewayRequest)
		require.True(t, ok)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF, "%d octets", n)
	}

	_, err = Gateway{Device: make([]byte, MaxGatewayDevice+1)}.Append(nil, TagGatewayRequest)
	require.ErrorContains(t, err, "256 octets, at most 255")
}

func FuzzGateway(f *testing.F) {
	f.Add([]byte{0xE7, 1, 0, 0xC4})
	f.Add([]byte{0xE7, 1, 2, 3, 4, 0xC4})
	f.Add([]byte{0xE7, 1, 255})
	f.Fuzz(func(t *testing.T, b []byte) {
		g, rest, ok, err := CutGateway(b, TagGatewayResponse)
		if !ok || err != nil {
			return
		}
		if len(rest) == 0 {
			t.Fatal("an APDU of no octets")
		}
		again, err := g.Append(nil, TagGatewayResponse)
		if err != nil || !bytes.Equal(append(again, rest...), b) {
			t.Fatalf("%X became %X %X (%v)", b, again, rest, err)
		}
	})
}
