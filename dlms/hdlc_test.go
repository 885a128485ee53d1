package dlms

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/hdlc"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// bubble runs a test in a synctest bubble: its time costs none.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, f)
}

func TestHDLCReadsAndReleases(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := &hdlcMeter{app: meterApp(allServices, 1024, values)}
		l := newLine(m.answer)
		a := associated(t, l, hdlcConfig)
		requireValue(t, a, register(1, 0))
		require.NoError(t, a.Release(context.Background()))
		require.Equal(t, []string{"SNRM", "I", "I", "DISC"}, l.kinds())
		require.Equal(t, 4, a.c.Stats().RoundTrips)
		require.Zero(t, a.c.Stats().Retries)

		_, err := a.Get(context.Background(), register(1, 0), nil)
		require.ErrorIs(t, err, errReleased)
		b, err := a.c.Associate(context.Background(), AssociationConfig{})
		require.NoError(t, err, "a Conn may associate again after a release")
		requireValue(t, b, register(1, 1))
		require.NoError(t, a.Release(context.Background()), "the old association touches nothing")
		requireValue(t, b, register(1, 2))
		require.NoError(t, b.c.Close())
	})
}

func TestSNRMForms(t *testing.T) {
	const reply = 5 * time.Second
	isSNRM := func(f hdlc.Frame) bool { return f.Control.Kind() == hdlc.SNRM }
	tests := []struct {
		name   string
		frame  func(m *hdlcMeter, l *line, f hdlc.Frame) bool
		kinds  []string
		again  []string // of a second association
		took   time.Duration
		useful bool // the parameters proposed were in the SNRM that worked
	}{
		{name: "at once", kinds: []string{"SNRM", "I"}, again: []string{"DISC", "SNRM", "I"}, useful: true},
		{
			name: "not with parameters",
			frame: func(_ *hdlcMeter, _ *line, f hdlc.Frame) bool {
				return isSNRM(f) && len(f.Info) > 0
			},
			kinds: []string{"SNRM", "DISC", "SNRM", "I"}, again: []string{"DISC", "SNRM", "I"}, took: reply,
		},
		{
			name: "DM with parameters",
			frame: func(m *hdlcMeter, l *line, f hdlc.Frame) bool {
				if !isSNRM(f) || len(f.Info) == 0 {
					return false
				}
				l.say(0, m.build(hdlc.Unnumbered(hdlc.DM, true), nil))
				return true
			},
			kinds: []string{"SNRM", "DISC", "SNRM", "I"}, again: []string{"DISC", "SNRM", "I"},
		},
		{
			name: "two lost",
			frame: func() func(*hdlcMeter, *line, hdlc.Frame) bool {
				lost := 0
				return func(_ *hdlcMeter, _ *line, f hdlc.Frame) bool {
					lost++
					return lost <= 4
				}
			}(),
			kinds:  []string{"SNRM", "DISC", "SNRM", "DISC", "SNRM", "I"},
			again:  []string{"DISC", "SNRM", "I"},
			took:   2*reply + 2*time.Second,
			useful: true,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				m := &hdlcMeter{app: meterApp(allServices, 1024, values), frame: tt.frame}
				m.ua = hdlc.Parameters{MaxInfoTransmit: 300, MaxInfoReceive: 300, WindowTransmit: 1, WindowReceive: 1}.Append(nil)
				l := newLine(m.answer)
				start := time.Now()
				a := associated(t, l, hdlcConfig)
				require.Equal(t, tt.took, time.Since(start))
				require.Equal(t, tt.kinds, l.kinds())
				want := 125
				if tt.useful {
					want = 297
				}
				require.Equal(t, want, a.c.link.room())
				l.sent = nil
				require.NoError(t, a.Release(context.Background()))
				a, err := a.c.Associate(context.Background(), AssociationConfig{})
				require.NoError(t, err)
				require.Equal(t, tt.again, l.kinds())
				require.Equal(t, want, a.c.link.room())
			})
		})
	}
}

func TestHDLCSilence(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLine(nil)
		start := time.Now()
		_, err := dialled(t, l, hdlcConfig).Associate(context.Background(), AssociationConfig{})
		var timeout *TimeoutError
		require.ErrorAs(t, err, &timeout)
		require.Equal(t, &TimeoutError{Op: "SNRM", After: 17 * time.Second}, timeout)
		require.EqualError(t, err, "SNRM: no answer within 17s: nothing was received")
		require.Equal(t, 17*time.Second, time.Since(start), "three SNRM and the DISC between them")
		require.Equal(t, []string{"SNRM", "DISC", "SNRM", "DISC", "SNRM"}, l.kinds())
	})
}

