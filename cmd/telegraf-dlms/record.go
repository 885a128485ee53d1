package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"

	"github.com/influxdata/telegraf"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/serial"
	"github.com/telegraf-dlms/telegraf-dlms/internal/record"
	"github.com/telegraf-dlms/telegraf-dlms/plugins/inputs/dlms_cosem"
)

// recordLinks has the traffic of all links written to a file, unless its name is
// empty. What it returns ends that, and makes the exit status of the one there is:
// a record that is incomplete is a failure, but no reason to stop polling.
func recordLinks(d *dlms_cosem.DLMS, path string, log telegraf.Logger) (end func(status int) int, err error) {
	if path == "" {
		return func(status int) int { return status }, nil
	}
	r, err := record.Create(path)
	if err != nil {
		return nil, err
	}
	dial := d.Dial
	if dial == nil {
		dial = dlms_cosem.Dial
	}
	d.Dial = func(ctx context.Context, endpoint string) (dlms.Transport, error) {
		t, err := dial(ctx, endpoint)
		if err != nil {
			r.Note(endpoint, "cannot be opened: "+err.Error())
			return nil, err
		}
		if p, ok := t.(record.Port[serial.Settings]); ok { // the plugin has to see that it is one
			return record.WrapPort(r, p, endpoint), nil
		}
		return r.Wrap(t, endpoint), nil
	}
	recordListeners(d, r)
	return func(status int) int {
		if err := r.Close(); err != nil {
			log.Errorf("-record: %v", err)
			return max(status, exitFailed)
		}
		return status
	}, nil
}

// recordListeners does the same for what comes to us. The endpoint of each meter
// is ours with its address behind: several may be connected at once.
func recordListeners(d *dlms_cosem.DLMS, r *record.Recorder) {
	if listen := d.Listen; listen != nil {
		d.Listen = func(ctx context.Context, address string) (net.Listener, error) {
			l, err := listen(ctx, address)
			if err != nil {
				return nil, err
			}
			return &recordedListener{l, r, "tcp-listen://" + address + "/"}, nil
		}
	}
	if listen := d.ListenPacket; listen != nil {
		d.ListenPacket = func(ctx context.Context, address string) (net.PacketConn, error) {
			pc, err := listen(ctx, address)
			if err != nil {
				return nil, err
			}
			return &recordedPackets{pc, r, "udp-listen://" + address + "/"}, nil
		}
	}
}

type recordedListener struct {
	net.Listener
	r        *record.Recorder
	endpoint string
}

func (l *recordedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &recordedConn{conn, l.r.Wrap(conn, l.endpoint+conn.RemoteAddr().String())}, nil
}

// recordedConn is a connection whose traffic goes through t.
type recordedConn struct {
	net.Conn
	t record.Transport
}

func (c *recordedConn) Read(b []byte) (int, error)  { return c.t.Read(b) }
func (c *recordedConn) Write(b []byte) (int, error) { return c.t.Write(b) }
func (c *recordedConn) Close() error                { return c.t.Close() }

type recordedPackets struct {
	net.PacketConn
	r        *record.Recorder
	endpoint string
}

func (p *recordedPackets) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := p.PacketConn.ReadFrom(b)
	if n > 0 {
		p.r.Add(record.Line{Endpoint: p.endpoint + from.String(), Received: true, Octets: b[:n]})
	}
	return n, from, err
}

func (p *recordedPackets) WriteTo(b []byte, to net.Addr) (int, error) {
	n, err := p.PacketConn.WriteTo(b, to)
	if n > 0 {
		p.r.Add(record.Line{Endpoint: p.endpoint + to.String(), Sent: true, Octets: b[:n]})
	}
	return n, err
}

// replayFlags are the flags of simulate that play a record instead of a meter.
type replayFlags struct{ file, endpoint, speed string }

func (f *replayFlags) register(fs *flag.FlagSet) {
	fs.StringVar(&f.file, "replay", "", "play what dump -record has written to `FILE`, over TCP or at a serial port, instead of a meter")
	fs.StringVar(&f.endpoint, "replay_endpoint", "", "`URL` of which the traffic is played, if there are several in the file")
	fs.StringVar(&f.speed, "speed", "original", "`NAME` of a replay: original, answers come as late as they did; or full")
}

func isReplay(fs *flag.FlagSet) bool {
	return slices.ContainsFunc([]string{"replay", "replay_endpoint", "speed"}, func(name string) bool { return isSet(fs, name) })
}

// replay is a record of an endpoint that is played.
type replay struct {
	connections [][]record.Line
	speed       record.Speed
	tell        func(error)
}

// runReplay plays a record until it is interrupted.
func (f *simulateFlags) runReplay(ctx context.Context, c *command, fs *flag.FlagSet, s streams) int {
	p := replay{tell: func(err error) { fmt.Fprintf(s.err, "%s: %v\n", c.title(), err) }}
	err := f.checkReplay(fs)
	if err == nil {
		p.connections, err = loadRecord(f.replay.file, f.replay.endpoint)
	}
	if err != nil {
		p.tell(err)
		return exitUsage
	}
	if f.replay.speed == "full" {
		p.speed = record.Full
	}
	if name, ok := f.port(); ok {
		err = p.servePort(ctx, name, f.baudRate, s.out)
	} else {
		err = p.serve(ctx, f, s.out)
	}
	if err != nil {
		p.tell(err)
		return exitFailed
	}
	return exitOK
}

