package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest"
	"github.com/telegraf-dlms/telegraf-dlms/internal/simmeter"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bench is what a probe is led to: each connection is served by serve.
type bench struct {
	t     *testing.T
	serve func(ctx context.Context, c net.Conn)
	err   error
	ctx   context.Context //nolint:containedctx // of the meters, which live as long as the test
	wg    sync.WaitGroup

	mu    sync.Mutex
	chars dlms.Characters
	notes []string
}

func newBench(t *testing.T, serve func(ctx context.Context, c net.Conn)) *bench {
	ctx, cancel := context.WithCancel(context.Background())
	b := &bench{t: t, serve: serve, ctx: ctx}
	t.Cleanup(func() {
		cancel()
		b.wg.Wait()
		synctest.Wait()
	})
	return b
}

func (b *bench) dial(context.Context) (dlms.Transport, error) {
	if b.err != nil {
		return nil, b.err
	}
	near, far := net.Pipe()
	b.wg.Go(func() {
		b.serve(b.ctx, far)
		_ = far.Close()
	})
	return near, nil
}

type port struct {
	dlms.Transport
	b *bench
}

func (p port) Switch(c dlms.Characters, _ time.Duration) error {
	p.b.mu.Lock()
	defer p.b.mu.Unlock()
	p.b.chars = c
	return nil
}

func (b *bench) line() (int, int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.chars.Baud, b.chars.DataBits
}

func (b *bench) even() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.chars.Even
}

func (b *bench) run(cfg Config) (Result, error) {
	cfg.Dial = b.dial
	if cfg.Network == "file" {
		cfg.Line = func(t dlms.Transport) dlms.Line { return port{t, b} }
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	return Run(ctx, cfg, func(n Note) {
		text := n.Found
		if n.Err != nil {
			text = n.Err.Error()
		}
		b.notes = append(b.notes, n.Tried+": "+text)
	})
}

func serving(cfg dlmstest.Config) func(ctx context.Context, c net.Conn) {
	m := dlmstest.NewMeter(cfg, simmeter.New(simmeter.Config{}))
	return func(ctx context.Context, c net.Conn) { _ = m.ServeConn(ctx, c) }
}

var low = map[uint16]dlmstest.Client{32: {Mechanism: acse.Low, Password: []byte("12345678")}}

func TestProbe(t *testing.T) {
	short := true
	for name, c := range map[string]struct {
		meter dlmstest.Config
		cfg   Config
		want  func(r Result)
	}{
		"wrapper": {dlmstest.Config{}, Config{Network: "tcp", Port: "4059"}, func(r Result) {
			require.Equal(t, Way{Framing: dlms.Wrapper, Mode: modeDLMS}, r.Way)
			require.Equal(t, Client{16, Open}, r.Best)
			require.Equal(t, "10203040", r.Serial)
			require.Equal(t, 2048, r.MaxPDU)
		}},
		"wrapper on another port": {dlmstest.Config{}, Config{Network: "tcp", Port: "7000"}, func(r Result) { require.Equal(t, dlms.Wrapper, r.Way.Framing) }},
		"HDLC": {dlmstest.Config{Framing: "hdlc"}, Config{Network: "tcp", Port: "7000"}, func(r Result) {
			require.Equal(t, Address{0, 1, 1}, r.Address)
			require.Equal(t, 512, r.MaxInfo)
			require.Equal(t, 1, r.Window)
			require.Equal(t, []string{"1 SIM0000010203040"}, r.Devices)
		}},
		"HDLC on the port of the wrapper": {dlmstest.Config{Framing: "hdlc"}, Config{Network: "tcp", Port: "4059"}, func(r Result) { require.Equal(t, dlms.HDLC, r.Way.Framing) }},
		"physical address 17 in two octets": {dlmstest.Config{Framing: "hdlc", PhysicalAddresses: []uint16{17}, AddressSize: 2}, Config{Network: "tcp", Port: "7000"}, func(r Result) {
			require.Equal(t, Address{17, 1, 2}, r.Address)
		}},
		"physical address 16 in four octets": {dlmstest.Config{Framing: "hdlc", PhysicalAddresses: []uint16{16}, AddressSize: 4}, Config{Network: "tcp", Port: "7000", Framing: "hdlc"}, func(r Result) {
			require.Equal(t, Address{16, 1, 4}, r.Address)
		}},
		"physical address that is given": {dlmstest.Config{Framing: "hdlc", PhysicalAddresses: []uint16{300}}, Config{Network: "tcp", Port: "7000", Physical: []uint16{300}}, func(r Result) {
			require.Equal(t, uint16(300), r.Address.Physical)
		}},
		"another client": {dlmstest.Config{Clients: map[uint16]dlmstest.Client{48: {}}}, Config{Network: "tcp", Port: "4059"}, func(r Result) {
			require.Equal(t, Client{48, Open}, r.Best)
		}},
		"password": {dlmstest.Config{Framing: "hdlc", Clients: low}, Config{Network: "tcp", Port: "7000", Password: []byte("12345678")}, func(r Result) {
			require.Equal(t, Client{32, Low}, r.Best)
			require.Equal(t, []Client{{32, Low}}, r.Clients)
			require.Equal(t, "SIM0000010203040", r.Name)
		}},
		"no password": {dlmstest.Config{Clients: low}, Config{Network: "tcp", Port: "4059"}, func(r Result) {
			require.Equal(t, []Client{{32, Password}}, r.Clients)
			require.Equal(t, Unknown, r.Best.Access)
		}},
		"wrong password": {dlmstest.Config{Clients: low}, Config{Network: "tcp", Port: "4059", Password: []byte("00000000")}, func(r Result) {
			require.Equal(t, Unknown, r.Best.Access)
		}},
		"short names": {dlmstest.Config{ShortNames: true, Framing: "hdlc"}, Config{Network: "tcp", Port: "7000"}, func(r Result) {
			require.True(t, r.ShortNames)
			require.Equal(t, "SIM0000010203040", r.Name)
		}},
		"short names that are given": {dlmstest.Config{ShortNames: true}, Config{Network: "tcp", Port: "4059", ShortNames: &short}, func(r Result) { require.True(t, r.ShortNames) }},
		"serial":                     {dlmstest.Config{Framing: "hdlc"}, Config{Network: "file"}, func(r Result) { require.Equal(t, 9600, r.Way.Baud) }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, serving(c.meter))
				r, err := b.run(c.cfg)
				require.NoError(t, err, strings.Join(b.notes, "\n"))
				c.want(r)
			})
		})
	}
}

