package dlms

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest/fault"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/hdlc"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/wrapper"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// flood is a Transport whose far side never stops sending: a piece each so
// often, whatever it is told. A piece of the answer comes first, if there is one.
type flood struct {
	*line
	piece  func() []byte
	pause  time.Duration
	next   time.Time
	after  int // messages answered properly before the flood begins
	writes int
}

func (f *flood) Write(b []byte) (int, error) {
	if f.writes++; f.writes <= f.after {
		return f.line.Write(b)
	}
	f.line.mu.Lock()
	f.line.sent = append(f.line.sent, bytes.Clone(b))
	f.line.mu.Unlock()
	return len(b), nil
}

func (f *flood) Read(b []byte) (int, error) {
	f.line.mu.Lock()
	if f.writes > f.after && len(f.line.queue) == 0 {
		f.next = later(f.next.Add(f.pause), time.Now())
		f.line.queue = append(f.line.queue, said{at: f.next, b: f.piece()})
	}
	f.line.mu.Unlock()
	return f.line.Read(b)
}

// The bounds are those that the package's documentation gives.
func TestFloods(t *testing.T) {
	ui := must(hdlc.Frame{
		Destination: hdlc.ClientAddress(16), Source: hdlc.Address{Upper: 1, Size: 1},
		Control: hdlc.Unnumbered(hdlc.UI, false), Info: mustHex("E6E700 0F 40000000 00 00"),
	}.Append(nil))
	foreign := must(hdlc.Frame{
		Destination: hdlc.ClientAddress(99), Source: hdlc.Address{Upper: 1, Size: 1},
		Control: hdlc.Information(0, 0, true), Info: mustHex("E6E700 C401C1 00 1101"),
	}.Append(nil))
	whole := func(b []byte) func() []byte { return func() []byte { return b } }
	octetByOctet := func(b []byte) func() []byte {
		i := -1
		return func() []byte { i++; return b[i%len(b) : i%len(b)+1] }
	}
	stray := wrapped(wrapper.Header{Source: 16, Destination: 1}, mustHex("C401CF 00 1163"))
	long := wrapped(wrapper.Header{Source: 16, Destination: 1}, append(mustHex("0F 40000000 00 0982FFF0"), make([]byte, 0xFFF0)...))
	const slowest = 5*time.Second + 5*time.Second + 528*40*time.Millisecond // of an attempt, HDLC
	const longest = 5*time.Second + 5*time.Second + 65543*4*time.Millisecond
	tests := []struct {
		name    string
		framing Framing
		piece   func() func() []byte
		pause   time.Duration
		within  time.Duration
	}{
		{"UI frames", HDLC, func() func() []byte { return whole(ui) }, time.Millisecond, 17 * time.Second},
		{"UI frames in a row", HDLC, func() func() []byte { return whole(bytes.Repeat(ui, 20)) }, 100 * time.Millisecond, 17 * time.Second},
		{"UI frames octet by octet", HDLC, func() func() []byte { return octetByOctet(ui) }, 33 * time.Millisecond, 20 * time.Second},
		{"foreign frames", HDLC, func() func() []byte { return whole(foreign) }, time.Millisecond, 17 * time.Second},
		{"one octet a second", HDLC, func() func() []byte { return octetByOctet(foreign) }, time.Second, 20 * time.Second},
		{"an octet each 400 ms", HDLC, func() func() []byte { return octetByOctet(mustHex("7EA7FF0321")) }, 400 * time.Millisecond, 3*slowest + 2*time.Second},
		{"beginnings of frames", HDLC, func() func() []byte { return whole(mustHex("7EA7FF7EA7FF7EA7FF")) }, 10 * time.Millisecond, 3*slowest + 2*time.Second},
		{"flags", HDLC, func() func() []byte { return whole(mustHex("7E7E7E7E7E")) }, 10 * time.Millisecond, 17 * time.Second},
		{"APDUs of another invoke id", Wrapper, func() func() []byte { return whole(stray) }, time.Millisecond, 6 * time.Second},
		{"notifications octet by octet", Wrapper, func() func() []byte { return octetByOctet(stray) }, time.Second, longest},
		{"long notifications", Wrapper, func() func() []byte { return octetByOctet(long) }, 3 * time.Millisecond, longest},
		{"long notifications, slowly", Wrapper, func() func() []byte { return octetByOctet(long) }, time.Second, longest},
		{"empty APDUs", Wrapper, func() func() []byte { return whole(mustHex("0001 0001 0010 0000")) }, time.Millisecond, 6 * time.Second},
	}
	for _, tt := range tests {
		for _, after := range []int{0, 1, 2, 3} {
			t.Run(fmt.Sprintf("%s, after message %d", tt.name, after), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					m := &hdlcMeter{app: meterApp(allServices, 1024, values)}
					answer, cfg := m.answer, hdlcConfig
					if tt.framing == Wrapper {
						answer, cfg = wrapperMeter(m.app), wrapperConfig
					}
					f := &flood{line: newLine(answer), piece: tt.piece(), pause: tt.pause, after: after}
					c, err := NewConn(f, cfg)
					require.NoError(t, err)
					start := time.Now()
					a, err := c.Associate(context.Background(), AssociationConfig{})
					if err == nil {
						start = time.Now()
						_, err = a.Get(context.Background(), register(1, 1), nil)
						if err == nil {
							start = time.Now()
							_ = a.Release(context.Background())
						}
						err = errors.Join(err, errors.New("released"))
					}
					require.Error(t, err)
					require.LessOrEqual(t, time.Since(start), tt.within+2*time.Second)
					require.LessOrEqual(t, len(c.rx), 2*65543)
				})
			})
		}
	}
}

