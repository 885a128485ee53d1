package dlms_cosem

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/serial"
	"github.com/telegraf-dlms/telegraf-dlms/internal/schedule"
)

const (
	frameGap     = 4 * time.Second  // silence after which the rest of a frame does not come any more
	messageGap   = 15 * time.Second // after which segments and blocks of a message do not
	watchEvery   = 5 * time.Second  // how often silence is looked at
	mostDevices  = 100_000          // that are told apart on an endpoint
	mostSockets  = 20_000           // connections at once
	writeAtMost  = 2 * time.Second  // for a confirmation
	receiveChunk = 4096
)

// listener is an endpoint that is listened to: a line, a connection, or a port
// that meters send to or dial in at.
type listener struct {
	d        *DLMS
	endpoint endpoint
	out      *output
	passive  []*request
	active   []*request // run on connections of meters that dial in
	keys     *keyring

	mu      sync.Mutex // guards what follows: connections have a goroutine each
	devices map[string]*heard
	sockets int
	from    map[netip.Addr]int // of them, from each address
	held    int                // octets of messages that are not whole
	said    map[string]bool    // what has been complained about
	start   time.Time
	octets  int64
	quiet   bool // that nothing comes has been said

	saidSince time.Time // complaints are counted
	saidCount int
	unsaid    int             // complaints that were too many
	strangers map[string]bool // devices with a status that were never understood

	wanted map[string]bool // requests that one telegram is enough for, and have had none; nil: all go on
	enough func()
}

func (d *DLMS) newListener(e endpoint, out *output) *listener {
	return &listener{d: d, endpoint: e, out: out, devices: map[string]*heard{}, said: map[string]bool{}}
}

// newListeners groups the requests that listen, and those for meters that dial
// in, by endpoint, in the order of the file.
func (d *DLMS) newListeners(out *output, only func(*request) bool) (list []*listener) {
	at := map[endpoint]*listener{}
	for _, r := range d.requests {
		if !r.passive && !r.endpoint.listening() || only != nil && !only(r) || only == nil && !r.enabled {
			continue
		}
		l := at[r.endpoint]
		if l == nil {
			l = d.newListener(r.endpoint, out)
			at[r.endpoint] = l
			list = append(list, l)
		}
		if r.passive {
			l.passive = append(l.passive, r)
		} else {
			l.active = append(l.active, r)
		}
	}
	for _, l := range list {
		l.keys = newKeyring(l)
	}
	return list
}

// run listens until ctx ends.
func (l *listener) run(ctx context.Context) {
	l.start = time.Now()
	var wg sync.WaitGroup
	wg.Go(func() { l.watch(ctx) })
	switch l.endpoint.network {
	case tcpListen:
		l.accept(ctx, &wg)
	case udpListen:
		l.receive(ctx)
	default:
		l.dial(ctx)
	}
	wg.Wait()
	l.saveFloors(true)
}

