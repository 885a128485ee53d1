package execd

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/influxdata/telegraf"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// service is an input that counts what is done to it.
type service struct {
	gather, stop     time.Duration // how long these take
	startErr         error
	started, stopped atomic.Bool
	gathered         atomic.Int32
	onStart, onStop  func(acc telegraf.Accumulator)

	acc telegraf.Accumulator
}

func (*service) SampleConfig() string { return "" }

func (s *service) Start(acc telegraf.Accumulator) error {
	s.acc = acc
	s.started.Store(true)
	if s.onStart != nil {
		s.onStart(acc)
	}
	return s.startErr
}

func (s *service) Gather(acc telegraf.Accumulator) error {
	n := s.gathered.Add(1)
	time.Sleep(s.gather)
	acc.AddFields("m", map[string]any{"n": int64(n)}, nil, noon)
	if n == 2 {
		return errors.New("second gathering")
	}
	return nil
}

func (s *service) Stop() {
	time.Sleep(s.stop)
	if s.onStop != nil {
		s.onStop(s.acc)
	}
	s.stopped.Store(true)
}

// running is Run in a bubble.
type running struct {
	*service
	stdin   *io.PipeWriter
	signals chan os.Signal
	out     *recorder
	errs    *recorder
	done    chan error
}

func start(ctx context.Context, s *service, change func(*Options)) *running {
	r, w := io.Pipe()
	x := &running{service: s, stdin: w, signals: make(chan os.Signal, 1), out: &recorder{}, errs: &recorder{}, done: make(chan error, 1)}
	o := Options{Input: s, Stdin: r, Stdout: x.out, Log: NewLogger(x.errs, false), Signals: x.signals}
	if change != nil {
		change(&o)
	}
	go func() { x.done <- Run(ctx, o) }()
	synctest.Wait()
	return x
}

// end waits for Run, which takes less than the 4 s an input has.
func (x *running) end(t *testing.T) error {
	t.Helper()
	before := time.Now()
	err := <-x.done
	require.Less(t, time.Since(before), 4*time.Second)
	require.NoError(t, x.stdin.Close())
	synctest.Wait()
	return err
}

func TestRunTicks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		x := start(t.Context(), &service{}, nil)
		require.True(t, x.started.Load())
		require.Zero(t, x.gathered.Load())
		for _, line := range []string{"\n", "anything\n", "two\nlines\n"} {
			_, err := io.WriteString(x.stdin, line)
			require.NoError(t, err)
			synctest.Wait()
		}
		require.EqualValues(t, 3, x.gathered.Load(), "ticks that come together are one")
		_, err := io.WriteString(x.stdin, "no line end")
		require.NoError(t, err)
		synctest.Wait()
		require.EqualValues(t, 3, x.gathered.Load())
		for _, s := range tickSignals() {
			x.signals <- s
			synctest.Wait()
		}
		n := 3 + len(tickSignals())
		require.EqualValues(t, n, x.gathered.Load())
		require.Len(t, x.out.all(), n)
		require.Equal(t, "E! second gathering\n", x.errs.String())
		require.False(t, x.stopped.Load())
		require.NoError(t, x.stdin.Close())
		require.NoError(t, x.end(t))
		require.True(t, x.stopped.Load())
	})
}

func TestRunEnds(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(x *running, cancel func()){
		"end of standard input": func(x *running, _ func()) { _ = x.stdin.Close() },
		"input fails":           func(x *running, _ func()) { x.stdin.CloseWithError(errors.New("broken")) },
		"context":               func(_ *running, cancel func()) { cancel() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				s := &service{stop: 3 * time.Second, onStop: func(acc telegraf.Accumulator) {
					acc.AddFields("last", map[string]any{"v": 1.0}, nil, noon)
				}}
				x := start(ctx, s, nil)
				end(x, cancel)
				require.NoError(t, x.end(t))
				require.True(t, s.stopped.Load())
				require.Equal(t, "last v=1 1766000000000000000\n", x.out.String(), "what comes while the input stops is written")
				require.Empty(t, x.errs.String())
			})
		})
	}
}

func TestRunSlowStop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		x := start(t.Context(), &service{stop: time.Minute}, nil)
		require.NoError(t, x.stdin.Close())
		require.NoError(t, x.end(t))
		require.False(t, x.stopped.Load())
		require.Equal(t, "W! The plugin did not stop within 3.8s\n", x.errs.String())
		time.Sleep(time.Hour)
	})
}

func TestRunSlowGather(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		x := start(t.Context(), &service{gather: time.Minute}, nil)
		for range 100 {
			_, err := io.WriteString(x.stdin, "\n")
			require.NoError(t, err)
		}
		synctest.Wait()
		require.EqualValues(t, 1, x.gathered.Load())
		time.Sleep(time.Hour)
		require.EqualValues(t, 2, x.gathered.Load(), "one tick is remembered, not a hundred")
		_, err := io.WriteString(x.stdin, "\n")
		require.NoError(t, err)
		synctest.Wait()
		require.NoError(t, x.stdin.Close())
		require.NoError(t, x.end(t), "a gathering under way does not hold up the end")
		time.Sleep(time.Hour)
		require.True(t, x.stopped.Load())
	})
}

