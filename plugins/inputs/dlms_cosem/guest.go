package dlms_cosem

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/hdlc"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/wrapper"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// guest is a meter that has dialed in and is asked over its own connection,
// while what it pushes goes on to be heard.
type guest struct {
	host *listener
	conn net.Conn
	in   *inbox
}

// guestHello is how long a meter that has dialed in may take to say who it is by
// a push, before it is asked.
const guestHello = 2 * time.Second

// publicClient may read the logical device name of every meter without a login
// (Green Book Ed. 9, clause 9.4.2.2).
const publicClient = 16

// dialedIn runs the requests for meters that dial in on a connection, until it
// ends.
func (l *listener) dialedIn(ctx context.Context, conn net.Conn, e *ear) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	g := &guest{host: l, conn: conn, in: newInbox()}
	named := make(chan string, 1)
	var wg sync.WaitGroup
	wg.Go(func() {
		defer cancel()
		defer g.in.close()
		g.pump(ctx, e, l.active[0].framing, named)
	})
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	id, err := l.whoIs(ctx, g, named)
	if err != nil && ctx.Err() == nil {
		l.complain("guest "+e.from, fmt.Errorf("%s: the meter at %s has dialed in, and does not say who it is: %w", l.where(), e.from, err))
	}
	if id == "" {
		id = e.from
	}
	l.d.Log.Debugf("%s: Device %s has dialed in from %s", l.where(), id, conn.RemoteAddr())
	l.entertain(ctx, g, id)
	cancel()
	wg.Wait()
}

// whoIs finds out who has dialed in: by what it pushes, or by its logical device
// name.
func (l *listener) whoIs(ctx context.Context, g *guest, named <-chan string) (string, error) {
	t := time.NewTimer(guestHello)
	defer t.Stop()
	select {
	case id := <-named:
		return id, nil
	case <-ctx.Done():
		return "", ctx.Err()
	case <-t.C:
	}
	r := l.active[0]
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	cfg := r.connConfig(r.devices[0], newMemory(""))
	cfg.ClientAddress = publicClient
	c, err := dlms.NewConn(g.open(), cfg)
	if err != nil {
		return "", err
	}
	as, err := c.Associate(ctx, dlms.AssociationConfig{})
	if err != nil {
		return "", err
	}
	defer func() { _ = as.Release(ctx) }()
	d, err := as.Get(ctx, nameAttribute(), nil)
	if err != nil {
		return "", err
	}
	return identityOf(d), nil
}

// entertain runs the requests that match the meter.
func (l *listener) entertain(ctx context.Context, g *guest, id string) {
	link := newLink(l.d, l.endpoint, l.out)
	link.guest = g
	for _, r := range l.active {
		if r.identity != "" && !globFits(r.identity, id) {
			continue
		}
		own := *r
		own.devices = nil
		for _, dev := range r.devices {
			copied := *dev
			copied.id = id
			own.devices = append(own.devices, &copied)
		}
		link.add(&own)
	}
	if len(link.queue) == 0 {
		l.complain("stranger "+id, fmt.Errorf("%s: device %s has dialed in, and no request is for it: identity of the requests does not fit", l.endpoint, id))
		<-ctx.Done()
		return
	}
	link.begin(time.Now(), 1)
	l.d.guests.add(link)
	defer l.d.guests.remove(link)
	link.loop(ctx)
}

// open returns the connection for a session. Closing it leaves it open.
func (g *guest) open() dlms.Transport {
	g.in.drop()
	return &guestTransport{g}
}

// guestTransport is the connection of a guest as a session sees it: without what
// the meter pushes.
type guestTransport struct{ *guest }

func (t *guestTransport) Read(b []byte) (int, error)         { return t.in.read(b) }
func (t *guestTransport) Write(b []byte) (int, error)        { return t.conn.Write(b) }
func (t *guestTransport) Close() error                       { return nil }
func (t *guestTransport) SetReadDeadline(at time.Time) error { return t.in.setDeadline(at) }
func (t *guestTransport) SetWriteDeadline(at time.Time) error {
	return t.conn.SetWriteDeadline(at)
}

// pump reads the connection, and gives what is pushed to the ear and the rest to
// the session. named gets who the meter is, once it has said so.
func (g *guest) pump(ctx context.Context, e *ear, framing dlms.Framing, named chan<- string) {
	e.framing = framing
	e.reset()
	buf := make([]byte, receiveChunk)
	var pending []byte
	limit := nobodyAtMost
	for ctx.Err() == nil {
		if err := g.conn.SetReadDeadline(time.Now().Add(limit)); err != nil {
			return
		}
		n, err := g.conn.Read(buf)
		if n > 0 {
			now := time.Now()
			limit = idleAtMost
			pending = g.sort(e, framing, append(pending, buf[:n]...), now)
			if id := e.lineID; id != "" {
				select {
				case named <- id:
				default:
				}
			}
		}
		if err == nil {
			err = e.l.holds(e, e.deframer.Held()+e.unwrap.Held()+cap(pending)+g.in.held())
		}
		if err != nil {
			return
		}
	}
}

