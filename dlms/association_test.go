package dlms

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/hdlc"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

const aareHead = "A109 0607 60857405080101 "

// answering answers the AARQ with octets, and then values.
func answering(t *testing.T, aare string) func(l *line, message []byte) {
	t.Helper()
	app := meterApp(allServices, 1024, values)
	return wrapperMeter(func(apdu []byte) []byte {
		if apdu[0] == 0x60 {
			return unhex(t, aare)
		}
		return app(apdu)
	})
}

func TestAssociateGranted(t *testing.T) {
	accepted := func(user string) string {
		b := unhex(t, "A203020100 A305A103020100"+user)
		head := unhex(t, aareHead)
		apdu := append([]byte{0x61, byte(len(head) + len(b))}, append(head, b...)...)
		return string(appendHex(apdu))
	}
	tests := []struct {
		name string
		aare string
		want Parameters
	}{
		{"usual", accepted("BE10040E 0800065F1F040000501F01F40007"), Parameters{
			Conformance: 0x1014, Granted: 0x00501F, MaxPDU: 500,
		}},
		{"more than proposed", accepted("BE10040E 0800065F1F0400FFFFFF00000007"), Parameters{
			Conformance: 0x1214, Granted: 0xFFFFFF, MaxPDU: 0,
		}},
		{"no bits at all", accepted("BE10040E 0800065F1F0400000000FFFF0007"), Parameters{
			Conformance: xdlms.ConformanceGet, AssumedGet: true, MaxPDU: 65535,
		}},
		{"without GET", accepted("BE10040E 0800065F1F040010140000F00007"), Parameters{
			Conformance: 0x1010, Granted: 0x101400, AssumedGet: true, MaxPDU: 240,
		}},
		{"short conformance tag", accepted("BE0F040D 0800065F040000501F01F40007"), Parameters{
			Conformance: 0x1014, Granted: 0x00501F, MaxPDU: 500,
		}},
		{"without user-information", accepted(""), Parameters{Conformance: xdlms.ConformanceGet, AssumedGet: true}},
		{"with a title", accepted("A40A04084D4D4D0000BC614E BE10040E 0800065F1F040000501F01F40007"), Parameters{
			Conformance: 0x1014, Granted: 0x00501F, MaxPDU: 500, Title: unhex(t, "4D4D4D0000BC614E"),
		}},
		{"the context with ciphering, as jDLMS to those with a password", "612D 80020780 A109060760857405080103 A203020100 A305A103020100 BE10040E 0800065F1F0400001214FFFF0007", Parameters{
			Conformance: 0x1214, Granted: 0x1214, MaxPDU: 65535,
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				a := associated(t, newLine(answering(t, tt.aare)), wrapperConfig)
				require.Equal(t, tt.want, a.Parameters())
				requireValue(t, a, register(1, 1))
			})
		})
	}
}

func appendHex(b []byte) []byte {
	const digits = "0123456789ABCDEF"
	var s []byte
	for _, c := range b {
		s = append(s, digits[c>>4], digits[c&15])
	}
	return s
}

func TestAssociateRefused(t *testing.T) {
	wrong := acse.Diagnostic{Source: acse.ServiceUser, Code: 13}
	tests := []struct {
		name  string
		aare  string
		want  string
		check func(t *testing.T, e *RejectError)
	}{
		{
			"wrong password", "6117" + aareHead + "A203020101 A305A10302010D",
			"association refused: rejected-permanent (result 1): authentication failure (diagnostic 13)",
			func(t *testing.T, e *RejectError) { require.Equal(t, wrong, e.Diagnostic) },
		},
		{
			"wrong password, and garbage as user-information", "611D" + aareHead + "A203020101 A305A10302010D BE04 0402 FFFF",
			"association refused: rejected-permanent (result 1): authentication failure (diagnostic 13)",
			func(t *testing.T, e *RejectError) { require.Equal(t, wrong, e.Diagnostic) },
		},
		{
			"with an initiate error", "611F" + aareHead + "A203020101 A305A103020101 BE06 0404 0E010602",
			"association refused: rejected-permanent (result 1): no reason given (diagnostic 1); initiateError: initiate, incompatible-conformance (1/6/2)",
			func(t *testing.T, e *RejectError) {
				require.Equal(t, &xdlms.ConfirmedServiceError{Service: 1, Class: 6, Code: 2}, e.ServiceError)
			},
		},
		{
			"accepted with an initiate error", "611F" + aareHead + "A203020100 A305A103020100 BE06 0404 0E010603",
			"association refused: initiateError: initiate, pdu-size-too-short (1/6/3)", nil,
		},
		{
			"an initiate error instead", "0E010601",
			"association refused: initiateError: initiate, dlms-version-too-low (1/6/1)", nil,
		},
		{
			"an exception instead", "D80101",
			"association refused: AARQ: exception-response: service-not-allowed, operation-not-possible (1/1)", nil,
		},
		{"garbage instead", "DEADBEEF", "association refused: AARQ: expected an AARE, got unknown(0xde): DEADBEEF", nil},
		{
			"old version", "6129" + aareHead + "A203020100 A305A103020100 BE10040E 0800055F1F040000501F01F40007",
			"association refused: AARQ: the meter speaks DLMS version 5, at least 6 is expected", nil,
		},
		{
			"short names", "6129 A109060760857405080102 A203020100 A305A103020102 BE10040E 0800065F1F04001C032001F4FA00",
			"association refused: AARQ: asked for logical name referencing, no ciphering, the meter accepts short name referencing, no ciphering", nil,
		},
		{
			"short names by the vaa-name", "6129" + aareHead + "A203020100 A305A103020100 BE10040E 0800065F1F04001C032001F4FA00",
			"association refused: AARQ: the meter grants short-name referencing only (vaa-name FA00)", nil,
		},
		{
			"high-level authentication", "6129" + aareHead + "A203020100 A305A10302010E BE10040E 0800065F1F040000501F01F40007",
			"association refused: AARQ: the meter demands high-level authentication: authentication required (diagnostic 14)", nil,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				answer := answering(t, tt.aare)
				l := newLine(answer)
				c := dialled(t, l, wrapperConfig)
				_, err := c.Associate(context.Background(), AssociationConfig{})
				var reject *RejectError
				require.ErrorAs(t, err, &reject)
				require.EqualError(t, err, tt.want)
				if tt.check != nil {
					tt.check(t, reject)
				}
				require.Len(t, l.sent, 1)
			})
		})
	}
}

