package acse

import (
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// octets reads hexadecimal text, in which blanks may stand anywhere.
func octets(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	require.NoError(t, err)
	return b
}

func TestLongLengths(t *testing.T) {
	for _, size := range []int{0, 115, 116, 117, 118, 119, 120, 121, 125, 126, 127, 128, 242, 243, 244, 245, 250, 255, 256, 300, 65520, 65540} {
		information := make([]byte, size)
		for i := range information {
			information[i] = uint8(i)
		}
		q := AARQ{Context: LN, UserInformation: information}
		b, err := q.Append([]byte("before"))
		require.NoError(t, err)
		require.Equal(t, "before", string(b[:6]))
		gotQ, err := ParseAARQ(b[6:])
		require.NoError(t, err, "%d octets", size)
		require.Equal(t, q, gotQ)

		p := AARE{Context: LN, UserInformation: information, HasUserInformation: true}
		b, err = p.Append(nil)
		require.NoError(t, err)
		gotP, err := ParseAARE(b)
		require.NoError(t, err, "%d octets", size)
		require.Equal(t, p, gotP)
	}
}

func TestRefused(t *testing.T) {
	aarq := func(b []byte) error { _, err := ParseAARQ(b); return err }
	aare := func(b []byte) error { _, err := ParseAARE(b); return err }
	rlrq := func(b []byte) error { _, err := ParseRLRQ(b); return err }
	rlre := func(b []byte) error { _, err := ParseRLRE(b); return err }
	cases := []struct {
		name  string
		parse func([]byte) error
		hex   string
		want  string
	}{
		{"empty", aare, "", "identifier at octet 0: unexpected EOF"},
		{"other APDU", aare, "6000", "AARE: identifier 60, expected 61 at octet 0"},
		{"other APDU", aarq, "6100", "AARQ: identifier 61, expected 60 at octet 0"},
		{"other APDU", rlrq, "6300", "RLRQ: identifier 63, expected 62 at octet 0"},
		{"other APDU", rlre, "6200", "RLRE: identifier 62, expected 63 at octet 0"},
		{"octets behind", aare, "6105 A203020100 00", "AARE: octets left over: 1 at octet 7"},
		{"indefinite length", aare, "6180 A203020100 0000", "indefinite length at octet 1"},
		{"indefinite length inside", aare, "6107 A280 0201000000", "indefinite length at octet 3"},
		{"length of five octets", aare, "61850000000005 A203020100", "length of 5 octets at octet 1"},
		{"length of four octets, too long", aare, "6184FFFFFFFF A203020100", "contents at octet 11: unexpected EOF"},
		{"length cut off", aare, "6183 0000", "length at octet 4: unexpected EOF"},
		{"identifier cut off", aare, "6102 BFFF", "identifier at octet 4: unexpected EOF"},
		{"field longer than the APDU", aare, "6105 A204020100", "contents at octet 7: unexpected EOF"},
		{"integer longer than its field", aare, "6105 A203020200", "contents at octet 7: unexpected EOF"},
		{"integer shorter than its field", aare, "6106 A20402010000", "result: octets left over: 1 at octet 7"},
		{"result of another type", aare, "6105 A2030A0100", "result: identifier 0A, expected 02 at octet 4"},
		{"result too large", aare, "6106 A20402020100", "result: integer above 255 at octet 6"},
		{"empty result", aare, "6104 A2020200", "result: empty integer at octet 6"},
		{"no result", aare, "6100", "AARE without a result at octet 2"},
		{
			"diagnostic of nobody", aare, "610C A203020101 A305A303020101",
			"result-source-diagnostic: neither of service user nor of service provider at octet 9",
		},
		{
			"diagnostic empty", aare, "6107 A203020101 A300",
			"result-source-diagnostic: neither of service user nor of service provider at octet 9",
		},
		{"diagnostic cut off", aare, "610A A203020101 A303A10302", "contents at octet 12: unexpected EOF"},
		{
			"diagnostic of another type", aare, "610C A203020101 A305A103040101",
			"result-source-diagnostic: identifier 04, expected 02 at octet 11",
		},
		{
			"accepted with broken user-information", aare, "610B A203020100 BE0404050E01",
			"contents at octet 13: unexpected EOF",
		},
		{
			"accepted with bare user-information", aare, "6109 A203020100 BE020806",
			"contents at octet 11: unexpected EOF",
		},
		{
			"context without identifier", aare, "610B A203020100 A104 04020101",
			"application-context-name: identifier 04, expected 06 at octet 9",
		},
		{"title too long", aare, "6109 A203020100 A40204 05", "contents at octet 11: unexpected EOF"},
		{"challenge", aare, "6109 A203020100 AA028105", "contents at octet 11: unexpected EOF"},
		{
			"challenge as bit string", aare, "610A A203020100 AA03810100",
			"responding-authentication-value: identifier 81, expected 80 at octet 9",
		},
		{"user id of another type", aarq, "6005 A903040101", "calling-AE-invocation-id: identifier 04, expected 02 at octet 4"},
		{"password", aarq, "6004 AC028001", "contents at octet 6: unexpected EOF"},
		{"broken user-information", aarq, "6005 BE03040201", "contents at octet 7: unexpected EOF"},
		{"empty reason", rlrq, "62028000", "reason: empty integer at octet 4"},
		{"broken user-information", rlre, "6305 BE03040201", "contents at octet 7: unexpected EOF"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			err := c.parse(octets(t, c.hex))
			require.EqualError(t, err, c.want)
			var syntax *SyntaxError
			require.ErrorAs(t, err, &syntax)
			assert.Equal(t, strings.HasSuffix(c.want, "unexpected EOF"), errors.Is(err, io.ErrUnexpectedEOF))
		})
	}
}

