//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
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
		stop()
		if err != nil {
			return nil, fmt.Errorf("GetList over %s: %w", framing, err)
		}
		figures = append(figures, figure{
			name: fmt.Sprintf("GetList of 20 over loopback, %s, hot loop", framing), format: "%.0f us of CPU", target: 50,
			measured: median(spent),
		})
	}
	return figures, nil
}

func getListTime(ctx context.Context, address string, framing dlms.Framing, rounds int) (spent time.Duration, err error) {
	var dialer net.Dialer
	transport, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return 0, err
	}
	conn, err := dlms.NewConn(transport, dlms.ConnConfig{Framing: framing, ClientAddress: 16, LogicalAddress: 1})
	if err != nil {
		_ = transport.Close()
		return 0, err
	}
	defer conn.Close()
	association, err := conn.Associate(ctx, dlms.AssociationConfig{})
	if err != nil {
		return 0, err
	}
	var attributes []cosem.Attribute
	for _, code := range twenty {
		instance, err := obis.Parse(code)
		if err != nil {
			return 0, err
		}
		attributes = append(attributes, cosem.Attribute{Class: cosem.Register, Instance: instance, ID: 2})
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

// processorTime is what this process has used so far.
func processorTime() time.Duration {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
