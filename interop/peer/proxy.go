package peer

import (
	"net"
	"sync"
)

// A Proxy stands between a reader and a meter and counts what passes.
type Proxy struct {
	Address string // HOST:PORT to connect to

	listener net.Listener
	target   string
	all      sync.WaitGroup

	mu     sync.Mutex
	counts Counts
	up     bool // the last octets went to the meter
}

// Counts is what passed.
type Counts struct {
	RoundTrips int // changes of direction towards the reader
	Connects   int
	Up, Down   int // octets to and from the meter
}

// StartProxy listens on a free port of loopback.
func StartProxy(target string) (*Proxy, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &Proxy{Address: listener.Addr().String(), listener: listener, target: target}
	p.all.Go(p.accept)
	return p, nil
}

// Counts returns what has passed so far.
func (p *Proxy) Counts() Counts {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.counts
}

// Stop ends the proxy. Connections must have been closed by their reader.
func (p *Proxy) Stop() {
	_ = p.listener.Close()
	p.all.Wait()
}

func (p *Proxy) accept() {
	for {
		reader, err := p.listener.Accept()
		if err != nil {
			return
		}
		meter, err := net.Dial("tcp", p.target)
		if err != nil {
			_ = reader.Close()
			continue
		}
		p.mu.Lock()
		p.counts.Connects++
		p.mu.Unlock()
		p.all.Go(func() { p.pass(meter, reader, true) })
		p.all.Go(func() { p.pass(reader, meter, false) })
	}
}

// pass copies one direction until it ends, and then ends the other.
func (p *Proxy) pass(to, from net.Conn, up bool) {
	defer func() {
		_ = to.Close()
		_ = from.Close()
	}()
	buffer := make([]byte, 16<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			p.count(n, up)
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (p *Proxy) count(n int, up bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if up {
		p.counts.Up += n
	} else {
		p.counts.Down += n
		if p.up {
			p.counts.RoundTrips++
		}
	}
	p.up = up
}