// again waits before something that failed is tried again.
func again(ctx context.Context, b *schedule.Backoff) {
	now := time.Now()
	b.Fail(now)
	t := time.NewTimer(b.Until().Sub(now))
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// reconnectLadder is how long to wait before a line or a connection that was
// lost is opened again.
func reconnectLadder() schedule.Ladder {
	return schedule.Ladder{time.Second, 2 * time.Second, 5 * time.Second, 15 * time.Second, time.Minute}
}

// dial listens on a line or a connection that we open.
func (l *listener) dial(ctx context.Context) {
	back := schedule.Backoff{Ladder: reconnectLadder()}
	for ctx.Err() == nil {
		err := l.dialOnce(ctx, &back)
		if ctx.Err() != nil {
			return
		}
		l.failed(&connectError{endpoint: l.endpoint.address, err: err}, resultConnect)
		again(ctx, &back)
	}
}

func (l *listener) dialOnce(ctx context.Context, back *schedule.Backoff) error {
	limited, cancel := context.WithTimeout(ctx, l.passive[0].connectTimeout)
	t, err := l.d.Dial(limited, l.endpoint.String())
	cancel()
	if err != nil {
		return err
	}
	defer func() { _ = t.Close() }()
	e := newEar(l, t, "")
	if port, ok := t.(line); ok {
		e.port = port
		if err := e.set(l.passive[0].line); err != nil {
			return err
		}
	}
	l.forget("connect")
	defer watchEnd(ctx, t)()
	return e.listen(ctx, func() { back.Succeed() })
}

// watchEnd makes the end of ctx wake a blocked Read.
func watchEnd(ctx context.Context, t dlms.Transport) (end func()) {
	stop := context.AfterFunc(ctx, func() {
		past := time.Unix(1, 0)
		_ = t.SetReadDeadline(past)
		_ = t.SetWriteDeadline(past)
	})
	return func() { stop() }
}

// accept serves meters that connect to us.
func (l *listener) accept(ctx context.Context, wg *sync.WaitGroup) {
	back := schedule.Backoff{Ladder: reconnectLadder()}
	for ctx.Err() == nil {
		ln, err := l.d.Listen(ctx, l.endpoint.address)
		if err == nil {
			l.forget("connect")
			back.Succeed()
			err = l.serve(ctx, ln, wg)
		}
		if ctx.Err() != nil {
			return
		}
		l.failed(&listenError{endpoint: l.endpoint, err: err}, resultConnect)
		again(ctx, &back)
	}
}

func (l *listener) serve(ctx context.Context, ln net.Listener, wg *sync.WaitGroup) error {
	stop := context.AfterFunc(ctx, func() { _ = ln.Close() })
	defer stop()
	defer func() { _ = ln.Close() }()
	l.d.Log.Infof("Listening for meters at %s", ln.Addr())
	for {
		conn, err := ln.Accept()
		if err != nil {
			return err
		}
		if !l.admits(conn.RemoteAddr()) {
			_ = conn.Close()
			continue
		}
		wg.Go(func() {
			ip := ipOf(conn.RemoteAddr())
			e := newEar(l, conn, ipText(ip))
			e.ip = ip
			defer l.leaves(ip, e)
			l.talk(ctx, conn, e)
		})
	}
}

// talk serves one meter that has connected.
func (l *listener) talk(ctx context.Context, conn net.Conn, e *ear) {
	defer func() { _ = conn.Close() }()
	if len(l.active) > 0 {
		l.dialedIn(ctx, conn, e)
		return
	}
	defer watchEnd(ctx, conn)()
	err := e.listen(ctx, func() {})
	if stats := e.deframer.Stats(); stats.Frames == 0 && stats.Octets > 0 {
		l.complain("octets "+e.from, fmt.Errorf("%s: %d octets came from %s, and no telegram could be made of them: %w", l.where(), stats.Octets, e.from, cmp.Or(e.deframer.Err(), io.ErrUnexpectedEOF)))
	}
	var much *tooMuchError
	if errors.As(err, &much) {
		l.complain("closed "+e.from, fmt.Errorf("%s: the connection from %s was closed: %w", l.where(), e.from, err))
	}
	if ctx.Err() == nil {
		l.d.Log.Debugf("%s: The connection from %s has ended: %v", l.endpoint, conn.RemoteAddr(), err)
	}
}

// receive takes datagrams.
func (l *listener) receive(ctx context.Context) {
	back := schedule.Backoff{Ladder: reconnectLadder()}
	for ctx.Err() == nil {
		pc, err := l.d.ListenPacket(ctx, l.endpoint.address)
		if err == nil {
			l.forget("connect")
			back.Succeed()
			err = l.datagrams(ctx, pc)
		}
		if ctx.Err() != nil {
			return
		}
		l.failed(&listenError{endpoint: l.endpoint, err: err}, resultConnect)
		again(ctx, &back)
	}
}

// largestDatagram is what UDP can carry.
const largestDatagram = 65535

func (l *listener) datagrams(ctx context.Context, pc net.PacketConn) error {
	stop := context.AfterFunc(ctx, func() { _ = pc.Close() })
	defer stop()
	defer func() { _ = pc.Close() }()
	l.d.Log.Infof("Listening for meters at %s", pc.LocalAddr())
	if big, ok := pc.(interface{ SetReadBuffer(int) error }); ok {
		_ = big.SetReadBuffer(receiveBuffer) // as far as the system lets us
	}
	queue := make(chan received, mostQueued)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer close(queue)
	wg.Go(func() {
		e := newEar(l, nil, "")
		e.datagram = true
		for x := range queue {
			e.ip = ipOf(x.from)
			e.from, e.reply = ipText(e.ip), func(b []byte) error {
				_, err := pc.WriteTo(b, x.from)
				return err
			}
			e.takeDatagram(x.octets, x.at)
		}
	})
	return l.enqueue(ctx, pc, queue)
}

// Thousands of meters push at the full hour: what the system keeps for a socket
// holds some hundred datagrams, so that they are taken off it at once.
const (
	receiveBuffer = 4 << 20
	mostQueued    = 1 << 15
)

// received is a datagram, and when it came.
type received struct {
	from   net.Addr
	octets []byte
	at     time.Time
}

// enqueue reads datagrams until the socket ends.
func (l *listener) enqueue(ctx context.Context, pc net.PacketConn, queue chan<- received) error {
	buf := make([]byte, largestDatagram)
	dropped := 0
	for {
		n, from, err := pc.ReadFrom(buf)
		if err != nil {
			if ctx.Err() == nil && !errors.Is(err, net.ErrClosed) && n == 0 && isTransient(err) {
				continue // an answer of ours that nobody took
			}
			return err
		}
		if ip := ipOf(from); !l.allowed(ip) {
			l.complain("source "+ip.String(), fmt.Errorf("%s: datagrams from %s are refused: it is not in allowed_sources", l.endpoint, ip))
			continue
		}
		select {
		case queue <- received{from, append([]byte(nil), buf[:n]...), time.Now()}:
			if dropped > 0 {
				l.d.Log.Warnf("%s: %s came faster than they could be taken, and were dropped", l.endpoint, counted(dropped, "datagram"))
				dropped = 0
			}
		default:
			dropped++
		}
	}
}

// isTransient reports whether a socket for datagrams lives on.
func isTransient(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && !op.Timeout()
}

// listenError is a port that cannot be listened at.
type listenError struct {
	endpoint endpoint
	err      error
}

func (e *listenError) Error() string {
	return "cannot listen at " + e.endpoint.String() + ": " + plainText(e.err)
}
func (e *listenError) Unwrap() error { return e.err }

// complain reports an error once, until it is forgotten.
func (l *listener) complain(key string, err error) {
	l.mu.Lock()
	speak := l.maySpeak(key, time.Now())
	l.mu.Unlock()
	if !speak {
		l.d.Log.Debugf("%v", err)
		return
	}
	if hint := Hint(err); hint != "" {
		err = fmt.Errorf("%w: %s", err, hint)
	}
	l.out.addError(err)
}

// forget makes the next complaint be heard.
func (l *listener) forget(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.said, key)
}

