package hdlc_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/hdlc"
)

// bench is a Link with a meter at its other end that a test plays by hand.
type bench struct {
	t    testing.TB
	link *hdlc.Link
	cfg  hdlc.LinkConfig
}

func newBench(t testing.TB, change func(*hdlc.LinkConfig)) *bench {
	t.Helper()
	cfg := hdlc.LinkConfig{Client: client(16), Server: server(t, 1, 17, 2)}
	if change != nil {
		change(&cfg)
	}
	return &bench{t: t, link: hdlc.NewLink(cfg), cfg: cfg}
}

// connected is a bench whose meter has answered with these parameters.
func connected(t testing.TB, ua hdlc.Parameters, change func(*hdlc.LinkConfig)) *bench {
	t.Helper()
	b := newBench(t, change)
	b.link.AppendConnect(nil, true)
	b.receive(hdlc.EventConnected, hdlc.Unnumbered(hdlc.UA, true), ua.Append(nil))
	return b
}

// frame is a frame from the meter, as it comes out of the wire.
func (b *bench) frame(c hdlc.Control, info []byte, segmented bool) hdlc.Frame {
	b.t.Helper()
	return overWire(b.t, hdlc.Frame{Destination: b.cfg.Client, Source: b.cfg.Server, Control: c, Info: info, Segmented: segmented})
}

func overWire(t testing.TB, f hdlc.Frame) hdlc.Frame {
	t.Helper()
	wire, err := f.Append(nil)
	require.NoError(t, err)
	f, _, err = hdlc.CutFrame(wire)
	require.NoError(t, err)
	return f
}

func (b *bench) receive(want hdlc.Event, c hdlc.Control, info []byte) {
	b.t.Helper()
	ev, err := b.link.Receive(b.frame(c, info, false))
	require.NoError(b.t, err)
	require.Equal(b.t, want.String(), ev.String())
}

// segment is an I frame with S=1.
func (b *bench) segment(want hdlc.Event, c hdlc.Control, info []byte) {
	b.t.Helper()
	ev, err := b.link.Receive(b.frame(c, info, true))
	require.NoError(b.t, err)
	require.Equal(b.t, want.String(), ev.String())
}

func (b *bench) fails(kind hdlc.LinkErrorKind, f hdlc.Frame) {
	b.t.Helper()
	_, err := b.link.Receive(f)
	var linkErr *hdlc.LinkError
	require.ErrorAs(b.t, err, &linkErr)
	require.Equal(b.t, kind, linkErr.Kind)
	require.NotEmpty(b.t, err.Error())
}

// sends expects the link to transmit one frame now, and no other behind it.
func (b *bench) sends(c hdlc.Control, info []byte, segmented bool) {
	b.t.Helper()
	out, ok := b.link.AppendPending(nil)
	require.True(b.t, ok, "nothing to send")
	b.is(out, c, info, segmented)
	b.silent()
}

func (b *bench) is(wire []byte, c hdlc.Control, info []byte, segmented bool) {
	b.t.Helper()
	f, rest, err := hdlc.CutFrame(wire)
	require.NoError(b.t, err)
	require.Len(b.t, rest, 1)
	require.Equal(b.t, hdlc.Frame{
		Destination: b.cfg.Server, Source: b.cfg.Client, Control: c, Info: info, Segmented: segmented,
	}, f, "%s instead of %s", f.Control, c)
}

func (b *bench) silent() {
	b.t.Helper()
	out, ok := b.link.AppendPending([]byte{7})
	require.False(b.t, ok, "% X", out)
	require.Equal(b.t, []byte{7}, out)
}

func info(apdu string) []byte    { return append([]byte{0xE6, 0xE7, 0x00}, apdu...) }
func request(apdu string) []byte { return append([]byte{0xE6, 0xE6, 0x00}, apdu...) }

func i(ns, nr uint8) hdlc.Control { return hdlc.Information(ns, nr, true) }
func rr(nr uint8) hdlc.Control    { return hdlc.ReceiveReady(nr, true) }

// exchange is one whole request with an answer in one frame.
func (b *bench) exchange(ns, nr uint8) {
	b.t.Helper()
	b.link.Send([]byte("ask"))
	b.sends(i(ns, nr), request("ask"), false)
	b.receive(hdlc.EventMessage, i(nr, ns+1), info("answer"))
	require.Equal(b.t, "answer", string(b.link.Message()))
	b.silent()
}