func (f *simulateFlags) checkReplay(fs *flag.FlagSet) (err error) {
	if f.replay.file == "" {
		return errors.New("-replay FILE is missing: -replay_endpoint and -speed say how it is played")
	}
	if f.replay.speed != "original" && f.replay.speed != "full" {
		return fmt.Errorf("-speed %q: allowed are original and full", f.replay.speed)
	}
	fs.Visit(func(fl *flag.Flag) {
		switch fl.Name {
		case "replay", "replay_endpoint", "speed", "listen", "baud_rate":
		default:
			err = fmt.Errorf("-%s is of no use with -replay: the record says what the meter answers", fl.Name)
		}
	})
	if err != nil {
		return err
	}
	if name, ok := f.port(); ok {
		return f.checkPort(name)
	}
	network, err := f.checkNetwork(fs)
	if err == nil && network == "udp" {
		err = fmt.Errorf("-listen %s: a replay goes over TCP or a serial port; one of UDP can be read with tcp:// and the same framing", f.listen)
	}
	return err
}

// loadRecord returns the connections of an endpoint, of the only one if none is
// named.
func loadRecord(path, endpoint string) ([][]record.Line, error) {
	f, err := os.Open(path) //nolint:gosec // the user names it
	if err != nil {
		return nil, fmt.Errorf("-replay: %w", err)
	}
	defer f.Close()
	lines := map[string][]record.Line{}
	var endpoints []string // that have traffic, in the order of the file
	for line, err := range record.Read(f, record.MaxLine) {
		if err != nil {
			return nil, fmt.Errorf("-replay %s: %w", path, err)
		}
		lines[line.Endpoint] = append(lines[line.Endpoint], line)
		if len(line.Octets) > 0 && !slices.Contains(endpoints, line.Endpoint) {
			endpoints = append(endpoints, line.Endpoint)
		}
	}
	switch {
	case len(endpoints) == 0:
		return nil, fmt.Errorf("-replay %s: there is no traffic in it", path)
	case endpoint == "" && len(endpoints) == 1:
		endpoint = endpoints[0]
	case endpoint == "":
		return nil, fmt.Errorf("-replay %s: it has %d endpoints, choose one with -replay_endpoint: %s", path, len(endpoints), strings.Join(endpoints, ", "))
	case !slices.Contains(endpoints, endpoint):
		return nil, fmt.Errorf("-replay_endpoint %q: %s has no traffic of it, but of: %s", endpoint, path, strings.Join(endpoints, ", "))
	default:
	}
	return record.Connections(lines[endpoint]), nil
}

// serve listens, tells the URL and plays the record on one connection after the
// other: each is a recorded one, and after the last comes the first again. It
// does, too, after a connection that was left before its end.
func (p *replay) serve(ctx context.Context, f *simulateFlags, out io.Writer) error {
	_, address := f.network()
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return listenError(address, err)
	}
	defer context.AfterFunc(ctx, func() { _ = l.Close() })()
	defer l.Close()
	fmt.Fprintf(out, "tcp://%s\n", l.Addr())
	for next := 0; ; {
		conn, err := l.Accept()
		if err != nil {
			return ended(ctx, err)
		}
		err = p.play(ctx, conn, p.connections[next])
		var differ *record.DifferError
		if next++; next == len(p.connections) || err != nil && !errors.As(err, &differ) {
			next = 0
		}
		p.report(ctx, conn.RemoteAddr().String(), err)
	}
}

// report tells what went wrong with a client.
func (p *replay) report(ctx context.Context, client string, err error) {
	var differ *record.DifferError
	switch {
	case ended(ctx, err) == nil:
	case errors.As(err, &differ):
		p.tell(fmt.Errorf("%s: %w; the same are sent with the same configuration and what was known then: try an empty state_dir", client, err))
	default:
		p.tell(fmt.Errorf("%s: %w", client, err))
	}
}

// play plays a recorded connection and waits until the client closes it, if the
// meter did not.
func (p *replay) play(ctx context.Context, conn net.Conn, lines []record.Line) error {
	defer conn.Close()
	err := record.Replay(ctx, conn, lines, p.speed)
	var differ *record.DifferError
	if err != nil && !errors.As(err, &differ) || slices.ContainsFunc(lines, func(l record.Line) bool { return l.Note == record.HungUp }) {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	var b [4096]byte // as much as may have come: what is left unread would make a reset of the close
	if n, _ := conn.Read(b[:]); n > 0 && err == nil {
		return errors.New("the client has sent more than is recorded of this connection, which is closed for that")
	}
	return err
}

// servePort tells the URL and plays the record at a serial port, again and again
// if there are requests in it. At a port nobody sees that the client has gone.
func (p *replay) servePort(ctx context.Context, name string, baud int, out io.Writer) error {
	port, err := serial.Open(name, serial.Settings{Baud: baud})
	if err != nil {
		return err
	}
	defer port.Close()
	fmt.Fprintf(out, "file://%s\n", name)
	for asked := true; asked; {
		asked = false
		for _, lines := range p.connections {
			err := record.Replay(ctx, port, lines, p.speed)
			var differ *record.DifferError
			if err != nil && !errors.As(err, &differ) {
				return ended(ctx, err)
			}
			p.report(ctx, name, err)
			asked = asked || slices.ContainsFunc(lines, func(l record.Line) bool { return l.Sent })
		}
	}
	<-ctx.Done()
	return nil
}