// sort gives whole messages to where they belong. It returns what is not whole.
func (g *guest) sort(e *ear, framing dlms.Framing, b []byte, now time.Time) []byte {
	for len(b) > 0 {
		var rest []byte
		var err error
		pushed := false
		if framing == dlms.Wrapper {
			var apdu []byte
			if _, apdu, rest, err = wrapper.Cut(b); err == nil {
				pushed = unasked(apdu)
			}
		} else {
			var f hdlc.Frame
			if f, rest, err = hdlc.CutFrame(b); err == nil {
				pushed = f.Control.Kind() == hdlc.UI
			}
		}
		var noise *hdlc.FrameError
		switch {
		case errors.As(err, &noise):
			b = rest
			continue
		case err != nil && len(b) < 2*largestDatagram && !isFormat(err):
			return append([]byte(nil), b...)
		case err != nil:
			g.in.put(b) // the session tells what is wrong with it
			return nil
		}
		whole := b[:len(b)-len(rest)]
		if framing == dlms.HDLC { // the flag that closes the frame may open the next one
			whole = append(whole[:len(whole):len(whole)], hdlc.Flag)
		}
		if pushed {
			e.take(whole, now)
		} else {
			g.in.put(whole)
		}
		if framing == dlms.HDLC && len(rest) == 1 {
			rest = nil
		}
		b = rest
	}
	return nil
}

func isFormat(err error) bool {
	var format *wrapper.FormatError
	return errors.As(err, &format)
}

// unasked reports whether an APDU is one that is pushed. Over these connections
// nothing is asked for in blocks or under a key.
func unasked(apdu []byte) bool {
	if len(apdu) == 0 {
		return true
	}
	tag := xdlms.APDUTag(apdu[0])
	return tag.Unsolicited() || tag >= xdlms.TagGeneralGloCiphering && tag.Ciphered() || tag == xdlms.TagGeneralBlockTransfer || tag == xdlms.TagGeneralSigning
}

// inbox holds messages until a session reads them.
type inbox struct {
	mu       sync.Mutex
	list     [][]byte
	octets   int // of list
	closed   bool
	deadline time.Time
	changed  chan struct{} // closed when one of these changes
}

// mostMessages bounds what a meter may send that nobody reads.
const mostMessages = 256

func newInbox() *inbox { return &inbox{changed: make(chan struct{})} }

// wake makes readers look again. i.mu is held.
func (i *inbox) wake() {
	close(i.changed)
	i.changed = make(chan struct{})
}

func (i *inbox) put(b []byte) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.list) < mostMessages && i.octets+len(b) <= mostWaiting {
		i.octets += len(b)
		i.list = append(i.list, append([]byte(nil), b...))
		i.wake()
	}
}

// held is how many octets wait to be read.
func (i *inbox) held() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.octets
}

func (i *inbox) close() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.closed = true
	i.wake()
}

// drop forgets what was not read.
func (i *inbox) drop() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.list, i.octets = nil, 0
}

func (i *inbox) setDeadline(at time.Time) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.deadline = at
	i.wake()
	return nil
}

func (i *inbox) read(b []byte) (int, error) {
	for {
		i.mu.Lock()
		changed, deadline := i.changed, i.deadline
		switch {
		case len(i.list) > 0:
			n := copy(b, i.list[0])
			i.octets -= n
			if i.list[0] = i.list[0][n:]; len(i.list[0]) == 0 {
				i.list = i.list[1:]
			}
			i.mu.Unlock()
			return n, nil
		case i.closed:
			i.mu.Unlock()
			return 0, net.ErrClosed
		default:
		}
		i.mu.Unlock()
		if deadline.IsZero() {
			<-changed
			continue
		}
		wait := time.Until(deadline)
		if wait <= 0 {
			return 0, os.ErrDeadlineExceeded
		}
		t := time.NewTimer(wait)
		select {
		case <-changed:
		case <-t.C:
		}
		t.Stop()
	}
}

// guests are the links of the meters that have dialed in.
type guests struct {
	mu   sync.Mutex
	list map[*link]bool
}

func (g *guests) add(l *link) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.list == nil {
		g.list = map[*link]bool{}
	}
	g.list[l] = true
}

func (g *guests) remove(l *link) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.list, l)
}

// each calls f for each of them.
func (g *guests) each(f func(*link)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for l := range g.list {
		f(l)
	}
}