func TestLinkConnect(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	require.False(t, b.link.Connected())
	b.silent()
	b.is(b.link.AppendConnect(nil, true), hdlc.Unnumbered(hdlc.SNRM, true),
		unhex(t, "8180 14 05020200 06020200 070400000001 080400000001"), false)
	b.silent()
	b.receive(hdlc.EventConnected, hdlc.Unnumbered(hdlc.UA, true), unhex(t, "8180 12 05013E 0601F8 070400000001 080400000001"))
	require.True(t, b.link.Connected())
	require.Equal(t, 248, b.link.MaxSend())
	require.Equal(t, hdlc.Parameters{MaxInfoTransmit: 248, MaxInfoReceive: 62, WindowTransmit: 1, WindowReceive: 1}, b.link.Negotiated())
	b.silent()

	b.exchange(0, 0)
	b.exchange(1, 1)

	b.is(b.link.AppendDisconnect(nil), hdlc.Unnumbered(hdlc.DISC, true), nil, false)
	b.silent()
	b.receive(hdlc.EventDisconnected, hdlc.Unnumbered(hdlc.UA, true), unhex(t, "8180 03 050180"))
	require.False(t, b.link.Connected())
	require.Nil(t, b.link.Message())
}

func TestLinkNegotiation(t *testing.T) {
	t.Parallel()
	proposal := hdlc.Parameters{MaxInfoTransmit: 512, MaxInfoReceive: 1024, WindowTransmit: 1, WindowReceive: 3}
	tests := []struct {
		name           string
		withParameters bool
		ua             string
		want           hdlc.Parameters
	}{
		{"empty", true, "", hdlc.Parameters{128, 128, 1, 1}},
		{"partly", true, "8180 03 05019A", hdlc.Parameters{128, 154, 1, 1}},
		{"more than proposed", true, "8180 14 050207D0 060207D0 070400000007 080400000007", hdlc.Parameters{512, 1024, 1, 3}},
		{"less than proposed", true, "8180 12 05013E 0601F8 070400000002 080400000001", hdlc.Parameters{248, 62, 1, 2}},
		{"zero", true, "8180 12 050100 060100 070400000000 080400000000", hdlc.Parameters{128, 128, 1, 1}},
		{"garbled", true, "8180 14 05019A 0602", hdlc.Parameters{128, 154, 1, 1}},
		{"not parameters", true, "DEADBEEF", hdlc.Parameters{128, 128, 1, 1}},
		{"nothing proposed", false, "8180 14 050207D0 060207D0 070400000007 080400000007", hdlc.Parameters{128, 128, 1, 1}},
		{"nothing proposed, less", false, "8180 12 05013E 06013E 070400000001 080400000001", hdlc.Parameters{62, 62, 1, 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, func(cfg *hdlc.LinkConfig) { cfg.Proposal = proposal })
			var want []byte
			if tt.withParameters {
				want = proposal.Append(nil)
			}
			b.is(b.link.AppendConnect(nil, tt.withParameters), hdlc.Unnumbered(hdlc.SNRM, true), want, false)
			b.receive(hdlc.EventConnected, hdlc.Unnumbered(hdlc.UA, true), unhex(t, tt.ua))
			require.Equal(t, tt.want, b.link.Negotiated())
		})
	}
}

func TestLinkRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.link.AppendConnect(nil, true)
	b.receive(hdlc.EventIgnored, i(3, 4), info("left over"))
	b.receive(hdlc.EventIgnored, rr(3), nil)
	b.receive(hdlc.EventDisconnected, hdlc.Unnumbered(hdlc.DM, true), nil)
	b.receive(hdlc.EventIgnored, hdlc.Unnumbered(hdlc.UA, true), nil)
	require.False(t, b.link.Connected())
	b.link.AppendConnect(nil, true)
	b.receive(hdlc.EventRejected, hdlc.Unnumbered(hdlc.FRMR, true), unhex(t, "930002"))
	b.link.AppendDisconnect(nil)
	b.receive(hdlc.EventIgnored, i(3, 4), info("left over"))
	b.receive(hdlc.EventDisconnected, hdlc.Unnumbered(hdlc.DM, true), nil)
	b.receive(hdlc.EventDisconnected, hdlc.Unnumbered(hdlc.DM, true), nil)
	b.link.AppendConnect(nil, false)
	b.receive(hdlc.EventConnected, hdlc.Unnumbered(hdlc.UA, true), nil)
	b.receive(hdlc.EventIgnored, hdlc.Unnumbered(hdlc.UA, true), nil) // to an SNRM that was repeated
	b.exchange(0, 0)
}

func TestLinkLost(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		kind hdlc.Kind
		want hdlc.Event
	}{{hdlc.DM, hdlc.EventDisconnected}, {hdlc.FRMR, hdlc.EventRejected}} {
		b := connected(t, hdlc.Parameters{}, nil)
		b.link.Send([]byte("ask"))
		b.sends(i(0, 0), request("ask"), false)
		b.receive(tt.want, hdlc.Unnumbered(tt.kind, true), nil)
		require.False(t, b.link.Connected())
		b.receive(hdlc.EventIgnored, i(0, 1), info("answer"))
		b.silent()
		require.Nil(t, b.link.Message())
	}
}