func TestDMToEverySNRM(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := &hdlcMeter{frame: func(m *hdlcMeter, l *line, f hdlc.Frame) bool {
			l.say(time.Millisecond, m.build(hdlc.Unnumbered(hdlc.DM, true), nil))
			return true
		}}
		l := newLine(m.answer)
		_, err := dialled(t, l, hdlcConfig).Associate(context.Background(), AssociationConfig{})
		var gone *DisconnectedError
		require.ErrorAs(t, err, &gone)
		require.Equal(t, &DisconnectedError{Op: "SNRM", Mode: "DM"}, gone)
		require.ErrorContains(t, err, "busy with another client")
	})
}

func TestHDLCSegmentsFromTheMeter(t *testing.T) {
	bubble(t, func(t *testing.T) {
		value := append([]byte{0x09, 0x82, 0x01, 0x2C}, bytes.Repeat([]byte{7}, 300)...)
		lost := false
		var info []byte
		m := &hdlcMeter{app: meterApp(allServices, 1024, values)}
		m.frame = onGet(func(_ int, m *hdlcMeter, l *line, f hdlc.Frame) bool {
			switch f.Control.Kind() {
			case hdlc.I:
				m.vr++
				info = append(unhex(t, "E6E700 C401C1 00"), value...)
			case hdlc.RR:
				if f.Control.NR() != m.vs && m.last != nil { // its acknowledgement was lost
					l.say(0, m.last)
					return true
				}
			default:
				return false
			}
			n := min(100, len(info))
			b, err := hdlc.Frame{
				Destination: m.client, Source: m.server, Segmented: n < len(info),
				Control: hdlc.Information(m.vs, m.vr, true), Info: info[:n],
			}.Append(nil)
			require.NoError(t, err)
			info = info[n:]
			m.last, m.vs = b, m.vs+1
			if m.vs == 3 && !lost {
				lost = true
				return true
			}
			l.say(0, b)
			return true
		})
		l := newLine(m.answer)
		a := associated(t, l, hdlcConfig)
		l.sent = nil
		d, err := a.Get(context.Background(), register(1, 7), nil)
		require.NoError(t, err)
		require.Equal(t, value, []byte(d))
		require.Equal(t, []string{"I", "RR", "RR", "RR", "RR"}, l.kinds())
	})
}

func TestAARQInSegments(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var segments [][]byte
		m := &hdlcMeter{app: meterApp(allServices, 1024, values)}
		m.ua = hdlc.Parameters{MaxInfoTransmit: 62, MaxInfoReceive: 62, WindowTransmit: 1, WindowReceive: 1}.Append(nil)
		m.frame = func(m *hdlcMeter, _ *line, f hdlc.Frame) bool {
			if f.Control.Kind() == hdlc.I && len(segments) < 2 {
				segments = append(segments, bytes.Clone(f.Info))
			}
			return false
		}
		app := m.app
		m.app = func(apdu []byte) []byte {
			m.app = app
			return aare(allServices, 1024)
		}
		l := newLine(m.answer)
		c := dialled(t, l, hdlcConfig)
		a, err := c.Associate(context.Background(), AssociationConfig{Mechanism: 1, Password: bytes.Repeat([]byte{'x'}, 20)})
		require.NoError(t, err)
		require.Len(t, segments, 2)
		require.Len(t, segments[0], 62)
		joined := append(bytes.Clone(segments[0]), segments[1]...)
		require.Equal(t, []byte{0xE6, 0xE6, 0x00, 0x60}, joined[:4])
		require.Contains(t, string(joined), strings.Repeat("x", 20))

		n := 0
		err = a.GetList(context.Background(), registers(6), func(int, axdr.Data, error) { n++ })
		require.NoError(t, err)
		require.Equal(t, 6, n)
		for _, b := range l.sent[3:] {
			f, _, err := hdlc.CutFrame(b)
			require.NoError(t, err)
			require.False(t, f.Segmented, "nothing but the AARQ is segmented")
			require.LessOrEqual(t, len(f.Info), 62)
		}
	})
}