func TestAppendRefuses(t *testing.T) {
	aarq := func(q AARQ) error { _, err := q.Append(nil); return err }
	aare := func(p AARE) error { _, err := p.Append(nil); return err }
	cases := []struct {
		name string
		err  error
		want string
	}{
		{"no context", aarq(AARQ{}), "AARQ without an application context"},
		{"context", aarq(AARQ{Context: 200}), "application context unknown(0xc8) cannot be encoded"},
		{
			"mechanism", aarq(AARQ{Context: LN, Mechanism: MechanismForeign}),
			"authentication mechanism foreign mechanism name cannot be encoded",
		},
		{"context", aare(AARE{Context: 128}), "application context unknown(0x80) cannot be encoded"},
		{"mechanism", aare(AARE{Mechanism: 128}), "authentication mechanism unknown(0x80) cannot be encoded"},
		{
			"diagnostic", aare(AARE{Diagnostic: Diagnostic{Source: 3}}),
			"source unknown(0x03) of a diagnostic cannot be encoded",
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { require.EqualError(t, c.err, c.want) })
	}
}

func TestNames(t *testing.T) {
	cases := []struct{ got, want string }{
		{LN.String(), "logical name referencing, no ciphering"},
		{SNCiphered.String(), "short name referencing, with ciphering"},
		{ContextUnknown.String(), "unknown(0x00)"},
		{None.String(), "lowest level security"},
		{Low.String(), "low level security"},
		{HLSECDSA.String(), "high level security ECDSA"},
		{Mechanism(8).String(), "unknown(0x08)"},
		{Accepted.String(), "accepted"},
		{RejectedPermanent.String(), "rejected-permanent"},
		{RejectedTransient.String(), "rejected-transient"},
		{Result(0x5A).String(), "unknown(0x5a)"},
		{ServiceUser.String(), "acse-service-user"},
		{ServiceProvider.String(), "acse-service-provider"},
		{Diagnostic{}.String(), "no diagnostic"},
		{Diagnostic{Source: ServiceUser}.String(), "null (diagnostic 0)"},
		{Diagnostic{Source: ServiceUser, Code: 1}.String(), "no reason given (diagnostic 1)"},
		{Diagnostic{Source: ServiceUser, Code: 2}.String(), "application context name not supported (diagnostic 2)"},
		{Diagnostic{Source: ServiceUser, Code: 10}.String(), "called AE invocation identifier not recognized (diagnostic 10)"},
		{
			Diagnostic{Source: ServiceUser, Code: DiagnosticMechanismNotRecognised}.String(),
			"authentication mechanism name not recognised (diagnostic 11)",
		},
		{
			Diagnostic{Source: ServiceUser, Code: DiagnosticMechanismRequired}.String(),
			"authentication mechanism name required (diagnostic 12)",
		},
		{
			Diagnostic{Source: ServiceUser, Code: DiagnosticAuthenticationFailure}.String(),
			"authentication failure (diagnostic 13)",
		},
		{
			Diagnostic{Source: ServiceUser, Code: DiagnosticAuthenticationRequired}.String(),
			"authentication required (diagnostic 14)",
		},
		{Diagnostic{Source: ServiceUser, Code: 15}.String(), "unknown(0x0f) (diagnostic 15)"},
		{Diagnostic{Source: ServiceProvider, Code: 2}.String(), "no common ACSE version (provider diagnostic 2)"},
		{Diagnostic{Source: ServiceProvider, Code: 3}.String(), "unknown(0x03) (provider diagnostic 3)"},
		{ReleaseNormal.String(), "normal"},
		{ReleaseUrgent.String(), "urgent"},
		{ReleaseUserDefined.String(), "user-defined"},
		{RequestReason(2).String(), "unknown(0x02)"},
		{ReleasedNormal.String(), "normal"},
		{ReleasedNotFinished.String(), "not-finished"},
		{ReleasedUserDefined.String(), "user-defined"},
		{ResponseReason(2).String(), "unknown(0x02)"},
	}
	for _, c := range cases {
		assert.Equal(t, c.want, c.got)
	}
}

func TestAllocations(t *testing.T) {
	aarq := octets(t, aarqCases[1].hex)
	aare := octets(t, aareCases[6].hex)
	release := octets(t, "620A 800100 BE05 0403 210102")
	buffer := make([]byte, 0, 256)
	cases := []struct {
		name string
		run  func() error
	}{
		{"ParseAARQ", func() error { _, err := ParseAARQ(aarq); return err }},
		{"ParseAARE", func() error { _, err := ParseAARE(aare); return err }},
		{"ParseRLRQ", func() error { _, err := ParseRLRQ(release); return err }},
		{"AARQ.Append", func() error {
			q := AARQ{Context: LN, Mechanism: Low, AuthenticationValue: aarq, UserInformation: release}
			_, err := q.Append(buffer)
			return err
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			require.NoError(t, c.run())
			require.Zero(t, testing.AllocsPerRun(100, func() { _ = c.run() }))
		})
	}
}