// TestPasswordOnce: no password is sent that was not given, and that one once.
func TestPasswordOnce(t *testing.T) {
	for _, password := range []string{"", "00000000"} {
		synctest.Test(t, func(t *testing.T) {
			var mu sync.Mutex
			sent := 0
			cfg := dlmstest.Config{Clients: map[uint16]dlmstest.Client{1: low[32], 32: low[32], 48: low[32]}, Faults: &dlmstest.Faults{Raw: func(apdu []byte) ([]byte, bool) {
				mu.Lock()
				defer mu.Unlock()
				if aarq, err := acse.ParseAARQ(apdu); err == nil && aarq.Mechanism != acse.None {
					sent++
				}
				return nil, false
			}}}
			b := newBench(t, serving(cfg))
			how := Config{Network: "tcp", Port: "4059"}
			if password != "" {
				how.Password = []byte(password)
			}
			_, err := b.run(how)
			require.NoError(t, err)
			want := 0
			if password != "" {
				want = 1
			}
			require.Equal(t, want, sent)
		})
	}
}

// TestProbeSerial finds the speed of a line, and whether it begins with a sign-on.
func TestProbeSerial(t *testing.T) {
	for _, baud := range []int{9600, 19200, 2400, 300} {
		synctest.Test(t, func(t *testing.T) {
			var b *bench
			m := dlmstest.NewMeter(dlmstest.Config{Framing: "hdlc"}, simmeter.New(simmeter.Config{}))
			b = newBench(t, func(ctx context.Context, c net.Conn) { _ = m.ServeConn(ctx, &atSpeed{Conn: c, b: b, baud: baud}) })
			r, err := b.run(Config{Network: "file"})
			require.NoError(t, err, strings.Join(b.notes, "\n"))
			require.Equal(t, Way{Framing: dlms.HDLC, Baud: baud, Mode: modeDLMS}, r.Way)
		})
	}
	synctest.Test(t, func(t *testing.T) {
		var b *bench
		m := dlmstest.NewMeter(dlmstest.Config{Framing: "hdlc"}, simmeter.New(simmeter.Config{}))
		b = newBench(t, func(ctx context.Context, c net.Conn) {
			_ = m.ServeConn(ctx, &atSpeed{Conn: c, b: b, baud: 2400, even: true})
		})
		r, err := b.run(Config{Network: "file"})
		require.NoError(t, err, strings.Join(b.notes, "\n"))
		require.Equal(t, Way{Framing: dlms.HDLC, Baud: 2400, Even: true, Mode: modeDLMS}, r.Way)
		require.Contains(t, strings.Join(b.notes, "\n"), "HDLC at 2400 baud 8E1, logical address 1, address of 1, client 16: a meter answers")
	})
	synctest.Test(t, func(t *testing.T) {
		var b *bench
		b = newBench(t, func(ctx context.Context, c net.Conn) {
			_ = dlmstest.ServeSignOn(ctx, c, dlmstest.Config{}, simmeter.New(simmeter.Config{}), dlmstest.SignOn{Line: b.line})
		})
		r, err := b.run(Config{Network: "file", Client: 16})
		require.NoError(t, err, strings.Join(b.notes, "\n"))
		require.Equal(t, Way{Framing: dlms.HDLC, Baud: 9600, Mode: modeIEC}, r.Way)
		require.Contains(t, strings.Join(b.notes, "\n"), `sign-on: /SIM5\2SIMULATED goes over to HDLC at 9600 baud`)
	})
}