func TestLinkSequenceNumbersWrap(t *testing.T) {
	t.Parallel()
	b := connected(t, hdlc.Parameters{}, nil)
	for n := range uint8(20) {
		b.exchange(n%8, n%8)
	}
	// SNRM resets them.
	b.link.AppendConnect(nil, true)
	require.Nil(t, b.link.Message())
	b.receive(hdlc.EventConnected, hdlc.Unnumbered(hdlc.UA, true), nil)
	b.exchange(0, 0)
}

func TestLinkSegmentsFromMeter(t *testing.T) {
	t.Parallel()
	b := connected(t, hdlc.Parameters{}, nil)
	b.link.Send([]byte("ask"))
	b.sends(i(0, 0), request("ask"), false)
	var want []byte
	for n := range uint8(11) {
		part := bytes.Repeat([]byte{'a' + n}, 125)
		want = append(want, part...)
		if n == 0 {
			part = info(string(part))
		}
		if n == 10 {
			b.receive(hdlc.EventMessage, i(n%8, 1), part)
			break
		}
		b.segment(hdlc.EventSegment, i(n%8, 1), part)
		require.Nil(t, b.link.Message())
		b.sends(rr((n+1)%8), nil, false)
	}
	b.silent()
	require.Equal(t, want, b.link.Message())
	b.link.Send([]byte("ask"))
	b.sends(i(1, 3), request("ask"), false)
}

func TestLinkWindow(t *testing.T) {
	t.Parallel()
	b := connected(t, hdlc.Parameters{WindowTransmit: 3}, func(cfg *hdlc.LinkConfig) { cfg.Proposal.WindowReceive = 3 })
	ask := func() {
		b.link.Send([]byte("ask"))
		_, ok := b.link.AppendPending(nil)
		require.True(t, ok)
	}
	ask()
	b.segment(hdlc.EventSegment, hdlc.Information(0, 1, false), info("a"))
	b.silent()
	b.segment(hdlc.EventSegment, hdlc.Information(1, 1, false), []byte("b"))
	b.silent()
	b.segment(hdlc.EventSegment, hdlc.Information(2, 1, true), []byte("c"))
	b.sends(rr(3), nil, false)
	b.segment(hdlc.EventSegment, hdlc.Information(3, 1, false), []byte("d"))
	b.receive(hdlc.EventMessage, i(4, 1), []byte("e"))
	require.Equal(t, "abcde", string(b.link.Message()))
	b.silent()

	// The second of three frames is lost: the meter is told to go back to it.
	ask()
	b.segment(hdlc.EventSegment, hdlc.Information(5, 2, false), info("a"))
	b.segment(hdlc.EventDuplicate, hdlc.Information(7, 2, true), []byte("c"))
	b.sends(rr(6), nil, false)
	b.segment(hdlc.EventSegment, hdlc.Information(6, 2, false), []byte("b"))
	b.segment(hdlc.EventSegment, hdlc.Information(7, 2, true), []byte("c"))
	b.sends(rr(0), nil, false)
	// The RR was lost, and so is the patience with a meter that repeats the same for ever.
	b.segment(hdlc.EventIgnored, hdlc.Information(6, 2, false), []byte("b"))
	for range 3 {
		b.segment(hdlc.EventDuplicate, hdlc.Information(7, 2, true), []byte("c"))
		b.sends(rr(0), nil, false)
	}
	b.segment(hdlc.EventIgnored, hdlc.Information(7, 2, true), []byte("c"))
	b.silent()
	b.receive(hdlc.EventMessage, i(0, 2), []byte("d"))
	require.Equal(t, "abcd", string(b.link.Message()))

	// The final bit of a window is lost with its frame: a poll does the same.
	ask()
	b.segment(hdlc.EventSegment, hdlc.Information(1, 3, false), info("a"))
	b.silent()
	b.is(b.link.AppendPoll(nil), rr(2), nil, false)
	b.receive(hdlc.EventMessage, i(2, 3), []byte("b"))
	require.Equal(t, "ab", string(b.link.Message()))
}

