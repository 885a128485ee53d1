package hdlc_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/hdlc"
)

func TestLinkRequestLost(t *testing.T) {
	t.Parallel()
	b := connected(t, hdlc.Parameters{}, nil)
	b.exchange(0, 0)
	b.link.Send([]byte("ask"))
	first, ok := b.link.AppendPending(nil)
	require.True(t, ok)
	b.is(b.link.AppendPoll(nil), rr(1), nil, false)
	b.receive(hdlc.EventRepeatWanted, rr(1), nil)
	b.silent()
	require.Equal(t, first, b.link.AppendRepeat(nil))
	// The answer to an earlier poll, late: nobody has asked again.
	b.receive(hdlc.EventIgnored, rr(1), nil)
	require.Equal(t, 1, b.link.Duplicates())
	b.receive(hdlc.EventMessage, i(1, 2), info("answer"))
	b.exchange(2, 2)
}

func TestLinkAnswerLost(t *testing.T) {
	t.Parallel()
	b := connected(t, hdlc.Parameters{}, nil)
	b.link.Send([]byte("ask"))
	b.sends(i(0, 0), request("ask"), false)
	b.is(b.link.AppendPoll(nil), rr(0), nil, false)
	b.receive(hdlc.EventMessage, i(0, 1), info("answer"))
	require.Equal(t, "answer", string(b.link.Message()))

	// The answer comes late, and then again, for the poll.
	b.link.Send([]byte("next"))
	b.sends(i(1, 1), request("next"), false)
	b.receive(hdlc.EventIgnored, i(0, 1), info("answer"))
	b.silent()
	require.Equal(t, 1, b.link.Duplicates())
	b.receive(hdlc.EventMessage, i(1, 2), info("other answer"))
	require.Equal(t, "other answer", string(b.link.Message()))
}

// A duplicate is dropped even where its N(R) would fit the request.
func TestLinkDuplicateIsNoAnswer(t *testing.T) {
	t.Parallel()
	b := connected(t, hdlc.Parameters{}, nil)
	b.exchange(0, 0)
	b.link.Send([]byte("ask"))
	b.sends(i(1, 1), request("ask"), false)
	b.receive(hdlc.EventIgnored, i(0, 2), info("old answer"))
	b.receive(hdlc.EventIgnored, i(0, 1), info("old answer"))
	require.Nil(t, b.link.Message())
	require.Equal(t, 2, b.link.Duplicates())
	b.receive(hdlc.EventMessage, i(1, 2), info("answer"))
}

func TestLinkSegmentLost(t *testing.T) {
	t.Parallel()
	b := connected(t, hdlc.Parameters{}, nil)
	b.link.Send([]byte("ask"))
	b.sends(i(0, 0), request("ask"), false)
	b.segment(hdlc.EventSegment, i(0, 1), info("a"))
	b.sends(rr(1), nil, false)
	// The next segment is lost; the meter repeats it.
	b.is(b.link.AppendPoll(nil), rr(1), nil, false)
	b.segment(hdlc.EventSegment, i(1, 1), []byte("b"))
	b.sends(rr(2), nil, false)
	// Our RR is lost, and the meter repeats its frame whatever the poll says.
	b.is(b.link.AppendPoll(nil), rr(2), nil, false)
	b.segment(hdlc.EventDuplicate, i(1, 1), []byte("b"))
	b.sends(rr(2), nil, false)
	b.segment(hdlc.EventIgnored, i(1, 1), []byte("b"))
	b.silent()
	b.receive(hdlc.EventMessage, i(2, 1), []byte("c"))
	require.Equal(t, "abc", string(b.link.Message()))
	require.Equal(t, 2, b.link.Duplicates())
}

func TestLinkNotReady(t *testing.T) {
	t.Parallel()
	b := connected(t, hdlc.Parameters{}, nil)
	b.link.Send([]byte("ask"))
	b.sends(i(0, 0), request("ask"), false)
	b.receive(hdlc.EventNotReady, hdlc.ReceiveNotReady(1, true), nil)
	b.silent()
	b.is(b.link.AppendPoll(nil), rr(0), nil, false)
	b.receive(hdlc.EventNotReady, rr(1), nil) // received, no answer yet
	b.is(b.link.AppendPoll(nil), rr(0), nil, false)
	b.receive(hdlc.EventMessage, i(0, 1), info("answer"))

	// Busy before it has taken the request.
	b.link.Send([]byte("ask"))
	b.sends(i(1, 1), request("ask"), false)
	b.receive(hdlc.EventNotReady, hdlc.ReceiveNotReady(1, true), nil)
	b.is(b.link.AppendPoll(nil), rr(1), nil, false)
	b.receive(hdlc.EventRepeatWanted, rr(1), nil)
	b.is(b.link.AppendRepeat(nil), i(1, 1), request("ask"), false)
	b.receive(hdlc.EventMessage, i(1, 2), info("answer"))

	// Idle: a poll keeps the connection alive.
	b.is(b.link.AppendPoll(nil), rr(2), nil, false)
	b.receive(hdlc.EventAcknowledged, rr(2), nil)
	b.silent()
	require.Equal(t, "answer", string(info("answer")[3:]))
}

// Some meters have not counted the first request when they answer it.
func TestLinkAnswerThatDoesNotAcknowledge(t *testing.T) {
	t.Parallel()
	b := connected(t, hdlc.Parameters{}, nil)
	b.link.Send([]byte("ask"))
	b.sends(i(0, 0), request("ask"), false)
	b.receive(hdlc.EventMessage, i(0, 0), info("answer"))
	b.exchange(1, 1)
}

// An answer that was given up comes after the next request was sent, with a
// number of its own: the owner finds that it is no answer to this request, and
// goes on waiting.
func TestLinkLateAnswer(t *testing.T) {
	t.Parallel()
	b := connected(t, hdlc.Parameters{}, nil)
	b.link.Send([]byte("given up"))
	b.sends(i(0, 0), request("given up"), false)
	b.link.Send([]byte("ask"))
	b.sends(i(1, 0), request("ask"), false)
	b.receive(hdlc.EventMessage, i(0, 1), info("late"))
	b.is(b.link.AppendPoll(nil), rr(1), nil, false)
	b.receive(hdlc.EventRepeatWanted, rr(1), nil)
	b.is(b.link.AppendRepeat(nil), i(1, 0), request("ask"), false)
	b.receive(hdlc.EventMessage, i(1, 2), info("answer"))
	require.Equal(t, "answer", string(b.link.Message()))
}

func TestLinkSequenceErrors(t *testing.T) {
	t.Parallel()
	for ns := range uint8(8) {
		for nr := range uint8(8) {
			b := connected(t, hdlc.Parameters{}, nil)
			b.exchange(0, 0)
			b.exchange(1, 1)
			b.link.Send([]byte("ask"))
			b.sends(i(2, 2), request("ask"), false)
			f := b.frame(i(ns, nr), info("answer"), false)
			switch {
			case ns == 1:
				b.receive(hdlc.EventIgnored, f.Control, f.Info)
			case ns != 2:
				b.fails(hdlc.LinkSequence, f)
			case nr == 3 || nr == 2:
				b.receive(hdlc.EventMessage, f.Control, f.Info)
			default:
				b.fails(hdlc.LinkAcknowledge, f)
			}
		}
	}
	for nr := range uint8(8) {
		b := connected(t, hdlc.Parameters{}, nil)
		b.exchange(0, 0)
		switch nr {
		case 0:
			b.receive(hdlc.EventIgnored, rr(nr), nil)
		case 1:
			b.receive(hdlc.EventAcknowledged, rr(nr), nil)
		default:
			b.fails(hdlc.LinkAcknowledge, b.frame(rr(nr), nil, false))
			b.fails(hdlc.LinkAcknowledge, b.frame(hdlc.ReceiveNotReady(nr, true), nil, false))
		}
	}
	// Nothing was sent that could be acknowledged or not.
	b := connected(t, hdlc.Parameters{}, nil)
	b.fails(hdlc.LinkAcknowledge, b.frame(rr(7), nil, false))
	b.fails(hdlc.LinkAcknowledge, b.frame(i(0, 7), info("x"), false))
	require.Empty(t, b.link.AppendRepeat(nil))
}

func TestLinkErrorTexts(t *testing.T) {
	t.Parallel()
	b := connected(t, hdlc.Parameters{}, nil)
	tests := []struct {
		f    hdlc.Frame
		want string
	}{
		{b.frame(rr(5), nil, false), "wrong receive sequence number N(R): RR expects frame 5 from us, the next one is 0"},
		{b.frame(i(3, 0), nil, false), "wrong send sequence number N(S): I frame 3 received, 0 expected"},
		{b.frame(i(0, 0), []byte{0xC4, 1, 2, 3}, false), "no LLC header: information begins with C4 01 02, E6 E7 00 expected"},
	}
	for _, tt := range tests {
		_, err := b.link.Receive(tt.f)
		require.EqualError(t, err, tt.want)
	}
	b = connected(t, hdlc.Parameters{}, func(cfg *hdlc.LinkConfig) { cfg.MaxMessage = 5 })
	_, err := b.link.Receive(b.frame(i(0, 0), info("123456"), false))
	require.EqualError(t, err, "message too long: more than 5 octets in segments")
}

func TestLinkUnnumberedInformation(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	ui := hdlc.Unnumbered(hdlc.UI, false)
	b.receive(hdlc.EventUnnumbered, ui, info("push"))
	b.link.AppendConnect(nil, true)
	b.receive(hdlc.EventUnnumbered, ui, info("push"))
	b.receive(hdlc.EventConnected, hdlc.Unnumbered(hdlc.UA, true), nil)
	b.link.Send([]byte("ask"))
	b.sends(i(0, 0), request("ask"), false)
	b.segment(hdlc.EventSegment, i(0, 1), info("a"))
	b.receive(hdlc.EventUnnumbered, ui, info("push"))
	b.sends(rr(1), nil, false)
	b.receive(hdlc.EventMessage, i(1, 1), []byte("b"))
	require.Equal(t, "ab", string(b.link.Message()))
}

