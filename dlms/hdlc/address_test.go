package hdlc_test

import (
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/hdlc"
)

func TestAddressOctets(t *testing.T) {
	t.Parallel()
	tests := []struct {
		logical, physical uint16
		size              int
		wire              string
		text              string
	}{
		{1, 0, 0, "03", "1"},
		{127, 0, 0, "ff", "127"},
		{16, 0, 1, "21", "16"},
		{102, 0, 1, "cd", "102"},
		{128, 0, 0, "02000001", "128/0"},
		{1, 0, 2, "0201", "1/0"},
		{1, 17, 0, "0223", "1/17"},
		{1, 127, 0, "02ff", "1/127"},
		{1, 128, 0, "00020201", "1/128"},
		{1, 255, 0, "000202ff", "1/255"},
		{1, 256, 0, "00020401", "1/256"},
		{1, 17, 4, "00020023", "1/17"},
		{0x1234, 0x3FFF, 0, "4868feff", "4660/16383"},
		{16383, 16383, 4, "fefefeff", "16383/16383"},
	}
	for _, tt := range tests {
		t.Run(tt.wire, func(t *testing.T) {
			t.Parallel()
			a := server(t, tt.logical, tt.physical, tt.size)
			require.Equal(t, tt.wire, hex.EncodeToString(a.Append(nil)))
			require.Equal(t, tt.text, a.String())

			for _, f := range []hdlc.Frame{
				{Destination: a, Source: client(16), Control: hdlc.ReceiveReady(3, true)},
				{Destination: client(16), Source: a, Control: hdlc.ReceiveReady(3, true)},
				{Destination: a, Source: a, Control: hdlc.ReceiveReady(3, true), Info: []byte{1}},
			} {
				b, err := f.Append(nil)
				require.NoError(t, err)
				got, _, err := hdlc.CutFrame(b)
				require.NoError(t, err)
				require.Equal(t, f, got)
			}
		})
	}
}

func TestAddressLimits(t *testing.T) {
	t.Parallel()
	tests := []struct {
		logical, physical uint16
		size              int
		want              string
	}{
		{1, 17, 1, "HDLC address of 1 octet has no room for physical address 17"},
		{128, 0, 1, "address 128 does not fit an HDLC address of 1 octets (0 to 127)"},
		{128, 1, 2, "address 128 does not fit an HDLC address of 2 octets (0 to 127)"},
		{1, 128, 2, "physical address 128 does not fit an HDLC address of 2 octets (0 to 127)"},
		{16384, 1, 0, "address 16384 does not fit an HDLC address of 4 octets (0 to 16383)"},
		{1, 16384, 0, "physical address 16384 does not fit an HDLC address of 4 octets (0 to 16383)"},
		{1, 1, 3, "HDLC address of 3 octets: only 1, 2 and 4 are defined"},
		{1, 1, -1, "HDLC address of -1 octets: only 1, 2 and 4 are defined"},
	}
	for _, tt := range tests {
		_, err := hdlc.ServerAddress(tt.logical, tt.physical, tt.size)
		require.EqualError(t, err, tt.want)
	}
}

func TestAddressSame(t *testing.T) {
	t.Parallel()
	require.True(t, server(t, 1, 17, 2).Same(server(t, 1, 17, 4)))
	require.True(t, server(t, 1, 0, 1).Same(server(t, 1, 0, 4)))
	require.False(t, server(t, 1, 17, 2).Same(server(t, 1, 18, 2)))
	require.False(t, server(t, 1, 17, 2).Same(server(t, 2, 17, 2)))
	require.True(t, hdlc.Address{Upper: 5}.Same(client(5)))
}
