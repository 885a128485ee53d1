package execd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/influxdata/telegraf"
)

const (
	// stopTimeout is how long an input has to release what it holds. Telegraf
	// sends SIGTERM 5 s after it closed standard input, SIGKILL 5 s later.
	stopTimeout = 3800 * time.Millisecond
	// gatherTimeout is how long a Gather under way may delay that.
	gatherTimeout = 200 * time.Millisecond
	// blockedTimeout is how long a single write may hold up the end.
	blockedTimeout = time.Second
)

// Options says what Run runs and what it talks to.
type Options struct {
	// Input has been initialised; a telegraf.ServiceInput is started and
	// stopped.
	Input telegraf.Input

	// PollInterval is the time between gather ticks of our own, the first at
	// once; 0 means none.
	PollInterval time.Duration

	// Stdin gives a gather tick for each line and ends Run at its end. nil:
	// nothing is read.
	Stdin io.Reader

	// Stdout takes the line protocol.
	Stdout io.Writer

	// Log takes errors, and what the end of Run is about.
	Log telegraf.Logger

	// Signals replaces the signals that inputs.execd can send for a tick. nil:
	// those of the process, if Stdin is read.
	Signals <-chan os.Signal
}

// Run feeds the input with ticks until ctx ends, standard input ends or standard
// output is closed. Then it stops the input, for
// which it waits less than 4 s. The error is nil for any of these ends; else it
// tells why the input did not start or which write failed.
//
// A goroutine that reads Stdin, and one that writes to a Stdout which does not
// drain, outlive Run until their calls return.
func Run(ctx context.Context, o Options) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	keepClosedPipes()
	signals := o.Signals
	if signals == nil && o.Stdin != nil && len(tickSignals()) > 0 {
		ch := make(chan os.Signal, 1)
		signal.Notify(ch, tickSignals()...)
		defer signal.Stop(ch)
		signals = ch
	}

	acc := NewAccumulator(o.Stdout, o.Log)
	defer acc.Close()
	if service, ok := o.Input.(telegraf.ServiceInput); ok {
		if err := service.Start(acc); err != nil {
			return fmt.Errorf("cannot start: %w", err)
		}
	}
	ticks := make(chan struct{}, 1)
	gathered := make(chan struct{})
	go func() {
		defer close(gathered)
		gatherLoop(ctx, o.Input, acc, ticks)
	}()
	var eof chan struct{}
	if o.Stdin != nil {
		eof = make(chan struct{})
		go readTicks(ctx, o.Stdin, ticks, eof)
	}

	reason, err := wait(ctx, o.PollInterval, signals, ticks, eof, acc)
	o.Log.Debugf("Stopping: %s", reason)
	cancel()
	stop(o.Input, acc, gathered, o.Log)
	return err
}

// Once gives the function an accumulator for w and waits for it. Its context
// ends when w fails or is closed; the error is then ErrClosed, or tells which
// write failed. A w that does not drain holds the function up, but no longer
// than a second after ctx has ended.
func Once(ctx context.Context, w io.Writer, log telegraf.Logger, run func(context.Context, telegraf.Accumulator) error) error {
	keepClosedPipes()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	acc := NewAccumulator(w, log)
	defer acc.Close()
	done := make(chan error, 1)
	go func() { done <- run(ctx, acc) }()
	failed, ended := acc.Failed(), ctx.Done()
	var late <-chan time.Time
	for {
		select {
		case err := <-done:
			if writeErr := acc.outputError(); writeErr != nil {
				return writeErr
			}
			return err
		case <-failed:
			failed = nil
			cancel()
		case <-ended:
			ended = nil
			timer := time.NewTimer(blockedTimeout)
			defer timer.Stop()
			late = timer.C
		case <-late:
			late = nil
			if acc.stuck() > 0 {
				log.Warn("Standard output does not drain: metrics are lost")
			}
			acc.Close()
		}
	}
}

// wait makes ticks until there is a reason to end.
func wait(ctx context.Context, interval time.Duration, signals <-chan os.Signal, ticks chan<- struct{}, eof <-chan struct{}, acc *Accumulator) (string, error) {
	var clock <-chan time.Time
	if interval > 0 {
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		clock = ticker.C
		tick(ticks)
	}
	for {
		select {
		case <-ctx.Done():
			return "asked to", nil
		case <-eof:
			return "end of standard input", nil
		case <-signals:
			tick(ticks)
		case <-clock:
			tick(ticks)
		case <-acc.Failed():
			err := acc.outputError()
			if errors.Is(err, ErrClosed) {
				return ErrClosed.Error(), nil
			}
			return "standard output failed", err
		}
	}
}

// tick asks for one gathering. One is remembered while another is under way.
func tick(ticks chan<- struct{}) {
	select {
	case ticks <- struct{}{}:
	default:
	}
}

func gatherLoop(ctx context.Context, input telegraf.Input, acc *Accumulator, ticks <-chan struct{}) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks:
			if ctx.Err() != nil {
				return
			}
			acc.AddError(input.Gather(acc))
		}
	}
}

// readTicks makes a tick of every line end and closes eof at the end.
func readTicks(ctx context.Context, stdin io.Reader, ticks chan<- struct{}, eof chan<- struct{}) {
	defer close(eof)
	buf := make([]byte, 4096)
	for ctx.Err() == nil {
		n, err := stdin.Read(buf)
		if bytes.IndexByte(buf[:n], '\n') >= 0 {
			tick(ticks)
		}
		if err != nil {
			return
		}
	}
}

// stop stops the input and waits for it and for a Gather under way, but no
// longer than stopTimeout; a write that blocks is given up earlier.
func stop(input telegraf.Input, acc *Accumulator, gathered <-chan struct{}, log telegraf.Logger) {
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		select {
		case <-gathered:
		case <-time.After(gatherTimeout):
		}
		if service, ok := input.(telegraf.ServiceInput); ok {
			service.Stop()
		}
		<-gathered
	}()
	deadline := time.NewTimer(stopTimeout)
	defer deadline.Stop()
	ticker := time.NewTicker(blockedTimeout / 10)
	defer ticker.Stop()
	look := ticker.C
	for {
		select {
		case <-stopped:
			return
		case <-look:
			if acc.stuck() > blockedTimeout {
				look = nil
				log.Warn("Standard output does not drain: metrics are lost")
				acc.Close()
			}
		case <-deadline.C:
			log.Warnf("The plugin did not stop within %v", stopTimeout)
			return
		}
	}
}

// ErrClosed says that the reader of the output went away, which is no mistake.
var ErrClosed = errors.New("standard output was closed")

// outputError returns why writing has failed, nil if it has not.
func (a *Accumulator) outputError() error {
	select {
	case <-a.Failed():
	default:
		return nil
	}
	return OutputError(a.Err())
}

// KeepClosedPipes lets writes to a closed standard output or error fail instead
// of killing the process. Run and Once do that of their own.
func KeepClosedPipes() { keepClosedPipes() }

// OutputError says what it means that a write to standard output has failed:
// ErrClosed, or why it cannot be written to.
func OutputError(err error) error {
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe) || errors.Is(err, os.ErrClosed) || isClosedPipe(err) {
		return ErrClosed
	}
	return fmt.Errorf("cannot write to standard output: %w", Reason(err))
}

// Reason returns what the system said, without the operation and the file.
func Reason(err error) error {
	var pathErr *os.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Err
	}
	return err
}