func TestLinkOtherFrames(t *testing.T) {
	t.Parallel()
	b := connected(t, hdlc.Parameters{}, nil)
	b.link.Send([]byte("ask"))
	b.sends(i(0, 0), request("ask"), false)
	b.receive(hdlc.EventIgnored, hdlc.Control(0x19), nil) // REJ
	b.receive(hdlc.EventIgnored, hdlc.Unnumbered(hdlc.SNRM, true), nil)
	b.receive(hdlc.EventIgnored, hdlc.Unnumbered(hdlc.DISC, true), nil)
	b.receive(hdlc.EventMessage, i(0, 1), info("answer"))
}

func TestLinkForeignFrames(t *testing.T) {
	t.Parallel()
	b := connected(t, hdlc.Parameters{}, nil)
	b.link.Send([]byte("ask"))
	b.sends(i(0, 0), request("ask"), false)
	for _, f := range []hdlc.Frame{
		{Destination: client(17), Source: b.cfg.Server},
		{Destination: b.cfg.Client, Source: server(t, 1, 18, 2)},
		{Destination: b.cfg.Client, Source: server(t, 2, 17, 2)},
		{Destination: server(t, 1, 18, 2), Source: b.cfg.Client},
		{Destination: b.cfg.Client, Source: server(t, 1, 0, 1)},
	} {
		f.Control, f.Info = i(0, 1), info("foreign")
		ev, err := b.link.Receive(overWire(t, f))
		require.NoError(t, err)
		require.Equal(t, hdlc.EventIgnored, ev)
	}
	require.Equal(t, 5, b.link.Foreign())

	// The same meter in a longer address.
	f := hdlc.Frame{Destination: b.cfg.Client, Source: server(t, 1, 17, 4), Control: i(0, 1), Info: info("answer")}
	ev, err := b.link.Receive(overWire(t, f))
	require.NoError(t, err)
	require.Equal(t, hdlc.EventMessage, ev)
}

// A meter that is asked as "whoever is there" answers with its own address.
func TestLinkCallingAddress(t *testing.T) {
	t.Parallel()
	for _, physical := range []uint16{0x7E, 0x7F, 0x3FFE, 0x3FFF} {
		b := newBench(t, func(cfg *hdlc.LinkConfig) { cfg.Server = server(t, 1, physical, 0) })
		b.link.AppendConnect(nil, true)
		f := hdlc.Frame{Destination: b.cfg.Client, Source: server(t, 1, 17, 2), Control: hdlc.Unnumbered(hdlc.UA, true)}
		ev, err := b.link.Receive(overWire(t, f))
		require.NoError(t, err)
		require.Equal(t, hdlc.EventConnected, ev)
	}
	b := newBench(t, func(cfg *hdlc.LinkConfig) { cfg.Server = server(t, 1, 0x7F, 4) })
	b.link.AppendConnect(nil, true)
	f := hdlc.Frame{Destination: b.cfg.Client, Source: server(t, 1, 17, 2), Control: hdlc.Unnumbered(hdlc.UA, true)}
	ev, err := b.link.Receive(overWire(t, f))
	require.NoError(t, err)
	require.Equal(t, hdlc.EventIgnored, ev)
}

func TestLinkEcho(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		server hdlc.Address
	}{
		{"other address", server(t, 1, 17, 2)},
		// Client 16 and logical device 16: addresses alone do not tell.
		{"same address", server(t, 16, 0, 1)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, func(cfg *hdlc.LinkConfig) { cfg.Server = tt.server })
			echo := func(wire []byte) {
				t.Helper()
				f, _, err := hdlc.CutFrame(wire)
				require.NoError(t, err)
				ev, err := b.link.Receive(f)
				require.NoError(t, err)
				require.Equal(t, hdlc.EventIgnored, ev)
			}
			pending := func() []byte {
				out, ok := b.link.AppendPending(nil)
				require.True(t, ok)
				return out
			}
			echo(b.link.AppendConnect(nil, true))
			b.receive(hdlc.EventConnected, hdlc.Unnumbered(hdlc.UA, true), nil)
			b.link.Send([]byte("ask"))
			echo(pending())
			b.receive(hdlc.EventMessage, i(0, 1), info("answer"))
			echo(b.link.AppendRepeat(nil))
			b.exchange(1, 1)
			echo(b.link.AppendDisconnect(nil))
			b.receive(hdlc.EventDisconnected, hdlc.Unnumbered(hdlc.UA, true), nil)
			require.Equal(t, 4, b.link.Echoes())
		})
	}
}