// atSpeed is a line that carries nothing at another speed than its own.
type atSpeed struct {
	net.Conn
	b    *bench
	baud int
	even bool
}

func (a *atSpeed) Read(b []byte) (int, error) {
	for {
		n, err := a.Conn.Read(b)
		if baud, bits := a.b.line(); err != nil || baud == a.baud && bits == 8 && a.b.even() == a.even {
			return n, err
		}
	}
}

// TestProbeFails: what was seen is told.
func TestProbeFails(t *testing.T) {
	echo := func(_ context.Context, c net.Conn) {
		b := make([]byte, 300)
		for {
			n, err := c.Read(b)
			if err != nil {
				return
			}
			if _, err := c.Write(b[:n]); err != nil {
				return
			}
		}
	}
	mute := func(ctx context.Context, c net.Conn) {
		stop := context.AfterFunc(ctx, func() { _ = c.Close() })
		defer stop()
		b := make([]byte, 300)
		for {
			if _, err := c.Read(b); err != nil {
				return
			}
		}
	}
	readout := func(ctx context.Context, c net.Conn) {
		_ = dlmstest.ServeSignOn(ctx, c, dlmstest.Config{}, nil, dlmstest.SignOn{Readout: true, Identification: "/SIM0\\2X"})
	}
	for name, c := range map[string]struct {
		serve func(ctx context.Context, c net.Conn)
		cfg   Config
		err   error
		want  string
	}{
		"silence":      {mute, Config{Network: "tcp", Port: "7000"}, nil, "wrapper, logical address 1, client 16: AARQ: no answer within 1.5s: nothing was received"},
		"echo":         {echo, Config{Network: "tcp", Port: "7000"}, nil, "only our own message came back (echo)"},
		"hung up":      {func(context.Context, net.Conn) {}, Config{Network: "tcp", Port: "7000"}, nil, "the connection was closed by the other side"},
		"refused":      {nil, Config{Network: "tcp", Port: "7000"}, errors.New("connect: connection refused"), "connection: connect: connection refused"},
		"no such port": {nil, Config{Network: "file"}, os.ErrNotExist, "connection: file does not exist"},
		"readout":      {readout, Config{Network: "file", Modes: []string{modeIEC}}, nil, "sends an ASCII readout"},
		"UDP":          {mute, Config{Network: "udp", Port: "4059"}, nil, "wrapper, logical address 1, client 16: AARQ: no answer"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, c.serve)
				b.err = c.err
				_, err := b.run(c.cfg)
				require.ErrorIs(t, err, ErrNobody)
				require.Contains(t, strings.Join(b.notes, "\n"), c.want)
			})
		})
	}
}

// TestProbeBusy: a meter that is taken by another client is a meter.
func TestProbeBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, serving(dlmstest.Config{Framing: "hdlc", Faults: &dlmstest.Faults{DMOnSNRM: -1}}))
		r, err := b.run(Config{Network: "tcp", Port: "7000"})
		require.NoError(t, err)
		require.Equal(t, dlms.HDLC, r.Way.Framing)
		require.Equal(t, Unknown, r.Best.Access)
		require.Contains(t, strings.Join(b.notes, "\n"), "the meter refuses the link (DM)")
	})
}

// TestProbeEnds: the time is over at any moment.
func TestProbeEnds(t *testing.T) {
	for after := time.Duration(0); after < 20*time.Second; after += 700 * time.Millisecond {
		t.Run(fmt.Sprint(after), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, serving(dlmstest.Config{Framing: "hdlc", PhysicalAddresses: []uint16{99}}))
				ctx, cancel := context.WithTimeout(context.Background(), after)
				defer cancel()
				began := time.Now()
				_, err := Run(ctx, Config{Network: "tcp", Port: "7000", Dial: b.dial}, func(Note) {})
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.Less(t, time.Since(began), after+2*time.Second)
			})
		})
	}
}