// Each segment is progress for its message, but messages that nobody wants are
// none for the exchange.
func TestEndlessMessagesOfAnotherInvokeID(t *testing.T) {
	for _, segmented := range []bool{false, true} {
		t.Run(fmt.Sprintf("segmented %t", segmented), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				m := &hdlcMeter{app: meterApp(allServices, 1024, values)}
				frames := 0
				m.frame = onGet(func(_ int, m *hdlcMeter, l *line, f hdlc.Frame) bool {
					kind := f.Control.Kind()
					if kind != hdlc.I && kind != hdlc.RR {
						return false
					}
					if kind == hdlc.I {
						m.vr++
					}
					frames++
					more := segmented && frames%3 != 0
					info := append(mustHex("E6E700 C401CF 00 0982 0400"), make([]byte, 400)...)
					if segmented && frames%3 != 1 {
						info = make([]byte, 312)
					}
					b := must(hdlc.Frame{
						Destination: m.client, Source: m.server, Segmented: more,
						Control: hdlc.Information(m.vs, m.vr, true), Info: info,
					}.Append(nil))
					m.vs = (m.vs + 1) % 8
					l.say(0, b)
					return true
				})
				a := associated(t, newLine(m.answer), hdlcConfig)
				start := time.Now()
				_, err := a.Get(context.Background(), register(1, 7), nil)
				require.Error(t, err)
				require.Less(t, frames, 10000)
				require.LessOrEqual(t, time.Since(start), 30*time.Minute)
				m.frame = nil
				_, err = a.c.Associate(context.Background(), AssociationConfig{})
				require.NoError(t, err)
			})
		})
	}
}

// Whenever the caller gives up, all ends at once: a read immediately, an
// Associate after the short farewell that it owes to a meter that has answered.
func TestCancelAtAnyMoment(t *testing.T) {
	for _, framing := range []Framing{HDLC, Wrapper} {
		for at := time.Duration(0); at < 14*time.Second; at += 230 * time.Millisecond {
			t.Run(fmt.Sprintf("%s, %s", framing, at), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					m := &hdlcMeter{app: meterApp(allServices, 1024, values), delay: 900 * time.Millisecond}
					answer, cfg := m.answer, hdlcConfig
					if framing == Wrapper {
						answer, cfg = func(l *line, b []byte) {
							h, apdu, _, _ := wrapper.Cut(b)
							l.say(m.delay, wrapped(h, m.app(apdu)))
						}, wrapperConfig
					}
					cfg.MinInterval = 300 * time.Millisecond
					c := dialled(t, newLine(answer), cfg)
					ctx, cancel := context.WithCancel(context.Background())
					var cancelled time.Time
					time.AfterFunc(at, func() {
						cancelled = time.Now()
						cancel()
					})
					defer cancel()
					a, err := c.Associate(ctx, AssociationConfig{})
					if err != nil {
						require.ErrorIs(t, err, context.Canceled)
						require.LessOrEqual(t, time.Since(cancelled), goodbye)
						return
					}
					for err == nil {
						ats := registers(3)
						given := 0
						err = a.GetList(ctx, ats, func(int, axdr.Data, error) { given++ })
						require.Equal(t, 3, given)
						if err == nil {
							_, err = a.Get(ctx, register(1, 1), nil)
						}
						if err == nil {
							err = a.GetRows(ctx, register(1, 1), nil, func(axdr.Data) error { return nil })
							var protocol *ProtocolError
							require.True(t, errors.As(err, &protocol) || errors.Is(err, context.Canceled), "%v", err)
							if protocol != nil {
								err = nil
							}
						}
					}
					require.ErrorIs(t, err, context.Canceled)
					require.Equal(t, cancelled, time.Now())
					require.NoError(t, a.Release(context.Background()), "a release has a time of its own")
					synctest.Wait()
				})
			})
		}
	}
}

