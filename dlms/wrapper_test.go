package dlms

import (
	"context"
	"io"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/wrapper"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

func TestWrapperReadsAndReleases(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLine(wrapperMeter(meterApp(allServices, 1024, values)))
		a := associated(t, l, wrapperConfig)
		requireValue(t, a, register(1, 0))
		require.NoError(t, a.Release(context.Background()))
		require.Equal(t, unhex(t, "0001 0010 0001 0005 62 03 80 01 00"), l.sent[2])
		require.Equal(t, 3, a.c.Stats().RoundTrips)
		b, err := a.c.Associate(context.Background(), AssociationConfig{})
		require.NoError(t, err)
		requireValue(t, b, register(1, 1))
	})
}

func TestWrapperRelease(t *testing.T) {
	tests := []struct {
		name   string
		answer []byte
		took   time.Duration
		fails  bool
	}{
		{"short RLRE", []byte{0x63, 0}, 0, false},
		{"exception", []byte{0xD8, 1, 1}, 0, false},
		{"silence", nil, time.Second, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				app := meterApp(allServices, 1024, values)
				l := newLine(wrapperMeter(func(apdu []byte) []byte {
					if apdu[0] == 0x62 {
						return tt.answer
					}
					return app(apdu)
				}))
				a := associated(t, l, wrapperConfig)
				start := time.Now()
				err := a.Release(context.Background())
				require.Equal(t, tt.fails, err != nil)
				require.Equal(t, tt.took, time.Since(start))
				require.Error(t, a.Lost())
			})
		})
	}
}

// atGet leaves the association alone and deals with the GETs by hand: n counts them.
func atGet(fault func(n int, l *line, h wrapper.Header, apdu []byte)) func(l *line, message []byte) {
	usual := wrapperMeter(meterApp(allServices, 1024, values))
	n := 0
	return func(l *line, message []byte) {
		h, apdu, _, err := wrapper.Cut(message)
		if err != nil || apdu[0] != 0xC0 {
			usual(l, message)
			return
		}
		n++
		fault(n, l, h, apdu)
	}
}

func TestWrapperOddities(t *testing.T) {
	answer := func(h wrapper.Header, apdu []byte) []byte {
		return wrapped(h, values(must(xdlms.ParseGetRequest(apdu))))
	}
	tests := []struct {
		name  string
		fault func(l *line, h wrapper.Header, apdu []byte)
		took  time.Duration
	}{
		{"octet by octet", func(l *line, h wrapper.Header, apdu []byte) {
			for i, b := range answer(h, apdu) {
				l.say(time.Duration(i)*500*time.Millisecond, []byte{b})
			}
		}, 8 * time.Second},
		{"ports not swapped", func(l *line, h wrapper.Header, apdu []byte) {
			l.say(0, answer(wrapper.Header{Source: h.Destination, Destination: h.Source}, apdu))
		}, 0},
		{"ports zero", func(l *line, _ wrapper.Header, apdu []byte) { l.say(0, answer(wrapper.Header{}, apdu)) }, 0},
		{"other ports first", func(l *line, h wrapper.Header, apdu []byte) {
			other := wrapped(wrapper.Header{Source: 99, Destination: 1}, unhex(t, "C401C2 00 1163"))
			l.say(0, append(other, answer(h, apdu)...))
		}, 0},
		{"other invoke id, notification, empty APDU first", func(l *line, h wrapper.Header, apdu []byte) {
			b := wrapped(h, unhex(t, "C401C0 00 1163"))
			b = append(b, wrapped(h, unhex(t, "0F40000000 00 1163"))...)
			b = append(b, wrapped(h, unhex(t, "C200 0001 0100010800FF 02 1163"))...)
			b = append(b, wrapped(h, nil)...)
			l.say(time.Second, append(b, answer(h, apdu)...))
		}, time.Second},
		{"other priority", func(l *line, h wrapper.Header, apdu []byte) {
			b := answer(h, apdu)
			b[wrapper.HeaderLength+2] &= 0x0F
			l.say(0, b)
		}, 0},
		{"slow", func(l *line, h wrapper.Header, apdu []byte) { l.say(4900*time.Millisecond, answer(h, apdu)) }, 4900 * time.Millisecond},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				l := newLine(atGet(func(_ int, l *line, h wrapper.Header, apdu []byte) { tt.fault(l, h, apdu) }))
				a := associated(t, l, wrapperConfig)
				for range 3 {
					start := time.Now()
					requireValue(t, a, register(1, 7))
					require.Equal(t, tt.took, time.Since(start))
				}
				require.Len(t, l.sent, 4, "nothing was repeated")
			})
		})
	}
}

