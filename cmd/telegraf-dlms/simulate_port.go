package main

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/iec62056"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/serial"
)

// port is the serial port of -listen; ok is false if it is none.
func (f *simulateFlags) port() (name string, ok bool) { return strings.CutPrefix(f.listen, "file://") }

// servePort plays the meter at a serial port, tells its URL and answers until
// ctx ends.
func (f *simulateFlags) servePort(ctx context.Context, name string, cfg dlmstest.Config, objects dlmstest.Objects, s streams) error {
	p, err := serial.Open(name, serial.Settings{Baud: f.baudRate})
	if err != nil {
		return err
	}
	conn := portConn{p, name}
	fmt.Fprintf(s.out, "file://%s\n", name)
	if f.protocolMode != "dlms-iec" {
		defer conn.Close()
		return ended(ctx, dlmstest.NewMeter(cfg, objects).ServeConn(ctx, conn))
	}
	z := iec62056.ChooseSpeed('6', f.baudRate)
	return ended(ctx, dlmstest.ServeSignOn(ctx, conn, cfg, objects, dlmstest.SignOn{
		Identification: fmt.Sprintf("/SIM%c\\2SIMULATED", z),
		Switch: func(baud, dataBits int) error {
			settings := serial.Settings{Baud: baud, DataBits: dataBits}
			if dataBits == 7 {
				settings.Parity = serial.Even
			}
			return p.Switch(settings, 0)
		},
	}))
}

// portConn is a port as a connection.
type portConn struct {
	*serial.Port
	name string
}

func (c portConn) LocalAddr() net.Addr  { return portAddr(c.name) }
func (c portConn) RemoteAddr() net.Addr { return portAddr(c.name) }
func (c portConn) SetDeadline(t time.Time) error {
	_ = c.SetReadDeadline(t) // cannot fail
	return c.SetWriteDeadline(t)
}

type portAddr string

func (portAddr) Network() string  { return "serial" }
func (a portAddr) String() string { return string(a) }
