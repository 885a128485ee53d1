package dlms

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/hdlc"
)

// onGet has a fault happen at the GETs of a session: n counts the frames that
// come after the association was made.
func onGet(fault func(n int, m *hdlcMeter, l *line, f hdlc.Frame) bool) func(*hdlcMeter, *line, hdlc.Frame) bool {
	frames := 0
	return func(m *hdlcMeter, l *line, f hdlc.Frame) bool {
		kind := f.Control.Kind()
		if kind == hdlc.SNRM || kind == hdlc.I && m.vr == 0 && m.vs == 0 {
			frames = 0
			return false
		}
		frames++
		return fault(frames, m, l, f)
	}
}

// recoveries are faults that a reading survives.
var recoveries = []struct {
	name    string
	fault   func(n int, m *hdlcMeter, l *line, f hdlc.Frame) bool
	kinds   []string
	took    time.Duration
	retries int
}{
	{
		name:  "request lost",
		fault: func(n int, _ *hdlcMeter, _ *line, _ hdlc.Frame) bool { return n == 1 },
		kinds: []string{"I", "RR", "I"}, took: reply5, retries: 1,
	},
	{
		name: "answer lost",
		fault: func(n int, m *hdlcMeter, l *line, f hdlc.Frame) bool {
			if n == 1 {
				m.handle(l, f)
				l.queue = nil
			}
			return n == 1
		},
		kinds: []string{"I", "RR"}, took: reply5, retries: 1,
	},
	{
		name: "answer damaged",
		fault: func(n int, m *hdlcMeter, l *line, f hdlc.Frame) bool {
			if n == 1 {
				m.handle(l, f)
				l.queue[0].b[12] ^= 1
			}
			return n == 1
		},
		kinds: []string{"I", "RR"}, took: reply5, retries: 1,
	},
	{
		name:  "request and poll lost",
		fault: func(n int, _ *hdlcMeter, _ *line, _ hdlc.Frame) bool { return n <= 2 },
		kinds: []string{"I", "RR", "RR", "I"}, took: 2 * reply5, retries: 2,
	},
	{
		name: "answer after the timeout",
		fault: func(n int, m *hdlcMeter, l *line, f hdlc.Frame) bool {
			if n == 1 {
				m.handle(l, f)
				l.queue[0].at = l.queue[0].at.Add(reply5 + time.Second)
			}
			return n == 2
		},
		kinds: []string{"I", "RR"}, took: reply5 + time.Second, retries: 1,
	},
	{
		name: "a meter that acknowledges and takes its time",
		fault: func(n int, m *hdlcMeter, l *line, f hdlc.Frame) bool {
			switch n {
			case 1:
				m.handle(l, f)
				l.queue = nil
				l.say(0, m.build(hdlc.ReceiveReady(m.vr, true), nil))
			case 2:
				l.say(0, m.build(hdlc.ReceiveReady(m.vr, true), nil))
			default:
				return false
			}
			return true
		},
		kinds: []string{"I", "RR", "RR"}, took: 3 * busyDelay,
	},
	{
		name: "not ready",
		fault: func(n int, m *hdlcMeter, l *line, f hdlc.Frame) bool {
			if n < 3 {
				l.say(0, m.build(hdlc.ReceiveNotReady(m.vr, true), nil))
			}
			return n < 3
		},
		kinds: []string{"I", "RR", "RR", "I"}, took: 3 * busyDelay,
	},
	{
		name: "notifications in between",
		fault: func(n int, m *hdlcMeter, l *line, f hdlc.Frame) bool {
			if n == 1 {
				l.say(time.Second, m.build(hdlc.Unnumbered(hdlc.UI, false), mustHex("E6E700 0F 40000000 00 00")))
			}
			return false
		},
		kinds: []string{"I"}, took: time.Second,
	},
	{
		name: "a frame between others",
		fault: func(n int, m *hdlcMeter, l *line, f hdlc.Frame) bool {
			if n == 1 {
				client := m.client
				m.client.Upper = 77
				l.say(time.Second, m.build(hdlc.Information(0, 0, true), mustHex("E6E700 C401C1 00 1101")))
				m.client = client
			}
			return false
		},
		kinds: []string{"I"}, took: time.Second,
	},
	{
		name: "noise before the answer",
		fault: func(n int, m *hdlcMeter, l *line, f hdlc.Frame) bool {
			if n == 1 {
				l.say(0, mustHex("00FF7E7EA0037EA7FF0321557E"))
			}
			return false
		},
		kinds: []string{"I"},
	},
	{
		name: "a false beginning that swallows the answer",
		fault: func(n int, m *hdlcMeter, l *line, f hdlc.Frame) bool {
			if n == 1 {
				l.say(0, mustHex("7EA7FF"))
			}
			return false
		},
		kinds: []string{"I"},
	},
}