func TestWrapperLateAnswerIsNotTheNext(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLine(atGet(func(n int, l *line, h wrapper.Header, apdu []byte) {
			late := time.Duration(0)
			if n == 1 {
				late = 5500 * time.Millisecond
			}
			if n == 2 {
				late = time.Second
			}
			l.say(late, wrapped(h, values(must(xdlms.ParseGetRequest(apdu)))))
		}))
		a := associated(t, l, wrapperConfig)
		_, err := a.Get(context.Background(), register(1, 1), nil)
		require.ErrorContains(t, err, "no answer within 5s: nothing was received")
		require.NoError(t, a.Lost())
		for e := range uint8(5) {
			requireValue(t, a, register(2, e))
		}
		require.Equal(t, 1, a.c.Stats().Dropped)
	})
}

func TestWrapperHalfAnAnswer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLine(atGet(func(n int, l *line, h wrapper.Header, apdu []byte) {
			b := wrapped(h, values(must(xdlms.ParseGetRequest(apdu))))
			if n == 1 {
				l.say(0, b[:11])
				l.say(7*time.Second, b[11:])
				return
			}
			l.say(3*time.Second, b)
		}))
		a := associated(t, l, wrapperConfig)
		_, err := a.Get(context.Background(), register(1, 1), nil)
		require.ErrorContains(t, err, "11 octets received")
		requireValue(t, a, register(2, 2))
		requireValue(t, a, register(2, 3))
	})
}

func TestWrapperTrickle(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLine(atGet(func(_ int, l *line, _ wrapper.Header, _ []byte) {
			l.say(0, unhex(t, "0001 0001 0010 FFFF C401C2 00 0982FFF0"))
			for i := range 2000 {
				l.say(time.Duration(i)*time.Second, []byte{0})
			}
		}))
		a := associated(t, l, wrapperConfig)
		start := time.Now()
		_, err := a.Get(context.Background(), register(1, 1), nil)
		var timeout *TimeoutError
		require.ErrorAs(t, err, &timeout)
		require.Less(t, time.Since(start), 5*time.Minute)
		require.LessOrEqual(t, len(a.c.rx), 4096, "what was announced is not allocated")
	})
}

func TestWrapperOtherFramings(t *testing.T) {
	tests := []struct {
		name, hex, want string
		datagram        bool
	}{
		{"HDLC", "7EA00721037301407E", "expected wrapper, saw an HDLC frame: 7EA00721037301407E", false},
		{"HDLC behind flags", "7E7E7EA00721037301407E", "expected wrapper, saw an HDLC frame: 7E7E7EA00721037301407E", false},
		{"text", "485454502F312E31203430300D0A", `expected wrapper, saw text: "HTTP/1.1 400\r\n"`, false},
		{"other", "DEADBEEF00000000", "expected wrapper, saw neither wrapper nor HDLC: DEADBEEF00000000", false},
		{"one octet", "44", "expected wrapper, saw neither wrapper nor HDLC: 44", false},
		{"HDLC in datagrams", "7EA00721037301407E", "expected wrapper, saw an HDLC frame: 7EA00721037301407E7EA00721037301407E7EA00721037301407E", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				l := newLine(func(l *line, _ []byte) { l.say(0, unhex(t, tt.hex)) })
				cfg := wrapperConfig
				cfg.Datagram, l.datagram = tt.datagram, tt.datagram
				c := dialled(t, l, cfg)
				_, err := c.Associate(context.Background(), AssociationConfig{})
				var framing *FramingError
				require.ErrorAs(t, err, &framing)
				require.Contains(t, tt.want, framing.Error())
				_, err = c.Associate(context.Background(), AssociationConfig{})
				require.Error(t, err, "a stream out of step stays so")
			})
		})
	}
}

func TestWrapperEcho(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLine(func(l *line, message []byte) { l.say(0, message) })
		_, err := dialled(t, l, wrapperConfig).Associate(context.Background(), AssociationConfig{})
		var timeout *TimeoutError
		require.ErrorAs(t, err, &timeout)
		require.True(t, timeout.Echo)
	})
}

func TestWrapperAARQWithoutAnswerEndsTheConn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLine(nil)
		c := dialled(t, l, wrapperConfig)
		_, err := c.Associate(context.Background(), AssociationConfig{})
		var timeout *TimeoutError
		require.ErrorAs(t, err, &timeout)
		require.Equal(t, "AARQ", timeout.Op)
		_, err = c.Associate(context.Background(), AssociationConfig{})
		require.ErrorContains(t, err, "an AARQ was not answered on this connection")
		require.Len(t, l.sent, 1, "a second AARQ might get the answer to the first")
	})
}

