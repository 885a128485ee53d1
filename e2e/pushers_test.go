//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/e2e/telegram"
)

// pusher is a meter that pushes: telegram n has register values that n tells.
type pusher struct {
	title  string            // of the test's messages
	device string            // tag
	said   string            // logical device name
	common point             // tags of all its points
	names  map[string]string // of the values, by OBIS code
	every  time.Duration
	make   func(n uint32) ([]byte, error)
	out    io.Writer

	sent uint32
}

// run pushes until the time is over.
func (p *pusher) run(ctx context.Context, d time.Duration) error {
	end := time.Now().Add(d)
	tick := time.NewTicker(p.every)
	defer tick.Stop()
	for time.Now().Before(end) {
		b, err := p.make(p.sent + 1)
		if err != nil {
			return fmt.Errorf("%s: %w", p.title, err)
		}
		if _, err := p.out.Write(b); err != nil {
			return fmt.Errorf("%s, telegram %d: %w", p.title, p.sent+1, err)
		}
		p.sent++
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// plain makes telegrams that are not ciphered.
func plain(layout telegram.Layout, device string, frame func(apdu []byte) ([]byte, error)) func(n uint32) ([]byte, error) {
	return func(n uint32) ([]byte, error) {
		apdu, err := telegram.Notification(n, telegram.Body(nil, layout, device, telegram.Registers(n)))
		if err != nil {
			return nil, err
		}
		return frame(apdu)
	}
}

// ciphered makes telegrams whose invocation counter rises with their number.
func ciphered(c *telegram.Cipher, layout telegram.Layout, device string) func(n uint32) ([]byte, error) {
	return plain(layout, device, func(apdu []byte) ([]byte, error) {
		return telegram.Wrapped(c.Protect(apdu, counterOf(apdu)))
	})
}

// counterOf is the number of a data-notification, far from 0 as it is in meters
// that have been in service for long.
func counterOf(apdu []byte) uint32 {
	return 70_000 + uint32(apdu[2])<<16 + uint32(apdu[3])<<8 + uint32(apdu[4])
}

// line is the meter's end of a serial line at 2,400 baud.
type line struct {
	*os.File
	due time.Time
}

const lineBaud = 2400

// Write sends octet by octet, each when it is due.
func (l *line) Write(b []byte) (int, error) {
	if now := time.Now(); l.due.Before(now) {
		l.due = now
	}
	for i := range b {
		l.due = l.due.Add(10 * time.Second / lineBaud)
		time.Sleep(time.Until(l.due))
		if _, err := l.File.Write(b[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(b), nil
}

// serialLine is a line, and the name of the port at its other end.
func serialLine(t *testing.T) (l *line, port string) {
	t.Helper()
	far, near, err := pty.Open()
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = far.Close()
		_ = near.Close()
	})
	return &line{File: far}, near.Name()
}

// freeAddress is where the plugin can listen. Nobody but this test uses the
// host, so that the port is free until it does.
func freeAddress(t *testing.T, network string) string {
	t.Helper()
	const host = "127.0.47.9:0"
	if network == "udp" {
		c, err := net.ListenPacket(network, host)
		require.NoError(t, err)
		defer c.Close()
		return c.LocalAddr().String()
	}
	l, err := net.Listen(network, host)
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

// caller is a meter that connects to push and does so anew now and then. It
// writes some telegrams in two parts, and some together with the next one.
type caller struct {
	ctx     context.Context //nolint:containedctx // ends what waits
	address string
	conn    net.Conn
	made    int
	held    []byte // goes out with the next telegram
}

const (
	callLength = 100 // telegrams of a connection
	splitEvery = 5   // telegrams of which one comes in two parts
	holdEvery  = 7   // telegrams of which one comes together with the next
)

func (c *caller) Write(b []byte) (int, error) {
	c.made++
	all := append(c.held, b...)
	c.held = nil
	switch {
	case c.made%callLength == 0:
		if err := c.send(all); err != nil {
			return 0, err
		}
		err := c.conn.Close()
		c.conn = nil
		return len(b), err
	case c.made%holdEvery == 0:
		c.held = all
		return len(b), nil
	case c.made%splitEvery == 0:
		if err := c.send(all[:len(all)/2]); err != nil {
			return 0, err
		}
		time.Sleep(30 * time.Millisecond)
		return len(b), c.send(all[len(all)/2:])
	default:
		return len(b), c.send(all)
	}
}

// send connects as soon as somebody listens, and writes.
func (c *caller) send(b []byte) error {
	for c.conn == nil {
		conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(c.ctx, "tcp", c.address)
		if err == nil {
			c.conn = conn
			break
		}
		if c.ctx.Err() != nil {
			return err
		}
		time.Sleep(100 * time.Millisecond)
	}
	_, err := c.conn.Write(b)
	return err
}

// Close sends what is held back and ends the connection.
func (c *caller) Close() error {
	if len(c.held) > 0 {
		if err := c.send(c.held); err != nil {
			return err
		}
		c.held = nil
	}
	if c.conn == nil {
		return nil
	}
	err := c.conn.Close()
	c.conn = nil
	return err
}