// A meter that has acknowledged the request and then dies is dead: the next
// request must not wait for it once more.
func TestAcknowledgedAndThenDead(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := &hdlcMeter{app: meterApp(allServices, 1024, values)}
		m.frame = onGet(func(n int, m *hdlcMeter, l *line, _ hdlc.Frame) bool {
			if n == 1 {
				m.vr++
				l.say(0, m.rr())
			}
			return true
		})
		a := associated(t, newLine(m.answer), hdlcConfig)
		_, err := a.Get(context.Background(), register(1, 7), nil)
		var timeout *TimeoutError
		require.ErrorAs(t, err, &timeout)
		require.True(t, timeout.Acknowledge)
		require.ErrorIs(t, a.Lost(), err)
	})
}

// Rows are decoded with a Decoder, whose errors wrap io.ErrUnexpectedEOF where a
// row is shorter than expected. That is the caller's error, and no lack of octets.
func TestGetRowsErrorOfTheCaller(t *testing.T) {
	for _, size := range []int{7, 100, 10000} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				body := profile(10)
				app := meterApp(allServices, 0, blocksOf(body, size, 1))
				a := associated(t, newLine(wrapperMeter(app)), wrapperConfig)
				mine := fmt.Errorf("column 3: %w", io.ErrUnexpectedEOF)
				rows := 0
				err := a.GetRows(context.Background(), register(1, 1), nil, func(axdr.Data) error {
					if rows++; rows == 2 {
						return mine
					}
					return nil
				})
				require.Equal(t, mine, err)
				require.Equal(t, 2, rows)
			})
		})
	}
}

// A meter that dribbles a message, a few octets in each segment and each of
// them just in time, makes progress, but not enough of it.
func TestSegmentsTooSlow(t *testing.T) {
	tests := []struct {
		name   string
		octets int
		pause  time.Duration
		limit  time.Duration
	}{
		{"one octet each", 1, 4900 * time.Millisecond, 3 * time.Minute},
		{"none at all", 0, 4900 * time.Millisecond, 3 * time.Minute},
		{"none at all, at once", 0, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				m := &hdlcMeter{app: meterApp(allServices, 1024, values)}
				m.frame = onGet(func(n int, m *hdlcMeter, l *line, f hdlc.Frame) bool {
					if kind := f.Control.Kind(); kind != hdlc.I && kind != hdlc.RR {
						return false
					}
					m.vr = (f.Control.NS() + 1) % 8
					info := make([]byte, tt.octets)
					if n == 1 {
						m.vr = 2
						info = mustHex("E6E700 C401C1 00 0982 FFFF")
					}
					l.say(tt.pause, must(hdlc.Frame{
						Destination: m.client, Source: m.server, Segmented: true,
						Control: hdlc.Information(m.vs, 2, true), Info: info,
					}.Append(nil)))
					m.vs = (m.vs + 1) % 8
					return true
				})
				cfg := hdlcConfig
				cfg.MaxAPDU = 1 << 16
				l := newLine(m.answer)
				a := associated(t, l, cfg)
				start := time.Now()
				_, err := a.Get(context.Background(), register(1, 7), nil)
				require.Error(t, err)
				require.LessOrEqual(t, time.Since(start), tt.limit)
				require.Error(t, a.Lost())
			})
		})
	}
}

// counter counts the changes of direction on a line, as a proxy would.
type counter struct {
	*line
	turns int
	ours  bool
}

func (c *counter) Write(b []byte) (int, error) {
	c.ours = true
	return c.line.Write(b)
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.line.Read(b)
	if n > 0 && c.ours {
		c.ours = false
		c.turns++
	}
	return n, err
}

