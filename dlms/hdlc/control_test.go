package hdlc_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/hdlc"
)

func TestControl(t *testing.T) {
	t.Parallel()
	tests := []struct {
		made hdlc.Control
		wire byte
		kind hdlc.Kind
		text string
	}{
		{hdlc.Information(0, 0, true), 0x10, hdlc.I, "I(s0,r0,P/F)"},
		{hdlc.Information(0, 1, true), 0x30, hdlc.I, "I(s0,r1,P/F)"},
		{hdlc.Information(1, 1, true), 0x32, hdlc.I, "I(s1,r1,P/F)"},
		{hdlc.Information(7, 7, false), 0xEE, hdlc.I, "I(s7,r7)"},
		{hdlc.ReceiveReady(0, true), 0x11, hdlc.RR, "RR(r0,P/F)"},
		{hdlc.ReceiveReady(7, false), 0xE1, hdlc.RR, "RR(r7)"},
		{hdlc.ReceiveNotReady(1, true), 0x35, hdlc.RNR, "RNR(r1,P/F)"},
		{hdlc.Unnumbered(hdlc.SNRM, true), 0x93, hdlc.SNRM, "SNRM(P/F)"},
		{hdlc.Unnumbered(hdlc.SNRM, false), 0x83, hdlc.SNRM, "SNRM"},
		{hdlc.Unnumbered(hdlc.DISC, true), 0x53, hdlc.DISC, "DISC(P/F)"},
		{hdlc.Unnumbered(hdlc.UA, true), 0x73, hdlc.UA, "UA(P/F)"},
		{hdlc.Unnumbered(hdlc.DM, true), 0x1F, hdlc.DM, "DM(P/F)"},
		{hdlc.Unnumbered(hdlc.FRMR, true), 0x97, hdlc.FRMR, "FRMR(P/F)"},
		{hdlc.Unnumbered(hdlc.UI, true), 0x13, hdlc.UI, "UI(P/F)"},
		{hdlc.Unnumbered(hdlc.UI, false), 0x03, hdlc.UI, "UI"},
		{hdlc.Control(0x39), 0x39, hdlc.Unknown, "unknown(0x39)"}, // REJ
		{hdlc.Control(0xFF), 0xFF, hdlc.Unknown, "unknown(0xff)"},
	}
	for _, tt := range tests {
		require.Equal(t, hdlc.Control(tt.wire), tt.made, tt.text)
		require.Equal(t, tt.kind, tt.made.Kind(), tt.text)
		require.Equal(t, tt.text, tt.made.String())
		require.Equal(t, tt.wire&0x10 != 0, tt.made.Final(), tt.text)
	}
}

func TestControlNumbers(t *testing.T) {
	t.Parallel()
	for c := range 256 {
		c := hdlc.Control(c)
		switch c.Kind() {
		case hdlc.I:
			require.Equal(t, c, hdlc.Information(c.NS(), c.NR(), c.Final()))
		case hdlc.RR:
			require.Zero(t, c.NS())
			require.Equal(t, c, hdlc.ReceiveReady(c.NR(), c.Final()))
		case hdlc.RNR:
			require.Zero(t, c.NS())
			require.Equal(t, c, hdlc.ReceiveNotReady(c.NR(), c.Final()))
		case hdlc.Unknown:
			require.Zero(t, c.NR())
		default:
			require.Zero(t, c.NS())
			require.Zero(t, c.NR())
			require.Equal(t, c, hdlc.Unnumbered(c.Kind(), c.Final()))
		}
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	require.Equal(t, "UA", hdlc.UA.String())
	require.Equal(t, "unknown(0x5a)", hdlc.Kind(0x5A).String())
	require.Equal(t, "message", hdlc.EventMessage.String())
	require.Equal(t, "rejected", hdlc.EventRejected.String())
	require.Equal(t, "unknown(0x5a)", hdlc.Event(0x5A).String())
	require.Equal(t, "wrong frame check sequence (FCS)", hdlc.FrameFCS.String())
	require.Equal(t, "unknown(0x00)", hdlc.FrameErrorKind(0).String())
	require.Equal(t, "message too long", hdlc.LinkTooLong.String())
	require.Equal(t, "unknown(0x5a)", hdlc.LinkErrorKind(0x5A).String())
}

func TestParseReject(t *testing.T) {
	t.Parallel()
	tests := []struct {
		info, want string
	}{
		{"540010", "I(s2,r2,P/F) rejected: invalid N(R)"}, // as a meter sent it
		{"390080", "unknown(0x39) rejected: control field undefined or not implemented"},
		{"540000", "I(s2,r2,P/F) rejected, no reason given"},
		{"103004", "I(s0,r0,P/F) rejected: information field too long"},
		{"390001", "unknown(0x39) rejected: control field undefined or not implemented"},
		{"F00009", "I(s0,r7,P/F) rejected: control field undefined or not implemented, invalid N(R)"},
	}
	for _, tt := range tests {
		r, ok := hdlc.ParseReject(unhex(t, tt.info))
		require.True(t, ok)
		require.Equal(t, tt.want, r.String())
		for n := range 3 {
			_, ok := hdlc.ParseReject(unhex(t, tt.info)[:n])
			require.False(t, ok)
		}
	}
	r, _ := hdlc.ParseReject(unhex(t, "10 7400"))
	require.Equal(t, hdlc.Reject{Rejected: 0x10, NS: 2, NR: 3, Response: true}, r)
}