func TestLinkSegmentsToMeter(t *testing.T) {
	t.Parallel()
	b := connected(t, hdlc.Parameters{MaxInfoReceive: 62}, nil)
	apdu := make([]byte, 59+62+62+1)
	for n := range apdu {
		apdu[n] = byte(n)
	}
	b.link.Send(apdu)
	b.sends(i(0, 0), request(string(apdu[:59])), true)
	b.receive(hdlc.EventAcknowledged, rr(1), nil)
	b.sends(i(1, 0), apdu[59:121], true)
	b.receive(hdlc.EventNotReady, hdlc.ReceiveNotReady(2, true), nil)
	b.is(b.link.AppendPoll(nil), rr(0), nil, false)
	b.receive(hdlc.EventAcknowledged, rr(2), nil)
	b.sends(i(2, 0), apdu[121:183], true)
	b.receive(hdlc.EventAcknowledged, rr(3), nil)
	b.sends(i(3, 0), apdu[183:], false)
	b.receive(hdlc.EventMessage, i(0, 4), info("answer"))
	b.silent()

	// The answer may come before the request is complete.
	b.link.Send(apdu)
	b.sends(i(4, 1), request(string(apdu[:59])), true)
	b.receive(hdlc.EventMessage, i(1, 5), info("no"))
	b.silent()

	// An APDU that fills its frame is not segmented.
	b.link.Send(apdu[:59])
	b.sends(i(5, 2), request(string(apdu[:59])), false)
}

func TestLinkEmptyAPDU(t *testing.T) {
	t.Parallel()
	b := connected(t, hdlc.Parameters{}, nil)
	b.link.Send(nil)
	b.sends(i(0, 0), request(""), false)
	b.receive(hdlc.EventMessage, i(0, 1), info(""))
	require.NotNil(t, b.link.Message())
	require.Empty(t, b.link.Message())
}

func TestLinkLLC(t *testing.T) {
	t.Parallel()
	for _, header := range []string{"E6E700", "E6E600", "FFE700", "FFE600", "E6FF00"} {
		b := connected(t, hdlc.Parameters{}, nil)
		b.link.Send([]byte("ask"))
		b.sends(i(0, 0), request("ask"), false)
		b.receive(hdlc.EventMessage, i(0, 1), append(unhex(t, header), 0xE6, 0xE7, 0x00, 1))
		require.Equal(t, unhex(t, "E6E70001"), b.link.Message())
	}
	for _, first := range []string{"", "C4", "E6E7", "E6E701", "C40181", "00E700", "E7", "E6C400"} {
		b := connected(t, hdlc.Parameters{}, nil)
		b.link.Send([]byte("ask"))
		b.sends(i(0, 0), request("ask"), false)
		b.fails(hdlc.LinkHeader, b.frame(i(0, 1), unhex(t, first), false))
		require.Nil(t, b.link.Message())
	}
	// The header may be torn by segments as well.
	b := connected(t, hdlc.Parameters{}, nil)
	b.link.Send([]byte("ask"))
	b.sends(i(0, 0), request("ask"), false)
	b.segment(hdlc.EventSegment, i(0, 1), []byte{0xE6})
	b.sends(rr(1), nil, false)
	b.receive(hdlc.EventMessage, i(1, 1), []byte{0xE7, 0x00, 'x'})
	require.Equal(t, "x", string(b.link.Message()))
}

func TestLinkMaxMessage(t *testing.T) {
	t.Parallel()
	b := connected(t, hdlc.Parameters{}, func(cfg *hdlc.LinkConfig) { cfg.MaxMessage = 250 })
	b.link.Send([]byte("ask"))
	b.sends(i(0, 0), request("ask"), false)
	b.segment(hdlc.EventSegment, i(0, 1), info(string(make([]byte, 125))))
	f := b.frame(i(1, 1), make([]byte, 126), false)
	b.fails(hdlc.LinkTooLong, f)

	b = connected(t, hdlc.Parameters{}, func(cfg *hdlc.LinkConfig) { cfg.MaxMessage = 250 })
	b.link.Send([]byte("ask"))
	b.sends(i(0, 0), request("ask"), false)
	b.segment(hdlc.EventSegment, i(0, 1), info(string(make([]byte, 125))))
	b.receive(hdlc.EventMessage, i(1, 1), make([]byte, 125))
	require.Len(t, b.link.Message(), 250)

	// Segments without information end as well.
	b = connected(t, hdlc.Parameters{}, func(cfg *hdlc.LinkConfig) { cfg.MaxMessage = 250 })
	b.link.Send([]byte("ask"))
	b.sends(i(0, 0), request("ask"), false)
	b.segment(hdlc.EventSegment, i(0, 1), info(""))
	for n := uint8(1); n < 7; n++ {
		b.segment(hdlc.EventSegment, i(n, 1), nil)
	}
	b.fails(hdlc.LinkTooLong, b.frame(i(7, 1), nil, true))
}

func TestLinkSendAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	b := connected(t, hdlc.Parameters{}, nil)
	out := make([]byte, 0, hdlc.MaxFrame)
	apdu := []byte("ask")
	answer := b.frame(i(0, 0), info("answer"), false)
	n := uint8(0)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		b.link.Send(apdu)
		if _, ok := b.link.AppendPending(out); !ok {
			t.Error("nothing to send")
		}
		answer.Control = i(n, n+1)
		if ev, err := b.link.Receive(answer); ev != hdlc.EventMessage || err != nil {
			t.Error(ev, err)
		}
		n++
	}))
}
