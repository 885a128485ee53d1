package acse

import (
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type aarqCase struct {
	name   string
	hex    string
	want   func(t testing.TB) AARQ
	oneWay bool // the encoder writes another form
}

var aarqCases = []aarqCase{
	{
		name: "no security",
		hex:  "601D A109060760857405080101 BE10040E 01000000065F1F0400001E1DFFFF",
		want: func(t testing.TB) AARQ {
			return AARQ{Context: LN, UserInformation: octets(t, "01000000065F1F0400001E1DFFFF")}
		},
	},
	{
		name: "password",
		hex: "6036 A109060760857405080101 8A020780 8B0760857405080201 AC0A80083132333435363738" +
			"BE10040E 01000000065F1F0400007E1F04B0",
		want: func(t testing.TB) AARQ {
			return AARQ{
				Context: LN, Mechanism: Low, AuthenticationValue: []byte("12345678"),
				UserInformation: octets(t, "01000000065F1F0400007E1F04B0"),
			}
		},
	},
	{
		name: "password, recorded",
		hex:  "6036a1090607608574050801018a0207808b0760857405080201ac0a80083030303030303031be10040e01000000065f1f040000181f0200",
		want: func(t testing.TB) AARQ {
			return AARQ{
				Context: LN, Mechanism: Low, AuthenticationValue: []byte("00000001"),
				UserInformation: octets(t, "01000000065f1f040000181f0200"),
			}
		},
	},
	{
		name: "empty password",
		hex:  "601C A109060760857405080101 8A020780 8B0760857405080201 AC028000",
		want: func(testing.TB) AARQ {
			return AARQ{Context: LN, Mechanism: Low, AuthenticationValue: []byte{}}
		},
	},
	{
		name: "ciphered with title",
		hex: "6066 A109060760857405080103 A60A04084D4D4D0000BC614E 8A020780 8B0760857405080201" +
			"AC0A80083132333435363738 BE340432 213030 01234567 801302FF8A7874133D414CED25B42534D28DB0047720606B175BD52211BE" +
			"6841DB204D39EE6FDB8E356855",
		want: func(t testing.TB) AARQ {
			return AARQ{
				Context: LNCiphered, CallingTitle: octets(t, "4D4D4D0000BC614E"), Mechanism: Low,
				AuthenticationValue: []byte("12345678"),
				UserInformation: octets(t, "213030 01234567 801302FF8A7874133D414CED25B42534D28DB0047720606B175BD52211BE"+
					"6841DB204D39EE6FDB8E356855"),
			}
		},
	},
	{
		name: "GMAC, recorded",
		hex: "604aa109060760857405080101a60a040830303030303030308a0207808b0760857405080205ac128010640d3b4e48222f58221651" +
			"2a3b080379be10040e01000000065f1f0400621e5dffff",
		want: func(t testing.TB) AARQ {
			return AARQ{
				Context: LN, CallingTitle: []byte("00000000"), Mechanism: HLSGMAC,
				AuthenticationValue: octets(t, "640d3b4e48222f582216512a3b080379"),
				UserInformation:     octets(t, "01000000065f1f0400621e5dffff"),
			}
		},
	},
	{
		name: "all fields",
		hex: "6035 A109060760857405080103 A60404024142 A705 0403 010203 A9 03 0201 FE 8A020780 8B0760857405080207" +
			"AC0480025152 BE03040108",
		want: func(testing.TB) AARQ {
			return AARQ{
				Context: LNCiphered, CallingTitle: []byte("AB"), CallingQualifier: []byte{1, 2, 3}, CallingUserID: 254,
				HasCallingUserID: true, Mechanism: HLSECDSA, AuthenticationValue: []byte("QR"), UserInformation: []byte{8},
			}
		},
	},
	{
		name:   "protocol-version and short names, recorded",
		oneWay: true,
		hex:    "602080020780a109060760857405080102be0f040d01000000065f04001c13200000",
		want: func(t testing.TB) AARQ {
			return AARQ{Context: SN, UserInformation: octets(t, "01000000065f04001c13200000")}
		},
	},
	{
		name:   "other order, unknown fields, long lengths",
		oneWay: true,
		hex: "6030 BE8103 0401 01 BD020500 BF8F010101 A4820004 04020102 A109060760857405080101 8002 0284 A904 020200FF" +
			"8A020780",
		want: func(testing.TB) AARQ {
			return AARQ{Context: LN, UserInformation: []byte{1}, CallingUserID: 255, HasCallingUserID: true}
		},
	},
	{
		name:   "foreign names",
		oneWay: true,
		hex:    "6010 A1050603550406 8B0760857405080181",
		want:   func(testing.TB) AARQ { return AARQ{Mechanism: MechanismForeign} },
	},
	{
		name:   "nothing",
		oneWay: true,
		hex:    "6000",
		want:   func(testing.TB) AARQ { return AARQ{} },
	},
}

func TestAARQ(t *testing.T) {
	for _, c := range aarqCases {
		t.Run(c.name, func(t *testing.T) {
			b, want := octets(t, c.hex), c.want(t)
			got, err := ParseAARQ(b)
			require.NoError(t, err)
			assert.Equal(t, want, got)
			if !c.oneWay {
				out, err := want.Append([]byte{0xEE})
				require.NoError(t, err)
				assert.Equal(t, append([]byte{0xEE}, b...), out)
			}
			for n := range b {
				_, err := ParseAARQ(b[:n])
				require.ErrorIs(t, err, io.ErrUnexpectedEOF, "%d octets", n)
			}
		})
	}
}
