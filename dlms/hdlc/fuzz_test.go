package hdlc_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/hdlc"
)

func FuzzCutFrame(f *testing.F) {
	for _, g := range goldenFrames(f) {
		f.Add(unhex(f, g.wire))
	}
	f.Add(unhex(f, "00FF7EA7FF7EA00703213117877EA00721037301407E7E"))
	f.Add(unhex(f, "7EA00903213117871787 7E"))
	f.Fuzz(func(t *testing.T, in []byte) {
		b := in
		frames := 0
		for range len(in) + 1 {
			frame, rest, err := hdlc.CutFrame(b)
			require.True(t, bytes.HasSuffix(b, rest))
			if errors.Is(err, io.ErrUnexpectedEOF) {
				require.LessOrEqual(t, len(rest), hdlc.MaxFrame)
				b = rest
				break
			}
			require.Less(t, len(rest), len(b), "no progress")
			var frameErr *hdlc.FrameError
			switch {
			case errors.As(err, &frameErr):
				require.NotEmpty(t, frameErr.Error())
				require.Equal(t, len(b)-len(rest), leadingFlags(b)+frameErr.Skipped)
			default:
				require.NoError(t, err)
				frames++
				checkReencoded(t, frame, b[leadingFlags(b):len(b)-len(rest)+1])
			}
			b = rest
		}
		_, _, err := hdlc.CutFrame(b)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF, "more calls than octets")

		// What comes octet by octet is no different.
		if len(in) > 300 {
			return
		}
		var buf []byte
		for _, c := range in {
			var some []hdlc.Frame
			some, buf, _ = cutAll(t, append(buf, c))
			frames -= len(some)
		}
		require.Zero(t, frames)
	})
}

// leadingFlags is the number of flags in front of the one that opens a frame.
func leadingFlags(b []byte) int {
	n := 0
	for n+1 < len(b) && b[n] == hdlc.Flag && b[n+1] == hdlc.Flag {
		n++
	}
	return n
}

func checkReencoded(t *testing.T, f hdlc.Frame, wire []byte) {
	t.Helper()
	b, err := f.Append(nil)
	require.NoError(t, err)
	again, rest, err := hdlc.CutFrame(b)
	require.NoError(t, err)
	require.Equal(t, []byte{hdlc.Flag}, rest)
	require.Equal(t, f, again)
	if len(b)+2 == len(wire) && len(f.Info) == 0 {
		return // two checks around no information, see TestEmptyInformationWithTwoChecks
	}
	require.Equal(t, wire, b)
}

func FuzzParameters(f *testing.F) {
	for _, s := range []string{
		"", "8180 12 05019A 06013E 070400000001 080400000003",
		"8180 14 05020080 06020400 070400000001 080400000001",
		"8180 03 05019A F0 03 010203", "8180 0A 05050000000100 060140", "81 85 02 0102 80 03 05019A", "82",
	} {
		f.Add(unhex(f, s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		p, err := hdlc.ParseParameters(in)
		if err != nil {
			require.NotEmpty(t, err.Error())
		}
		for _, v := range []uint16{p.MaxInfoTransmit, p.MaxInfoReceive} {
			require.GreaterOrEqual(t, v, uint16(hdlc.MinInfo))
			require.LessOrEqual(t, v, uint16(hdlc.MaxInfo))
		}
		for _, v := range []uint16{p.WindowTransmit, p.WindowReceive} {
			require.GreaterOrEqual(t, v, uint16(1))
			require.LessOrEqual(t, v, uint16(hdlc.MaxWindow))
		}
		for _, b := range [][]byte{p.Append(nil), p.AppendLong(nil)} {
			again, err := hdlc.ParseParameters(b)
			require.NoError(t, err)
			require.Equal(t, p, again)
		}
	})
}

// FuzzLink plays a meter that answers anything. Each step is an octet that says
// what the owner of the link does, or the control field of a frame with some
// octets of information.
func FuzzLink(f *testing.F) {
	f.Add([]byte{0, 0, 6, 0x30, 0x05, 1, 2, 6, 0x52, 0x03}, uint8(1))
	f.Add([]byte{0, 6, 0x30, 0x85, 1, 6, 0x32, 0x85, 1, 6, 0x34, 0x05}, uint8(1))
	f.Add([]byte{0, 6, 0x20, 0x85, 6, 0x22, 0x85, 6, 0x36, 0x85, 1, 6, 0x11, 0, 2, 6, 0x31, 0, 3}, uint8(7))
	f.Add([]byte{0, 2, 6, 0x11, 0, 3, 6, 0x35, 0, 2, 6, 0x1F, 0, 5, 6, 0x73, 0}, uint8(1))
	f.Fuzz(func(t *testing.T, steps []byte, window uint8) {
		const maxMessage = 500
		ua := hdlc.Parameters{MaxInfoTransmit: 64, MaxInfoReceive: 40, WindowTransmit: uint16(window)}
		b := connected(t, ua, func(cfg *hdlc.LinkConfig) {
			cfg.MaxMessage = maxMessage
			cfg.Proposal.WindowReceive = 7
		})
		apdu := bytes.Repeat([]byte("request"), 10)
		check := func(out []byte) {
			if len(out) == 0 {
				return
			}
			frame, rest, err := hdlc.CutFrame(out)
			require.NoError(t, err)
			require.Len(t, rest, 1)
			require.Equal(t, b.cfg.Server, frame.Destination)
			require.Equal(t, b.cfg.Client, frame.Source)
			require.LessOrEqual(t, len(frame.Info), max(b.link.MaxSend(), 128))
		}
		for len(steps) > 0 {
			step := steps[0]
			steps = steps[1:]
			switch step % 8 {
			case 0:
				b.link.Send(apdu[:int(step)%len(apdu)])
			case 1:
				out, ok := b.link.AppendPending(nil)
				require.Equal(t, ok, len(out) > 0)
				check(out)
			case 2:
				check(b.link.AppendPoll(nil))
			case 3:
				check(b.link.AppendRepeat(nil))
			case 4:
				check(b.link.AppendConnect(nil, step&8 == 0))
			case 5:
				check(b.link.AppendDisconnect(nil))
			default:
				if len(steps) < 2 {
					return
				}
				n := min(int(steps[1]&0x7F), len(steps)-2)
				frame := b.frame(hdlc.Control(steps[0]), steps[2:2+n], steps[1]&0x80 != 0)
				if step&0x40 != 0 {
					frame.Info = append(info(""), frame.Info...)
				}
				if step&0x80 != 0 {
					frame.Source, frame.Destination = frame.Destination, frame.Source
				}
				steps = steps[2:]
				ev, err := b.link.Receive(frame)
				require.LessOrEqual(t, len(b.link.Message()), maxMessage)
				if err != nil {
					var linkErr *hdlc.LinkError
					require.ErrorAs(t, err, &linkErr)
					require.Equal(t, hdlc.EventIgnored, ev)
				}
				if ev == hdlc.EventMessage {
					require.NotNil(t, b.link.Message())
				}
			}
		}
	})
}