func TestHDLCLateAnswerOfAnotherInvokeID(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := &hdlcMeter{app: meterApp(allServices, 1024, values)}
		m.frame = onGet(func(n int, m *hdlcMeter, l *line, f hdlc.Frame) bool {
			if n != 1 {
				return false
			}
			m.vr++
			l.say(0, m.i(xdlms.AppendGetResponseNormal(nil, 0xC7, []byte{0x11, 99})))
			first := m.last
			m.i(values(must(xdlms.ParseGetRequest(f.Info[3:]))))
			require.NotEqual(t, first, m.last)
			return true
		})
		l := newLine(m.answer)
		a := associated(t, l, hdlcConfig)
		start := time.Now()
		requireValue(t, a, register(1, 7))
		require.Equal(t, busyDelay, time.Since(start), "the meter is asked soon for what else it has")
		require.Equal(t, 1, a.c.Stats().Dropped)
	})
}

func TestContextEndsAnExchange(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := &hdlcMeter{app: meterApp(allServices, 1024, values), frame: onGet(func(_ int, _ *hdlcMeter, _ *line, f hdlc.Frame) bool {
			return f.Control.Kind() != hdlc.DISC
		})}
		l := newLine(m.answer)
		a := associated(t, l, hdlcConfig)
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		start := time.Now()
		_, err := a.Get(ctx, register(1, 7), nil)
		require.Equal(t, 2*time.Second, time.Since(start))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		var timeout *TimeoutError
		require.ErrorAs(t, err, &timeout, "the end of the request's time is a timeout with its facts")
		require.Error(t, a.Lost())

		cancelled, cancel := context.WithCancel(context.Background())
		cancel()
		_, err = a.c.Associate(cancelled, AssociationConfig{})
		require.ErrorIs(t, err, context.Canceled)
		l.sent = nil
		m.frame = nil
		a, err = a.c.Associate(context.Background(), AssociationConfig{})
		require.NoError(t, err)
		requireValue(t, a, register(1, 8))

		ctx, cancel = context.WithCancel(context.Background())
		m.frame = onGet(func(_ int, _ *hdlcMeter, _ *line, f hdlc.Frame) bool {
			time.AfterFunc(time.Second, cancel)
			return f.Control.Kind() != hdlc.DISC
		})
		l.sent = nil
		_, err = a.Get(ctx, register(1, 7), nil)
		require.ErrorIs(t, err, context.Canceled)
		require.NoError(t, a.Release(context.Background()))
		require.Equal(t, []string{"I", "DISC"}, l.kinds(), "a link left in mid-exchange is still ended politely")
	})
}

func TestPeerCloses(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := &hdlcMeter{app: meterApp(allServices, 1024, values), frame: onGet(func(_ int, _ *hdlcMeter, l *line, _ hdlc.Frame) bool {
			l.hangUp(time.Second)
			return true
		})}
		l := newLine(m.answer)
		a := associated(t, l, hdlcConfig)
		_, err := a.Get(context.Background(), register(1, 7), nil)
		require.ErrorIs(t, err, io.EOF)
		require.ErrorContains(t, err, "closed by the other side")
		require.ErrorIs(t, a.Lost(), io.EOF)
		l.sent = nil
		require.NoError(t, a.Release(context.Background()))
		require.Empty(t, l.sent)
		_, err = a.c.Associate(context.Background(), AssociationConfig{})
		require.ErrorIs(t, err, io.EOF)
	})
}

func TestMinInterval(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := &hdlcMeter{app: meterApp(allServices, 1024, values)}
		l := newLine(m.answer)
		cfg := hdlcConfig
		cfg.MinInterval = 300 * time.Millisecond
		start := time.Now()
		a := associated(t, l, cfg)
		require.Equal(t, 300*time.Millisecond, time.Since(start), "no pause before the first message")
		requireValue(t, a, register(1, 7))
		require.Equal(t, 600*time.Millisecond, time.Since(start))
	})
}

func TestOtherFramingsOnAnHDLCLine(t *testing.T) {
	tests := []struct {
		name, hex, want string
		eof             bool
	}{
		{name: "wrapper", hex: "0001 0001 0010 0003 D80101", want: "expected HDLC, saw a wrapper header: 0001000100100003D80101"},
		{name: "text", hex: "485454502F312E31203430300D0A", want: `expected HDLC, saw text: "HTTP/1.1 400\r\n"`},
		{name: "text and the end", hex: "485454502F312E31203430300D0A", want: `expected HDLC, saw text: "HTTP/1.1 400\r\n"`, eof: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				l := newLine(func(l *line, _ []byte) {
					l.say(0, unhex(t, tt.hex))
					if tt.eof {
						l.hangUp(0)
					}
				})
				start := time.Now()
				_, err := dialled(t, l, hdlcConfig).Associate(context.Background(), AssociationConfig{})
				require.EqualError(t, err, tt.want)
				require.LessOrEqual(t, time.Since(start), 5*time.Second)
			})
		})
	}
}