func TestRefusedAssociationEndsTheLink(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := &hdlcMeter{app: func([]byte) []byte { return unhex(t, "6117"+aareHead+"A203020101 A305A10302010D") }}
		l := newLine(m.answer)
		_, err := dialled(t, l, hdlcConfig).Associate(context.Background(), AssociationConfig{Mechanism: acse.Low, Password: []byte("secret")})
		var reject *RejectError
		require.ErrorAs(t, err, &reject)
		require.NotContains(t, err.Error(), "secret")
		require.Equal(t, []string{"SNRM", "I", "DISC"}, l.kinds())
	})
}

func TestCancelledAssociateEndsTheLink(t *testing.T) {
	for _, tt := range []struct {
		name  string
		quiet hdlc.Kind // what the meter does not answer
		kinds []string
	}{
		{"before UA", hdlc.SNRM, []string{"SNRM", "DISC"}},
		{"before the AARE", hdlc.I, []string{"SNRM", "I", "DISC"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				m := &hdlcMeter{app: meterApp(allServices, 1024, values), frame: func(_ *hdlcMeter, _ *line, f hdlc.Frame) bool {
					return f.Control.Kind() == tt.quiet
				}}
				l := newLine(m.answer)
				ctx, cancel := context.WithTimeout(context.Background(), time.Second)
				defer cancel()
				_, err := dialled(t, l, hdlcConfig).Associate(ctx, AssociationConfig{})
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.Equal(t, tt.kinds, l.kinds())
			})
		})
	}
}

func TestAssociateArguments(t *testing.T) {
	t.Parallel()
	tests := []struct {
		cfg  AssociationConfig
		want string
	}{
		{AssociationConfig{Mechanism: acse.HLSGMAC}, "authentication high-gmac needs the encryption key and the authentication key"},
		{AssociationConfig{Mechanism: acse.Low}, "authentication low needs a password"},
		{AssociationConfig{MaxPDU: 70000}, "max PDU 70000 is out of range (12 to 65535)"},
		{AssociationConfig{MaxPDU: 11}, "max PDU 11 is out of range (12 to 65535)"},
	}
	for _, tt := range tests {
		l := newLine(nil)
		_, err := dialled(t, l, wrapperConfig).Associate(context.Background(), tt.cfg)
		require.EqualError(t, err, tt.want)
		require.Empty(t, l.sent)
	}
}

func TestAARQ(t *testing.T) {
	tests := []struct {
		name string
		cfg  AssociationConfig
		want string
	}{
		{"none", AssociationConfig{}, "601D" + aareHead + "BE10040E 01000000065F1F0400 001214 FFFF"},
		{"none, a password left over", AssociationConfig{Password: []byte("12345678")}, "601D" + aareHead + "BE10040E 01000000065F1F0400 001214 FFFF"},
		{"no limit", AssociationConfig{MaxPDU: -1}, "601D" + aareHead + "BE10040E 01000000065F1F0400 001214 0000"},
		{
			"low", AssociationConfig{Mechanism: acse.Low, Password: []byte("12345678"), Conformance: 0x7E1F, MaxPDU: 0x04B0},
			"6036" + aareHead + "8A020780 8B0760857405080201 AC0A80083132333435363738 BE10040E01000000065F1F0400007E1F04B0",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var sent []byte
				app := meterApp(allServices, 1024, values)
				l := newLine(wrapperMeter(func(apdu []byte) []byte {
					sent = bytes.Clone(apdu)
					return app(apdu)
				}))
				_, err := dialled(t, l, wrapperConfig).Associate(context.Background(), tt.cfg)
				require.NoError(t, err)
				require.Equal(t, unhex(t, tt.want), sent)
			})
		})
	}
}

func TestAssociatingAgainEndsTheFirst(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := associated(t, newLine(wrapperMeter(meterApp(allServices, 1024, values))), wrapperConfig)
		b, err := a.c.Associate(context.Background(), AssociationConfig{})
		require.NoError(t, err)
		_, err = a.Get(context.Background(), register(1, 1), nil)
		require.ErrorIs(t, err, errSuperseded)
		requireValue(t, b, register(1, 1))
	})
}