func TestHDLCRecovery(t *testing.T) {
	for _, tt := range recoveries {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				m := &hdlcMeter{app: meterApp(allServices, 1024, values), frame: onGet(tt.fault)}
				l := newLine(m.answer)
				a := associated(t, l, hdlcConfig)
				l.sent = nil
				start := time.Now()
				requireValue(t, a, register(1, 7))
				require.Equal(t, tt.took, time.Since(start))
				require.Equal(t, tt.kinds, l.kinds())
				if last := len(l.sent) - 1; last > 0 && tt.kinds[last] == "I" {
					require.Equal(t, l.sent[0], l.sent[last], "the repeated frame is the identical one")
				}
				require.Equal(t, tt.retries, a.c.Stats().Retries)
				requireValue(t, a, register(2, 8))
			})
		})
	}
}

// defeats are faults that end an exchange.
var defeats = []struct {
	name  string
	fault func(n int, m *hdlcMeter, l *line, f hdlc.Frame) bool
	kinds []string
	took  time.Duration
	check func(t *testing.T, err error)
}{
	{
		name:  "silence",
		fault: func(int, *hdlcMeter, *line, hdlc.Frame) bool { return true },
		kinds: []string{"I", "RR", "RR", "DISC"}, took: 3*reply5 + time.Second,
		check: func(t *testing.T, err error) {
			require.ErrorContains(t, err, "no answer within 15s: nothing was received")
		},
	},
	{
		name: "frame never acknowledged",
		fault: func(_ int, m *hdlcMeter, l *line, f hdlc.Frame) bool {
			if f.Control.Kind() == hdlc.RR {
				l.say(0, m.rr())
			}
			return f.Control.Kind() != hdlc.DISC
		},
		kinds: []string{"I", "RR", "I", "RR", "I", "DISC"}, took: 3 * reply5,
		check: func(t *testing.T, err error) { require.ErrorContains(t, err, "none of them the answer") },
	},
	{
		name: "not ready for ever",
		fault: func(_ int, m *hdlcMeter, l *line, f hdlc.Frame) bool {
			if f.Control.Kind() != hdlc.DISC {
				l.say(0, m.build(hdlc.ReceiveNotReady(m.vr, true), nil))
			}
			return f.Control.Kind() != hdlc.DISC
		},
		kinds: []string{"I", "RR", "RR", "RR", "RR", "RR", "RR", "DISC"}, took: 3 * reply5,
		check: func(t *testing.T, err error) { require.ErrorContains(t, err, "not ready (RNR)") },
	},
	{
		name: "DM",
		fault: func(_ int, m *hdlcMeter, l *line, _ hdlc.Frame) bool {
			l.say(0, m.build(hdlc.Unnumbered(hdlc.DM, true), nil))
			return true
		},
		kinds: []string{"I"},
		check: func(t *testing.T, err error) {
			var gone *DisconnectedError
			require.ErrorAs(t, err, &gone)
			require.Equal(t, "DM", gone.Mode)
		},
	},
	{
		name: "FRMR",
		fault: func(_ int, m *hdlcMeter, l *line, _ hdlc.Frame) bool {
			l.say(0, m.build(hdlc.Unnumbered(hdlc.FRMR, true), []byte{0x54, 0x00, 0x10}))
			return true
		},
		kinds: []string{"I"},
		check: func(t *testing.T, err error) {
			require.ErrorContains(t, err, "FRMR 540010: I(s2,r2,P/F) rejected: invalid N(R)): the link is gone")
		},
	},
	{
		name: "echo of all we send",
		fault: func(_ int, _ *hdlcMeter, l *line, f hdlc.Frame) bool {
			b := must(f.Append(nil))
			l.say(0, b)
			return true
		},
		kinds: []string{"I", "RR", "RR", "DISC"}, took: 3*reply5 + time.Second,
		check: func(t *testing.T, err error) {
			var timeout *TimeoutError
			require.ErrorAs(t, err, &timeout)
			require.True(t, timeout.Echo)
			require.ErrorContains(t, err, "only our own message came back (echo)")
		},
	},
	{
		name: "wrong FCS always",
		fault: func(_ int, m *hdlcMeter, l *line, _ hdlc.Frame) bool {
			b := m.rr()
			b[len(b)-2] ^= 0xFF
			l.say(0, b)
			return true
		},
		kinds: []string{"I", "RR", "RR", "DISC"}, took: 3*reply5 + time.Second,
		check: func(t *testing.T, err error) {
			var timeout *TimeoutError
			require.ErrorAs(t, err, &timeout)
			require.Equal(t, 3, timeout.FrameErrors)
			require.ErrorContains(t, err, "3 broken frames")
		},
	},
	{
		name: "truncated frame",
		fault: func(_ int, m *hdlcMeter, l *line, _ hdlc.Frame) bool {
			b := m.build(hdlc.Information(m.vs, m.vr, true), bytes.Repeat([]byte{1}, 60))
			l.say(0, b[:30])
			return true
		},
		kinds: []string{"I", "RR", "RR", "DISC"}, took: 3*reply5 + time.Second,
		check: func(t *testing.T, err error) { require.ErrorContains(t, err, "broken frame") },
	},
	{
		name: "wrong sequence number",
		fault: func(_ int, m *hdlcMeter, l *line, f hdlc.Frame) bool {
			if f.Control.Kind() == hdlc.DISC {
				return false
			}
			l.say(0, m.build(hdlc.Information(m.vs+3, m.vr+1, true), mustHex("E6E700 C401C2 00 1101")))
			return true
		},
		kinds: []string{"I", "DISC"},
		check: func(t *testing.T, err error) {
			var protocol *ProtocolError
			require.ErrorAs(t, err, &protocol)
			require.ErrorContains(t, err, "N(S)")
		},
	},
}

