//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
)

// getList is the processor time of this process, user and system, for one
// GetList of 20 registers. The meter is another process.
func getList(ctx context.Context, e environment) ([]figure, error) {
	const rounds = 2000
	var figures []figure
	for _, framing := range []dlms.Framing{dlms.HDLC, dlms.Wrapper} {
		endpoint, stop, err := simulator(ctx, e, strings.ToLower(framing.String()))
		if err != nil {
			return nil, err
		}
		var spent []float64
		for range repetitions {
			var once time.Duration
			if once, err = getListTime(ctx, strings.TrimPrefix(endpoint, "tcp://"), framing, rounds); err != nil {
				break
			}
			spent = append(spent, float64(once.Nanoseconds())/1e3/rounds)
		}
		bare := 0.0
		if err == nil && framing == dlms.Wrapper {
			bare, err = bareTime(ctx, strings.TrimPrefix(endpoint, "tcp://"), rounds)
		}
		stop()
		if err != nil {
			return nil, fmt.Errorf("GetList over %s: %w", framing, err)
		}
		figures = append(figures, figure{
			name: fmt.Sprintf("GetList of 20 over loopback, %s, hot loop", framing), format: "%.0f us of CPU", target: 50,
			measured: median(spent),
		})
		if framing == dlms.Wrapper {
			figures = append(figures, figure{
				name: "  its octets written and read, without the library", format: "%.0f us of CPU", compare: true, measured: bare,
			})
		}
	}
	return figures, nil
}

// openTwenty logs in to a meter; the attributes are those of 20 registers.
func openTwenty(ctx context.Context, transport net.Conn, framing dlms.Framing) (association *dlms.Association, attributes []cosem.Attribute, err error) {
	for _, code := range twenty {
		instance, err := obis.Parse(code)
		if err != nil {
			return nil, nil, err
		}
		attributes = append(attributes, cosem.Attribute{Class: cosem.Register, Instance: instance, ID: 2})
	}
	conn, err := dlms.NewConn(transport, dlms.ConnConfig{Framing: framing, ClientAddress: 16, LogicalAddress: 1})
	if err != nil {
		return nil, nil, err
	}
	association, err = conn.Associate(ctx, dlms.AssociationConfig{})
	return association, attributes, err
}

func getListTime(ctx context.Context, address string, framing dlms.Framing, rounds int) (spent time.Duration, err error) {
	var dialer net.Dialer
	transport, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return 0, err
	}
	defer transport.Close()
	association, attributes, err := openTwenty(ctx, transport, framing)
	if err != nil {
		return 0, err
	}
	values, sum := 0, 0.0
	each := func(_ int, d axdr.Data, err error) {
		if v, ok := d.Int64(); ok && err == nil {
			values++
			sum += float64(v)
		}
	}
	loop := func(n int) error {
		for range n {
			if err := association.GetList(ctx, attributes, each); err != nil {
				return err
			}
		}
		return nil
	}
	if err := loop(rounds / 10); err != nil {
		return 0, err
	}
	values = 0
	before := processorTime()
	err = loop(rounds)
	spent = processorTime() - before
	if err == nil && values != rounds*len(twenty) {
		err = fmt.Errorf("%d values of %d", values, rounds*len(twenty))
	}
	return spent, errors.Join(err, association.Release(ctx))
}

// bareTime is the processor time of the least that a GetList of 20 registers
// can be: its request written, and as many octets read as its answer has.
func bareTime(ctx context.Context, address string, rounds int) (us float64, err error) {
	var dialer net.Dialer
	transport, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return 0, err
	}
	defer transport.Close()
	r := &recorder{Conn: transport}
	association, attributes, err := openTwenty(ctx, r, dlms.Wrapper)
	if err != nil {
		return 0, err
	}
	if err := association.GetList(ctx, attributes, func(int, axdr.Data, error) {}); err != nil {
		return 0, err
	}
	if err := transport.SetDeadline(time.Time{}); err != nil {
		return 0, err
	}
	answer := make([]byte, r.read)
	var spent []float64
	for range repetitions {
		before := processorTime()
		for range rounds {
			if _, err := transport.Write(r.written); err != nil {
				return 0, err
			}
			if _, err := io.ReadFull(transport, answer); err != nil {
				return 0, err
			}
		}
		spent = append(spent, float64((processorTime()-before).Nanoseconds())/1e3/float64(rounds))
	}
	return median(spent), nil
}

// recorder keeps what was written last, and counts what was read since.
type recorder struct {
	net.Conn
	written []byte
	read    int
}

func (r *recorder) Write(b []byte) (int, error) {
	r.written, r.read = bytes.Clone(b), 0
	return r.Conn.Write(b)
}

func (r *recorder) Read(b []byte) (int, error) {
	n, err := r.Conn.Read(b)
	r.read += n
	return n, err
}

// processorTime is what this process has used so far.
func processorTime() time.Duration {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
