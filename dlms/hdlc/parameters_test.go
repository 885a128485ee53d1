package hdlc_test

import (
	"encoding/hex"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/hdlc"
)

func TestParametersAppend(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		p    hdlc.Parameters
		want string
	}{
		{"zero", hdlc.Parameters{}, "8180 12 050180 060180 070400000001 080400000001"},
		{"short", hdlc.Parameters{248, 62, 1, 3}, "8180 12 0501F8 06013E 070400000001 080400000003"},
		{"255", hdlc.Parameters{255, 255, 1, 1}, "8180 12 0501FF 0601FF 070400000001 080400000001"},
		{"one above 255", hdlc.Parameters{128, 256, 1, 1}, "8180 14 05020080 06020100 070400000001 080400000001"},
		{"long", hdlc.Parameters{2030, 2030, 1, 7}, "8180 14 050207EE 060207EE 070400000001 080400000007"},
		{"absurd", hdlc.Parameters{31, 65535, 0, 8}, "8180 14 05020080 060207EE 070400000001 080400000007"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := tt.p.Append([]byte{0x55})
			require.Equal(t, strings.ToLower("55"+strings.ReplaceAll(tt.want, " ", "")), hex.EncodeToString(b))
			_, err := hdlc.ParseParameters(b[1:])
			require.NoError(t, err)
			for n := 1; n < len(b)-1; n++ {
				_, err := hdlc.ParseParameters(b[1 : 1+n])
				require.ErrorIs(t, err, io.ErrUnexpectedEOF, "prefix of %d octets", n)
			}
		})
	}
	require.Equal(t, unhex(t, "8180 14 050200F8 0602003E 070400000001 080400000003"), hdlc.Parameters{248, 62, 1, 3}.AppendLong(nil))
}

func TestParametersDefault(t *testing.T) {
	t.Parallel()
	require.True(t, hdlc.Parameters{}.IsDefault())
	require.True(t, hdlc.DefaultParameters().IsDefault())
	require.False(t, hdlc.Parameters{MaxInfoReceive: 129}.IsDefault())
	require.False(t, hdlc.Parameters{WindowTransmit: 2}.IsDefault())
}

func TestParseParameters(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		in   string
		want hdlc.Parameters
	}{
		{"empty", "", hdlc.Parameters{128, 128, 1, 1}},
		{"group without parameters", "8180 00", hdlc.Parameters{128, 128, 1, 1}},
		{"values of 1 octet", "8180 12 05019A 06013E 070400000001 080400000003", hdlc.Parameters{154, 62, 1, 3}},
		{"values of 2 octets", "8180 14 05020080 06020400 070400000001 080400000001", hdlc.Parameters{128, 1024, 1, 1}},
		{"windows of 1 and 2 octets", "8180 0D 050180 060180 070102 08020003", hdlc.Parameters{128, 128, 2, 3}},
		{"sizes of 4 octets", "8180 0C 050400000100 060400000200", hdlc.Parameters{256, 512, 1, 1}},
		{"sizes of 3 octets", "8180 05 0503000100", hdlc.Parameters{256, 128, 1, 1}},
		{"only one", "8180 03 06013E", hdlc.Parameters{128, 62, 1, 1}},
		{"values without octets", "8180 08 0500 0600 0700 0800", hdlc.Parameters{128, 128, 1, 1}},
		{"a value of 5 octets", "8180 0A 05050000000100 060140", hdlc.Parameters{128, 64, 1, 1}},
		{"zero", "8180 12 050100 060100 070400000000 080400000000", hdlc.Parameters{128, 128, 1, 1}},
		{"below 32", "8180 06 05011F 06010A", hdlc.Parameters{128, 128, 1, 1}},
		{"at the limits", "8180 07 050120 060207EE", hdlc.Parameters{32, 2030, 1, 1}},
		{"absurdly large", "8180 14 0502FFFF 060207FF 070400010000 0804FFFFFFFF", hdlc.Parameters{2030, 2030, 7, 7}},
		{"unknown parameter", "8180 0A 0904DEADBEEF 0602003E", hdlc.Parameters{128, 62, 1, 1}},
		{"user group", "8180 03 05019A F0 03 010203", hdlc.Parameters{154, 128, 1, 1}},
		{"user group first", "81 F0 03 050120 80 03 05019A", hdlc.Parameters{154, 128, 1, 1}},
		{"user group without length", "8180 03 05019A F0 44", hdlc.Parameters{154, 128, 1, 1}},
		{"unknown group", "81 85 02 0102 80 03 05019A", hdlc.Parameters{154, 128, 1, 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := hdlc.ParseParameters(unhex(t, tt.in))
			require.NoError(t, err)
			require.Equal(t, tt.want, got)
		})
	}
}

func TestParseParametersErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		in   string
		want hdlc.Parameters // what was read before the error
		err  string
	}{
		{"other format", "82 80 03 05019A", hdlc.Parameters{128, 128, 1, 1}, "HDLC parameters begin with 82, format identifier 81 expected"},
		{"format alone", "81", hdlc.Parameters{128, 128, 1, 1}, "unexpected EOF"},
		{"group exceeds the field", "8180 14 05019A 06013E", hdlc.Parameters{154, 62, 1, 1}, "unexpected EOF"},
		{"parameter exceeds the group", "8180 06 05019A 06043E", hdlc.Parameters{154, 128, 1, 1}, "unexpected EOF"},
		{"unknown group exceeds the field", "8180 03 05019A 85 09 01", hdlc.Parameters{154, 128, 1, 1}, "unexpected EOF"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := hdlc.ParseParameters(unhex(t, tt.in))
			require.EqualError(t, err, tt.err)
			require.Equal(t, tt.want, got)
		})
	}
}

func TestUserData(t *testing.T) {
	title := "4D4D4D0000BC614E"
	for field, want := range map[string]string{
		"":                         "",
		"818000":                   "",
		"8180030501F2F008" + title: title,
		"81F008" + title:           title,
		"81F0" + title:             title, // without a length
		"81800C050180060180070101080101F008" + title: title,
		"8280F008" + title:                           "",
		"818009F008":                                 "", // the first group ends too early
		"81F0":                                       "",
	} {
		require.Equal(t, want, strings.ToUpper(hex.EncodeToString(hdlc.UserData(unhex(t, field)))), field)
	}
}