func TestHDLCGivesUp(t *testing.T) {
	for _, tt := range defeats {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				m := &hdlcMeter{app: meterApp(allServices, 1024, values), frame: onGet(tt.fault)}
				l := newLine(m.answer)
				a := associated(t, l, hdlcConfig)
				l.sent = nil
				start := time.Now()
				_, err := a.Get(context.Background(), register(1, 7), nil)
				require.Error(t, err)
				tt.check(t, err)
				require.Equal(t, tt.took, time.Since(start))
				require.Equal(t, tt.kinds, l.kinds())
				require.ErrorIs(t, a.Lost(), err)
				_, again := a.Get(context.Background(), register(1, 7), nil)
				require.ErrorIs(t, again, err, "an association that is lost stays so")

				m.frame = nil
				a, err = a.c.Associate(context.Background(), AssociationConfig{})
				require.NoError(t, err)
				requireValue(t, a, register(2, 8))
			})
		})
	}
}

func TestHDLCNeverIdle(t *testing.T) {
	bubble(t, func(t *testing.T) {
		noise := bytes.Repeat([]byte{0x55, 0x7E, 0xA0}, 3)
		m := &hdlcMeter{app: meterApp(allServices, 1024, values), frame: onGet(func(_ int, _ *hdlcMeter, l *line, _ hdlc.Frame) bool {
			for i := range 1000 {
				l.queue = append(l.queue, said{at: time.Now().Add(time.Duration(i) * 100 * time.Millisecond), b: noise})
			}
			return true
		})}
		l := newLine(m.answer)
		a := associated(t, l, hdlcConfig)
		start := time.Now()
		_, err := a.Get(context.Background(), register(1, 7), nil)
		var timeout *TimeoutError
		require.ErrorAs(t, err, &timeout)
		require.NotEmpty(t, timeout.Noise)
		require.Less(t, time.Since(start), 30*time.Second, "a line that is never quiet ends nothing later")
		require.LessOrEqual(t, len(a.c.rx), 2*smallBuffer)
	})
}

func TestHDLCTrickle(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := &hdlcMeter{app: meterApp(allServices, 1024, values)}
		m.frame = onGet(func(n int, m *hdlcMeter, l *line, f hdlc.Frame) bool {
			if n == 1 { // an announced frame of 2000 octets, one octet each 400 ms
				b := m.build(hdlc.Information(m.vs, m.vr+1, true), append(unhex(t, "E6E700"), make([]byte, 2000)...))
				for i := range b {
					l.queue = append(l.queue, said{at: time.Now().Add(time.Duration(i) * 400 * time.Millisecond), b: b[i : i+1]})
				}
			}
			return true
		})
		l := newLine(m.answer)
		a := associated(t, l, hdlcConfig)
		start := time.Now()
		_, err := a.Get(context.Background(), register(1, 7), nil)
		require.Error(t, err)
		require.Less(t, time.Since(start), 2*time.Minute)
	})
}

func TestSmallerFramesAfterDamage(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := &hdlcMeter{app: meterApp(allServices, 1024, values)}
		damage := onGet(func(_ int, m *hdlcMeter, l *line, f hdlc.Frame) bool {
			m.handle(l, f)
			if n := len(l.queue); n > 0 && len(l.queue[n-1].b) > 15 {
				l.queue[n-1].b[14] ^= 1
			}
			return true
		})
		l := newLine(m.answer)
		a := associated(t, l, hdlcConfig)
		h := a.c.hdlc
		for _, want := range []int{128, 64, 64} {
			m.frame = damage
			_, err := a.Get(context.Background(), register(1, 7), nil)
			require.Error(t, err)
			require.Equal(t, want, h.info)
			m.frame = nil
			a, err = a.c.Associate(context.Background(), AssociationConfig{})
			require.NoError(t, err)
		}
	})
}

// A meter that alternates between "not ready" and "repeat" makes no progress,
// and must not be able to keep us.
func TestHDLCNeverProgressing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := &hdlcMeter{app: meterApp(allServices, 1024, values)}
		m.frame = onGet(func(_ int, m *hdlcMeter, l *line, f hdlc.Frame) bool {
			switch f.Control.Kind() {
			case hdlc.I:
				l.say(time.Second, m.build(hdlc.ReceiveNotReady(m.vr, true), nil))
			case hdlc.RR:
				l.say(time.Second, m.rr())
			default:
				return false
			}
			return true
		})
		a := associated(t, newLine(m.answer), hdlcConfig)
		start := time.Now()
		_, err := a.Get(context.Background(), register(1, 7), nil)
		var timeout *TimeoutError
		require.ErrorAs(t, err, &timeout)
		require.Less(t, time.Since(start), time.Minute)
	})
}