func datagrams(answer func(l *line, message []byte)) (*line, ConnConfig) {
	l := newLine(answer)
	l.datagram = true
	cfg := wrapperConfig
	cfg.Datagram = true
	return l, cfg
}

func TestDatagrams(t *testing.T) {
	reply := 5 * time.Second
	tests := []struct {
		name    string
		fault   func(n int, l *line, b []byte)
		took    time.Duration
		retries int
	}{
		{"request lost", func(n int, l *line, b []byte) {
			if n > 1 {
				l.say(0, b)
			}
		}, reply, 1},
		{"lost twice", func(n int, l *line, b []byte) {
			if n > 2 {
				l.say(0, b)
			}
		}, 2 * reply, 2},
		{"every answer twice", func(_ int, l *line, b []byte) {
			l.say(0, b)
			l.say(0, b)
		}, 0, 0},
		{"a datagram that does not parse first", func(_ int, l *line, b []byte) {
			l.say(0, []byte("what?"))
			l.say(0, b[:len(b)-1])
			l.say(0, b)
		}, 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				l, cfg := datagrams(atGet(func(n int, l *line, h wrapper.Header, apdu []byte) {
					tt.fault(n, l, wrapped(h, values(must(xdlms.ParseGetRequest(apdu)))))
				}))
				a := associated(t, l, cfg)
				start := time.Now()
				requireValue(t, a, register(1, 1))
				require.Equal(t, tt.took, time.Since(start))
				require.Equal(t, tt.retries, a.c.Stats().Retries)
				for _, b := range l.sent[1:] {
					require.Equal(t, l.sent[1], b, "the identical request")
				}
				for e := range uint8(5) {
					requireValue(t, a, register(2, e))
				}
			})
		})
	}
}

func TestDatagramSilence(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l, cfg := datagrams(atGet(func(int, *line, wrapper.Header, []byte) {}))
		a := associated(t, l, cfg)
		start := time.Now()
		_, err := a.Get(context.Background(), register(1, 1), nil)
		var timeout *TimeoutError
		require.ErrorAs(t, err, &timeout)
		require.Equal(t, 3*reply5, time.Since(start))
		require.Len(t, l.sent, 4)
	})
}

const reply5 = 5 * time.Second

func TestLargeDatagram(t *testing.T) {
	bubble(t, func(t *testing.T) {
		value := append([]byte{0x09, 0x82, 0x20, 0x00}, make([]byte, 0x2000)...)
		l, cfg := datagrams(atGet(func(_ int, l *line, h wrapper.Header, apdu []byte) {
			l.say(0, wrapped(h, append([]byte{0xC4, 1, apdu[2], 0}, value...)))
		}))
		a := associated(t, l, cfg)
		require.LessOrEqual(t, len(a.c.rx), smallBuffer)
		for range 2 {
			d, err := a.Get(context.Background(), register(1, 1), nil)
			require.NoError(t, err)
			require.Equal(t, value, []byte(d))
		}
		require.Len(t, l.sent, 4, "asked again once, when the first answer did not fit")
	})
}

func TestWatchLeavesNoDeadlineBehind(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLine(atGet(func(n int, l *line, h wrapper.Header, apdu []byte) {
			if n > 1 {
				l.say(time.Second, wrapped(h, values(must(xdlms.ParseGetRequest(apdu)))))
			}
		}))
		a := associated(t, l, wrapperConfig)
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(time.Second, cancel)
		_, err := a.Get(ctx, register(1, 1), nil)
		require.ErrorIs(t, err, context.Canceled)
		require.NoError(t, a.Lost(), "over the wrapper a late answer is told by its invoke id")
		requireValue(t, a, register(1, 2))
		_, err = a.Get(ctx, register(1, 1), nil)
		require.ErrorIs(t, err, context.Canceled)
		requireValue(t, a, register(1, 2))
		synctest.Wait()
	})
}

func TestWriteFails(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want func(t *testing.T, err error)
	}{
		{"timeout", os.ErrDeadlineExceeded, func(t *testing.T, err error) {
			var timeout *TimeoutError
			require.ErrorAs(t, err, &timeout)
			require.ErrorContains(t, err, "could not be sent within")
		}},
		{"closed", io.ErrClosedPipe, func(t *testing.T, err error) { require.ErrorIs(t, err, io.EOF) }},
		{"other", io.ErrNoProgress, func(t *testing.T, err error) { require.ErrorIs(t, err, io.ErrNoProgress) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				l := newLine(wrapperMeter(meterApp(allServices, 1024, values)))
				a := associated(t, l, wrapperConfig)
				l.writeErr = tt.err
				_, err := a.Get(context.Background(), register(1, 1), nil)
				tt.want(t, err)
				require.Error(t, a.Lost())
			})
		})
	}
}
