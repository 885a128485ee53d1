package record

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// Conn is where a record is played: every net.Conn, and every Transport.
type Conn interface {
	io.ReadWriter
	SetReadDeadline(t time.Time) error
	SetWriteDeadline(t time.Time) error
}

// Speed is how fast a record is played.
type Speed uint8

// Speeds.
const (
	Original Speed = iota // what the meter sends comes as late as it did
	Full                  // without waiting
)

// A DifferError says that the client has sent something else than what is
// recorded. It was answered as if it had not.
type DifferError struct {
	Differing int // of
	Requests  int // so many; lines that were sent without an answer in between are one request

	First         int       // number of the first that differs
	Recorded      time.Time // when that was sent
	Expected, Got int       // octets
	Octet         int       // number of the first that differs
}

func (e *DifferError) Error() string {
	what := fmt.Sprintf("its octet %d differs", e.Octet)
	if e.Expected != e.Got {
		what = fmt.Sprintf("%d octets were expected, and %d came, which differ from octet %d on", e.Expected, e.Got, e.Octet)
	}
	return fmt.Sprintf("%d of %d requests differ from the record; in number %d, recorded at %s, %s",
		e.Differing, e.Requests, e.First, e.Recorded.UTC().Format(stamp), what)
}

// Replay plays the meter's side of a connection: it waits until the client has
// sent as much as was sent then, and writes what was received then. It returns
// after the last line. Requests that differ are answered all the same; the error
// is a *DifferError then. It wraps io.ErrUnexpectedEOF if the client closed the
// connection before the end.
func Replay(ctx context.Context, conn Conn, lines []Line, speed Speed) error {
	if len(lines) == 0 {
		return ctx.Err()
	}
	defer watch(ctx, conn)()
	p := player{conn: conn, recorded: lines[0].Time, played: time.Now()}
	for i := 0; i < len(lines); {
		var err error
		switch l := lines[i]; {
		case l.Sent:
			i, err = p.receive(lines, i)
		case l.Received:
			if speed == Original {
				err = p.wait(ctx, l.Time)
			}
			if err == nil {
				_, err = conn.Write(l.Octets)
			}
			i++
		default:
			i++
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return p.failed(err, lines)
		}
	}
	if p.differ.Differing > 0 {
		p.differ.Requests = p.requests
		return &p.differ
	}
	return nil
}

// player is a record being played.
type player struct {
	conn             Conn
	recorded, played time.Time // of the line before
	requests         int       // received
	differ           DifferError
	buf              [4096]byte
}

// receive takes the request that begins with line i and returns the line behind
// it. Lines without an answer in between are one request: how the octets come in
// portions need not be as it was.
func (p *player) receive(lines []Line, i int) (next int, err error) {
	first := lines[i].Time
	var want, got []byte
	for ; i < len(lines) && !lines[i].Received; i++ {
		want = append(want, lines[i].Octets...)
		if lines[i].Sent {
			p.recorded = lines[i].Time
		}
	}
	for len(got) < len(want) {
		n, err := p.conn.Read(p.buf[:])
		got = append(got, p.buf[:n]...)
		if err != nil && len(got) < len(want) {
			return i, err
		}
	}
	p.played = time.Now()
	p.requests++
	// What came beyond it belongs to it: the client waits for the answer before it goes on.
	if !bytes.Equal(want, got) {
		if p.differ.Differing == 0 {
			same := 0
			for same < len(want) && want[same] == got[same] {
				same++
			}
			p.differ = DifferError{First: p.requests, Recorded: first, Expected: len(want), Got: len(got), Octet: same + 1}
		}
		p.differ.Differing++
	}
	return i, nil
}

// wait waits until as much time is over since the line before as was between the
// two. A clock that was set back meanwhile does not stop us.
func (p *player) wait(ctx context.Context, recorded time.Time) error {
	p.played = p.played.Add(max(0, recorded.Sub(p.recorded)))
	p.recorded = recorded
	t := time.NewTimer(time.Until(p.played))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// failed says how far it got.
func (p *player) failed(err error, lines []Line) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe) {
		err = fmt.Errorf("the client closed the connection: %w", io.ErrUnexpectedEOF)
	}
	all := 0
	for i, asked := 0, false; i < len(lines); i++ {
		if lines[i].Sent && !asked {
			all++
		}
		asked = lines[i].Sent || asked && !lines[i].Received
	}
	err = fmt.Errorf("the replay ended after %d of %d requests: %w", p.requests, all, err)
	if p.differ.Differing > 0 {
		p.differ.Requests = p.requests
		err = fmt.Errorf("%w; %w", err, &p.differ)
	}
	return err
}

// watch makes the end of ctx wake a blocked Read or Write. The function it
// returns ends that.
func watch(ctx context.Context, conn Conn) (end func()) {
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(done)
		past := time.Unix(1, 0)
		// An error here means that the connection is closed: nothing is blocked on it.
		_ = conn.SetReadDeadline(past)
		_ = conn.SetWriteDeadline(past)
	})
	return func() {
		if !stop() {
			<-done
		}
	}
}