// failed reports that the endpoint cannot be listened to.
func (l *listener) failed(err error, res result) {
	l.complain("connect", fmt.Errorf("%s: %w", l.where(), err))
	for _, r := range l.passive {
		o := &outcome{at: time.Now(), result: res, err: err, failed: len(r.items)}
		l.status(r, "", o, 0)
	}
}

func (l *listener) where() string {
	list := l.passive
	if len(list) == 0 {
		list = l.active
	}
	return fmt.Sprintf("request %q, %s", list[0].name, l.endpoint.address)
}

// status passes on how it goes with a device, or with the endpoint.
func (l *listener) status(r *request, id string, o *outcome, skipped int) {
	l.out.together(func(add adder) { add.addStatus(r, &device{id: id}, o, skipped) })
	if l.d.OnRun != nil {
		l.d.OnRun(Run{Request: r.name, Address: id, Result: o.result.String()})
	}
}

// set opens the ear for characters of a kind.
func (e *ear) set(s serial.Settings) error {
	if e.l.passive[0].findSpeed {
		s = e.speeds.now(s)
	}
	return e.port.Configure(s, false)
}

// onceAtLeast is how long a push is waited for where one is enough, unless the
// request has a timeout.
const onceAtLeast = 90 * time.Second

// once listens until each request has had a telegram that was understood, or
// its time is over. It returns how many had none.
func (l *listener) once(ctx context.Context) (failed int) {
	limit := time.Duration(0)
	for _, list := range [][]*request{l.passive, l.active} {
		for _, r := range list {
			wait := r.timeout
			if !r.timeoutGiven {
				wait = max(wait, onceAtLeast)
			}
			limit = max(limit, wait)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	l.wanted = map[string]bool{}
	for _, list := range [][]*request{l.passive, l.active} {
		for _, r := range list {
			l.wanted[r.name] = true
		}
	}
	l.enough = cancel
	l.run(ctx)
	for _, list := range [][]*request{l.passive, l.active} {
		for _, r := range list {
			l.mu.Lock()
			missed, octets := l.wanted[r.name], l.octets
			l.mu.Unlock()
			if !missed {
				continue
			}
			failed++
			err := error(&quietError{octets: octets, after: limit, listens: l.endpoint.listening()})
			if !r.passive {
				err = fmt.Errorf("no meter that it is for has dialed in and was read within %s", limit)
			}
			l.status(r, "", &outcome{at: time.Now(), result: resultTimeout, err: err, failed: len(r.items)}, 0)
			l.complain("once "+r.name, fmt.Errorf("request %q, %s: %w", r.name, l.endpoint.address, err))
		}
	}
	return failed
}

// served takes note that a request has had a telegram. l.mu is held.
func (l *listener) served(r *request) {
	if l.wanted == nil {
		return
	}
	if delete(l.wanted, r.name); len(l.wanted) == 0 {
		l.enough()
	}
}
