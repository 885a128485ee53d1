package dlmstest

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

const (
	queueLength  = 64               // answers waiting to be sent on one connection
	writeTimeout = 30 * time.Second // for a client that does not read
	sessionGrace = 100 * time.Millisecond
	readSize     = 4096
	maxPeers     = 256 // UDP clients remembered
	maxDatagram  = 64 << 10
)

// ErrBusy is returned by ServeConn for a connection beyond Config.MaxSessions.
var ErrBusy = errors.New("meter is busy: as many connections as it serves")

// outgoing is a packet with the time it is due, and where it goes with UDP.
type outgoing struct {
	packet
	due time.Time
	to  net.Addr
}

// Serve accepts connections from l and serves them until ctx ends, which is no
// error, or l fails. It closes l, and returns when all its connections are
// closed and their goroutines gone.
func (m *Meter) Serve(ctx context.Context, l net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() {
		<-ctx.Done()
		_ = l.Close()
	})
	for {
		c, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		wg.Go(func() { _ = m.ServeConn(ctx, c) }) // how one connection ends is its client's affair
	}
}

// ServeConn serves one connection until the client closes it or ctx ends, both
// of which are no error. It closes c, and leaves no goroutine behind. c may be
// one end of a net.Pipe: the meter reads while it writes.
func (m *Meter) ServeConn(ctx context.Context, c net.Conn) error {
	if !m.enter(ctx) {
		m.count(func(c *Counters) { c.Refused++ })
		_ = c.Close()
		return ErrBusy
	}
	defer m.leave()
	m.count(func(c *Counters) { c.Connections++ })

	ctx, cancel := context.WithCancel(ctx)
	var closer sync.WaitGroup
	defer closer.Wait()
	defer cancel()
	closer.Go(func() {
		<-ctx.Done()
		_ = c.Close()
	})

	out := make(chan outgoing, queueLength)
	gone := make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() {
		m.write(ctx, gone, out, func(p outgoing) error {
			if err := c.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
				return err
			}
			_, err := c.Write(p.octets)
			return err
		})
		// A client that does not take its answers is gone; else what it was
		// owed has been sent.
		cancel()
	})

	l := m.newLine()
	err := m.read(ctx, c, l, m.sender(ctx, out))
	l.close()
	if errors.Is(err, errClose) {
		cancel()
	}
	close(gone)
	close(out)
	writer.Wait()
	if ctx.Err() != nil && errors.Is(err, net.ErrClosed) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe) {
		return nil
	}
	return err
}

// read hands what comes from c to l.
func (m *Meter) read(ctx context.Context, c net.Conn, l line, send func(net.Addr, packet)) error {
	buf := make([]byte, readSize)
	for {
		if m.cfg.Framing != FramingHDLC && m.cfg.Inactivity > 0 {
			if err := c.SetReadDeadline(time.Now().Add(m.cfg.Inactivity)); err != nil {
				return err
			}
		}
		n, err := c.Read(buf)
		if n > 0 {
			if err := l.receive(buf[:n], time.Now(), func(p packet) { send(nil, p) }); err != nil {
				return err
			}
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil
		}
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return nil
		}
	}
}

// ServePacket serves the clients that send datagrams to pc, each of them by its
// address, until ctx ends, which is no error, or pc fails. It closes pc.
func (m *Meter) ServePacket(ctx context.Context, pc net.PacketConn) error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() {
		<-ctx.Done()
		_ = pc.Close()
	})
	out := make(chan outgoing, queueLength)
	defer close(out)
	wg.Go(func() {
		m.write(ctx, nil, out, func(p outgoing) error {
			_, _ = pc.WriteTo(p.octets, p.to) // datagrams may be lost
			return nil
		})
	})
	peers := map[string]*peer{}
	defer func() {
		for _, p := range peers {
			p.line.close()
		}
	}()
	send := m.sender(ctx, out)
	buf := make([]byte, maxDatagram)
	for {
		n, from, err := pc.ReadFrom(buf)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		now := time.Now()
		p := m.peer(peers, from, now)
		if err := p.line.receive(buf[:n], now, func(p packet) { send(from, p) }); err != nil {
			p.line.close() // there is no connection to close: the client is forgotten
			delete(peers, from.String())
		}
	}
}

// peer is a client that sends datagrams.
type peer struct {
	line line
	last time.Time
}

// peer returns what is known of the client at an address. Of too many, the one
// that was silent longest is forgotten.
func (m *Meter) peer(peers map[string]*peer, from net.Addr, now time.Time) *peer {
	key := from.String()
	p := peers[key]
	if p != nil && m.cfg.Inactivity > 0 && now.Sub(p.last) >= m.cfg.Inactivity {
		p.line.close()
		delete(peers, key)
		p = nil
	}
	if p == nil {
		if len(peers) >= maxPeers {
			forgetOldest(peers)
		}
		m.count(func(c *Counters) { c.Connections++ })
		p = &peer{line: m.newLine()}
		peers[key] = p
	}
	if w, ok := p.line.(*wrapperLine); ok {
		w.buf = w.buf[:0] // an APDU never continues in another datagram
	}
	p.last = now
	return p
}

func forgetOldest(peers map[string]*peer) {
	var oldest string
	for key, p := range peers {
		if oldest == "" || p.last.Before(peers[oldest].last) {
			oldest = key
		}
	}
	peers[oldest].line.close()
	delete(peers, oldest)
}

// sender returns what queues packets. The meter answers one request after the
// other, each after its response delay.
func (m *Meter) sender(ctx context.Context, out chan<- outgoing) func(to net.Addr, p packet) {
	var due time.Time
	return func(to net.Addr, p packet) {
		if len(p.octets) == 0 {
			return
		}
		if now := time.Now(); due.Before(now) {
			due = now
		}
		due = due.Add(m.cfg.ResponseDelay)
		o := outgoing{packet: p, due: due.Add(p.late), to: to}
		select {
		case out <- o:
		case <-ctx.Done():
		}
	}
}

// write sends packets when they are due, until out is closed and empty, ctx
// ends or send fails. Once the client is gone, what is not yet due is dropped.
func (m *Meter) write(ctx context.Context, gone <-chan struct{}, out <-chan outgoing, send func(outgoing) error) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for p := range out {
		if wait := time.Until(p.due); wait > 0 {
			timer.Reset(wait)
			select {
			case <-timer.C:
			case <-gone:
				continue
			case <-ctx.Done():
			}
		}
		if ctx.Err() != nil {
			return
		}
		if err := send(p); err != nil {
			return
		}
	}
}

// enter waits a moment for a free session, since a client that closes one
// connection and opens another may be faster than the meter.
func (m *Meter) enter(ctx context.Context) bool {
	if m.slots == nil {
		return true
	}
	timer := time.NewTimer(sessionGrace)
	defer timer.Stop()
	select {
	case m.slots <- struct{}{}:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

func (m *Meter) leave() {
	if m.slots != nil {
		<-m.slots
	}
}
