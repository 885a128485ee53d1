package acse

import (
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type aareCase struct {
	name   string
	hex    string
	want   func(t testing.TB) AARE
	oneWay bool
}

var aareCases = []aareCase{
	{
		name: "accepted",
		hex:  "6129 A109060760857405080101 A203020100 A305A103020100 BE10040E 0800065F1F0400001E1D04C80007",
		want: func(t testing.TB) AARE {
			return AARE{
				Context: LN, Diagnostic: Diagnostic{Source: ServiceUser},
				UserInformation: octets(t, "0800065F1F0400001E1D04C80007"), HasUserInformation: true,
			}
		},
	},
	{
		name: "accepted, recorded",
		hex:  "6129a109060760857405080101a203020100a305a103020100be10040e0800065f1f040000101400f00007",
		want: func(t testing.TB) AARE {
			return AARE{
				Context: LN, Diagnostic: Diagnostic{Source: ServiceUser},
				UserInformation: octets(t, "0800065f1f040000101400f00007"), HasUserInformation: true,
			}
		},
	},
	{
		name: "accepted, short names, recorded",
		hex:  "6128a109060760857405080102a203020100a305a103020100be0f040d0800065f04001802200960fa00",
		want: func(t testing.TB) AARE {
			return AARE{
				Context: SN, Diagnostic: Diagnostic{Source: ServiceUser},
				UserInformation: octets(t, "0800065f04001802200960fa00"), HasUserInformation: true,
			}
		},
	},
	{
		name: "wrong password",
		hex:  "6129 A109060760857405080101 A203020101 A305A10302010D BE10040E 0800065F1F040000501F01F40007",
		want: func(t testing.TB) AARE {
			return AARE{
				Context: LN, Result: RejectedPermanent,
				Diagnostic:      Diagnostic{Source: ServiceUser, Code: DiagnosticAuthenticationFailure},
				UserInformation: octets(t, "0800065F1F040000501F01F40007"), HasUserInformation: true,
			}
		},
	},
	{
		name: "wrong password without user-information, recorded",
		hex:  "6117a109060760857405080101a203020101a305a10302010d",
		want: func(testing.TB) AARE {
			return AARE{
				Context: LN, Result: RejectedPermanent,
				Diagnostic: Diagnostic{Source: ServiceUser, Code: DiagnosticAuthenticationFailure},
			}
		},
	},
	{
		name: "authentication goes on",
		hex: "6142 A109060760857405080101 A203020100 A305A10302010E 88020780 890760857405080205 AA0A8008503677524A323146" +
			"BE10040E 0800065F1F040000501F01F40007",
		want: func(t testing.TB) AARE {
			return AARE{
				Context: LN, Diagnostic: Diagnostic{Source: ServiceUser, Code: DiagnosticAuthenticationRequired},
				Mechanism: HLSGMAC, AuthenticationValue: octets(t, "503677524A323146"),
				UserInformation: octets(t, "0800065F1F040000501F01F40007"), HasUserInformation: true,
			}
		},
	},
	{
		name: "authentication goes on, with title, recorded",
		hex: "6156a109060760857405080101a203020100a305a10302010ea40a0408414243313233343588020780890760857405080205aa1280" +
			"106438596a362650173f5c183158305a68be10040e0800065f1f040000001d04000007",
		want: func(t testing.TB) AARE {
			return AARE{
				Context: LN, Diagnostic: Diagnostic{Source: ServiceUser, Code: DiagnosticAuthenticationRequired},
				RespondingTitle: []byte("ABC12345"), Mechanism: HLSGMAC,
				AuthenticationValue: octets(t, "6438596a362650173f5c183158305a68"),
				UserInformation:     octets(t, "0800065f1f040000001d04000007"), HasUserInformation: true,
			}
		},
	},
	{
		name: "authentication goes on, ciphered, recorded",
		hex: "6169a109060760857405080103a203020100a305a10302010ea40a0408414243313233343588020780890760857405080205aa1280" +
			"1037150a231a38126f475341606b717022be230421281f10000000000800065f1f040000001d0400000707227e9f6e3f26626d8f542e",
		want: func(t testing.TB) AARE {
			return AARE{
				Context: LNCiphered, Diagnostic: Diagnostic{Source: ServiceUser, Code: DiagnosticAuthenticationRequired},
				RespondingTitle: []byte("ABC12345"), Mechanism: HLSGMAC,
				AuthenticationValue: octets(t, "37150a231a38126f475341606b717022"),
				UserInformation: octets(t,
					"281f10000000000800065f1f040000001d0400000707227e9f6e3f26626d8f542e"), HasUserInformation: true,
			}
		},
	},
	{
		name: "rejected, names the context it wants, recorded",
		hex: "6156a109060760857405080101a203020101a305a103020101a40a0408414243313233343588020780890760857405080205aa1280" +
			"1029691a283d3a48353924572968276d51be10040e0800065f1f040000001d04000007",
		want: func(t testing.TB) AARE {
			return AARE{
				Context: LN, Result: RejectedPermanent, Diagnostic: Diagnostic{Source: ServiceUser, Code: 1},
				RespondingTitle: []byte("ABC12345"), Mechanism: HLSGMAC,
				AuthenticationValue: octets(t, "29691a283d3a48353924572968276d51"),
				UserInformation:     octets(t, "0800065f1f040000001d04000007"), HasUserInformation: true,
			}
		},
	},
	{
		name: "ciphered with title",
		hex: "6148 A109060760857405080103 A203020100 A305A103020100 A40A04084D4D4D0000BC614E BE230421 281F3001234567" +
			"891214A0845E475738383A91BC197117581D85ADB648D979E2FB",
		want: func(t testing.TB) AARE {
			return AARE{
				Context: LNCiphered, Diagnostic: Diagnostic{Source: ServiceUser},
				RespondingTitle: octets(t, "4D4D4D0000BC614E"),
				UserInformation: octets(t,
					"281F3001234567891214A0845E475738383A91BC197117581D85ADB648D979E2FB"), HasUserInformation: true,
			}
		},
	},
	{
		name: "by the provider, transient",
		hex:  "6117 A109060760857405080101 A203020102 A305A203020102",
		want: func(testing.TB) AARE {
			return AARE{Context: LN, Result: RejectedTransient, Diagnostic: Diagnostic{Source: ServiceProvider, Code: 2}}
		},
	},
	{
		name: "result only",
		hex:  "6105 A203020101",
		want: func(testing.TB) AARE { return AARE{Result: RejectedPermanent} },
	},
	{
		name: "empty user-information",
		hex:  "6110 A203020100 A5050403010203 BE020400",
		want: func(testing.TB) AARE {
			return AARE{RespondingQualifier: []byte{1, 2, 3}, UserInformation: []byte{}, HasUserInformation: true}
		},
	},
	{
		name:   "protocol-version, other order, unknown fields, long lengths",
		oneWay: true,
		hex: "618131 BE8106 04820002 0806 80020780 BD00 BF8F0101FF A603020105 A305A203020101 A204 02020001" +
			"A109060760857405080101",
		want: func(testing.TB) AARE {
			return AARE{
				Context: LN, Result: RejectedPermanent, Diagnostic: Diagnostic{Source: ServiceProvider, Code: 1},
				UserInformation: []byte{8, 6}, HasUserInformation: true,
			}
		},
	},
	{
		name:   "rejected, user-information without its octet string",
		oneWay: true,
		hex:    "6112 A203020101 A305A103020101 BE040E010602",
		want: func(testing.TB) AARE {
			return AARE{
				Result: RejectedPermanent, Diagnostic: Diagnostic{Source: ServiceUser, Code: 1},
				UserInformation: []byte{0x0E, 1, 6, 2}, HasUserInformation: true,
			}
		},
	},
	{
		name:   "rejected, result behind a broken user-information",
		oneWay: true,
		hex:    "610B BE0404050E01 A203020102",
		want: func(testing.TB) AARE {
			return AARE{Result: RejectedTransient, UserInformation: []byte{4, 5, 0x0E, 1}, HasUserInformation: true}
		},
	},
	{
		name:   "foreign names",
		oneWay: true,
		hex:    "6111 A1050603550406 A203020100 8903608574",
		want:   func(testing.TB) AARE { return AARE{Mechanism: MechanismForeign} },
	},
}

func TestAARE(t *testing.T) {
	for _, c := range aareCases {
		t.Run(c.name, func(t *testing.T) {
			b, want := octets(t, c.hex), c.want(t)
			got, err := ParseAARE(b)
			require.NoError(t, err)
			assert.Equal(t, want, got)
			if !c.oneWay {
				out, err := want.Append([]byte{0xEE})
				require.NoError(t, err)
				assert.Equal(t, append([]byte{0xEE}, b...), out)
			}
			for n := range b {
				_, err := ParseAARE(b[:n])
				require.ErrorIs(t, err, io.ErrUnexpectedEOF, "%d octets", n)
			}
		})
	}
}