func TestRoundTripsAreThoseOfAProxy(t *testing.T) {
	for _, tt := range recoveries {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				m := &hdlcMeter{app: meterApp(allServices, 1024, values), frame: onGet(tt.fault)}
				proxy := &counter{line: newLine(m.answer)}
				c, err := NewConn(proxy, hdlcConfig)
				require.NoError(t, err)
				a, err := c.Associate(context.Background(), AssociationConfig{})
				require.NoError(t, err)
				requireValue(t, a, register(1, 7))
				require.NoError(t, a.Release(context.Background()))
				require.Equal(t, proxy.turns, c.Stats().RoundTrips)
			})
		})
	}
}

// Octets that look like text are noise on a link that has been opened: they
// must not cost the repetitions that lost frames get.
func TestNoiseThatReadsLikeText(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := &hdlcMeter{app: meterApp(allServices, 1024, values)}
		m.frame = onGet(func(n int, _ *hdlcMeter, l *line, _ hdlc.Frame) bool {
			if n == 1 {
				l.say(0, []byte("UUUUUU"))
			}
			return n == 1
		})
		a := associated(t, newLine(m.answer), hdlcConfig)
		requireValue(t, a, register(1, 7))

		m.frame = onGet(func(_ int, _ *hdlcMeter, l *line, _ hdlc.Frame) bool {
			l.say(0, []byte("UUUUUU"))
			l.hangUp(0)
			return true
		})
		m.vs, m.vr = 2, 2
		_, err := a.Get(context.Background(), register(1, 7), nil)
		require.ErrorIs(t, err, io.EOF)
	})
}

// The answer to the DISC between two SNRM takes as long as any other on a slow
// link, and must not be taken for the answer to the SNRM that follows it.
func TestSNRMFormsOnASlowLink(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := &hdlcMeter{app: meterApp(allServices, 1024, values), delay: 4 * time.Second}
		open := false
		m.frame = func(m *hdlcMeter, l *line, f hdlc.Frame) bool {
			switch f.Control.Kind() {
			case hdlc.SNRM:
				open = len(f.Info) == 0
				return !open
			case hdlc.DISC:
				if !open {
					l.say(m.delay, m.build(hdlc.Unnumbered(hdlc.DM, true), nil))
				}
				return !open
			default:
				return false
			}
		}
		cfg := hdlcConfig
		cfg.ReplyTimeout = 30 * time.Second
		l := newLine(m.answer)
		a := associated(t, l, cfg)
		require.Equal(t, []string{"SNRM", "DISC", "SNRM", "I"}, l.kinds())
		requireValue(t, a, register(1, 7))
	})
}

// Datagrams come twice and in any order.
func TestDatagramsOfBlocksInAnyOrder(t *testing.T) {
	bubble(t, func(t *testing.T) {
		value := append([]byte{0x09, 0x81, 0x80}, bytes.Repeat([]byte{5}, 128)...)
		get := blocksOf(value, 20, 1)
		var said [][]byte
		l, cfg := datagrams(atGet(func(_ int, l *line, h wrapper.Header, apdu []byte) {
			for i := len(said) - 1; i >= 0; i-- {
				l.say(0, said[i])
			}
			b := wrapped(h, get(must(xdlms.ParseGetRequest(apdu))))
			said = append(said, b)
			l.say(0, b)
		}))
		a := associated(t, l, cfg)
		d, err := a.Get(context.Background(), register(1, 1), nil)
		require.NoError(t, err)
		require.Equal(t, value, []byte(d))
		require.Zero(t, a.c.Stats().Retries)
	})
}

// A client and a logical device may have the same number, and then only the
// contents of a frame tell an echo from an answer.
func TestEchoWithEqualAddresses(t *testing.T) {
	for _, lost := range []int{0, 3, 4, 5} {
		t.Run(fmt.Sprintf("message %d lost", lost), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				plan := fault.Plan{Write: []fault.Fault{{Message: 1, Onward: true, Echo: true}}}
				if lost > 0 {
					plan.Read = []fault.Fault{{Message: 2*lost + 1, Drop: true}} // each message has its echo before its answer
				}
				meter := dlmstest.Config{Framing: dlmstest.FramingHDLC, MaxInfo: 62, Clients: map[uint16]dlmstest.Client{1: {}}}
				c, _ := metered(t, meter, ConnConfig{Framing: HDLC, ClientAddress: 1, LogicalAddress: 1}, plan)
				a, err := c.Associate(context.Background(), AssociationConfig{})
				require.NoError(t, err)
				readAll(t, a)
				require.NoError(t, a.Release(context.Background()))
				require.LessOrEqual(t, c.Stats().Retries, 1)
			})
		})
	}
}