func TestRunPollInterval(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		x := start(ctx, &service{}, func(o *Options) { o.PollInterval, o.Stdin = 10*time.Second, nil })
		require.EqualValues(t, 1, x.gathered.Load(), "the first at once")
		time.Sleep(35 * time.Second)
		require.EqualValues(t, 4, x.gathered.Load())
		cancel()
		require.NoError(t, x.end(t))
	})
}

// Standard output that nobody reads holds up the input, but not the end.
func TestRunBlockedOutput(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		released := make(chan struct{})
		s := &service{onStart: func(acc telegraf.Accumulator) {
			go func() {
				acc.AddFields("link", map[string]any{"v": 1.0}, nil, noon)
				acc.AddFields("link", map[string]any{"v": 2.0}, nil, noon)
				close(released)
			}()
		}, onStop: func(telegraf.Accumulator) { <-released }}
		ctx, cancel := context.WithCancel(t.Context())
		x := start(ctx, s, func(o *Options) { o.Stdout = w })
		for range 3 {
			_, err := io.WriteString(x.stdin, "\n")
			require.NoError(t, err, "standard input is read all the same")
		}
		cancel()
		require.NoError(t, x.end(t))
		require.True(t, s.stopped.Load())
		require.Equal(t, "W! Standard output does not drain: metrics are lost\n", x.errs.String())
		require.NoError(t, r.Close())
	})
}

func TestRunClosedOutput(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		cause error
		err   string
	}{
		{"pipe", nil, ""},
		{"EPIPE", &os.PathError{Op: "write", Err: syscall.EPIPE}, ""},
		{"disk full", syscall.ENOSPC, "cannot write to standard output: no space left on device"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r, w := io.Pipe()
				require.NoError(t, r.CloseWithError(c.cause))
				s := &service{}
				x := start(t.Context(), s, func(o *Options) { o.Stdout = w })
				_, err := io.WriteString(x.stdin, "\n")
				require.NoError(t, err)
				err = x.end(t)
				require.True(t, s.stopped.Load())
				if c.err == "" {
					require.NoError(t, err)
				} else {
					require.EqualError(t, err, c.err)
				}
			})
		})
	}
}

func TestRunStartFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		x := start(t.Context(), &service{startErr: errors.New("no")}, nil)
		require.EqualError(t, x.end(t), "cannot start: no")
		require.False(t, x.stopped.Load())
	})
}

// An input which only gathers runs, too.
func TestRunPlainInput(t *testing.T) {
	t.Parallel()
	require.NoError(t, Run(t.Context(), Options{Input: &sample{}, Stdin: strings.NewReader("\n"), Stdout: io.Discard, Log: NewLogger(io.Discard, true)}))
}

// The ticks which inputs.execd sends to the process itself as signals.
func TestRunProcessSignals(t *testing.T) {
	defer goleak.VerifyNone(t)
	if len(tickSignals()) == 0 {
		t.Skip("no such signals here")
	}
	r, w := io.Pipe()
	gathered := make(chan struct{}, 1)
	ready := make(chan struct{})
	s := &service{onStart: func(telegraf.Accumulator) { close(ready) }}
	done := make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		done <- Run(ctx, Options{Input: s, Stdin: r, Stdout: writerFunc(func(b []byte) (int, error) {
			gathered <- struct{}{}
			return len(b), nil
		}), Log: NewLogger(io.Discard, false)})
	}()
	<-ready
	self, err := os.FindProcess(os.Getpid())
	require.NoError(t, err)
	for _, sig := range tickSignals() {
		require.NoError(t, self.Signal(sig))
		<-gathered
	}
	cancel()
	require.NoError(t, <-done)
	require.True(t, s.stopped.Load())
	require.NoError(t, w.Close())
}

func TestOnce(t *testing.T) {
	t.Parallel()
	add := func(ctx context.Context, acc telegraf.Accumulator) error {
		for range 3 {
			acc.AddFields("m", map[string]any{"v": 1.0}, nil, noon)
		}
		return ctx.Err()
	}
	for _, c := range []struct {
		name  string
		cause error
		want  string
	}{
		{"pipe", io.ErrClosedPipe, ErrClosed.Error()},
		{"EPIPE", &os.PathError{Op: "write", Err: syscall.EPIPE}, ErrClosed.Error()},
		{"disk full", &os.PathError{Op: "write", Path: "/x", Err: syscall.ENOSPC}, "cannot write to standard output: no space left on device"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := writerFunc(func([]byte) (int, error) { return 0, c.cause })
				err := Once(t.Context(), w, NewLogger(io.Discard, false), func(ctx context.Context, acc telegraf.Accumulator) error {
					defer func() { <-ctx.Done() }() // what is read now has nowhere to go
					return add(ctx, acc)
				})
				require.EqualError(t, err, c.want)
			})
		})
	}
	t.Run("written", func(t *testing.T) {
		t.Parallel()
		out := &recorder{}
		require.NoError(t, Once(t.Context(), out, NewLogger(io.Discard, false), add))
		require.Equal(t, 3, strings.Count(out.String(), "\n"))
	})
	t.Run("blocked", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			r, w := io.Pipe()
			before, errs := time.Now(), &recorder{}
			require.ErrorIs(t, Once(ctx, w, NewLogger(errs, false), add), context.DeadlineExceeded)
			require.Equal(t, time.Minute+time.Second, time.Since(before))
			require.Equal(t, "W! Standard output does not drain: metrics are lost\n", errs.String())
			require.NoError(t, r.Close())
		})
	})
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }
