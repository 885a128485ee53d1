package dlms_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"log"
	"net"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/push"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	address, stop := startMeter(ctx) // a meter for tests; yours is at "192.168.1.20:4059"
	defer stop()

	if err := readMeter(ctx, address); err != nil {
		log.Print(err)
	}
	// Output:
	// 1.0.1.8.0.255 12345.6 Wh
	// 1.0.32.7.0.255 230.1 V
	// class 3, 1.0.9.9.9.255, attribute 2 (value): object-undefined (data-access-result 4)
}

// readMeter reads registers with their scalers and units, all in one list.
func readMeter(ctx context.Context, address string) error {
	var dialer net.Dialer
	socket, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	conn, err := dlms.NewConn(socket, dlms.ConnConfig{
		Framing:        dlms.Wrapper, // dlms.HDLC behind a serial server
		ClientAddress:  32,
		LogicalAddress: 1,
	})
	if err != nil {
		return err
	}
	defer conn.Close()

	meter, err := conn.Associate(ctx, dlms.AssociationConfig{Mechanism: acse.Low, Password: []byte("12345678")})
	if err != nil {
		return err
	}
	defer func() { _ = meter.Release(context.WithoutCancel(ctx)) }() // best effort

	var items []cosem.Attribute
	for _, code := range []string{"1.0.1.8.0.255", "1-0:32.7.0", "1-0:9.9.9"} {
		instance, err := obis.Parse(code)
		if err != nil {
			return err
		}
		items = append(items,
			cosem.Attribute{Class: cosem.Register, Instance: instance, ID: 3}, // scaler_unit
			cosem.Attribute{Class: cosem.Register, Instance: instance, ID: 2}, // value
		)
	}
	var (
		scaler cosem.ScalerUnit
		failed error // why there is none
	)
	return meter.GetList(ctx, items, func(i int, d axdr.Data, err error) {
		if items[i].ID == 3 {
			if failed = err; err == nil {
				scaler, failed = cosem.ParseScalerUnit(d)
			}
			return
		}
		if err == nil {
			err = failed // a number without its scaler is a wrong number
		}
		raw, ok := d.Int64()
		switch {
		case err != nil:
			fmt.Println(err)
		case !ok:
			fmt.Printf("%s: %s is not an integer\n", items[i], d.Tag())
		default:
			fmt.Println(items[i].Instance, cosem.Scale(float64(raw), int(scaler.Scaler)), scaler.Unit.Symbol())
		}
	})
}

// registers is what the meter of this example holds.
type registers map[string]struct {
	value uint32
	unit  cosem.ScalerUnit
}

// Get answers a client's question; see dlmstest.Objects.
func (r registers) Get(_ uint16, at cosem.Attribute, _ *cosem.Selection, b []byte) ([]byte, xdlms.DataAccessResult) {
	register, ok := r[at.Instance.String()]
	switch {
	case ok && at.ID == 2:
		return axdr.AppendDoubleLongUnsigned(b, register.value), xdlms.Success
	case ok && at.ID == 3:
		return register.unit.Append(b), xdlms.Success
	default:
		return nil, xdlms.ObjectUndefined
	}
}

// startMeter has a meter serve on the loopback interface until stop is called.
func startMeter(ctx context.Context) (address string, stop func()) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Panic(err)
	}
	meter := dlmstest.NewMeter(dlmstest.Config{
		Clients: map[uint16]dlmstest.Client{32: {Mechanism: acse.Low, Password: []byte("12345678")}},
	}, registers{
		"1.0.1.8.0.255":  {123456, cosem.ScalerUnit{Scaler: -1, Unit: cosem.UnitWattHour}},
		"1.0.32.7.0.255": {2301, cosem.ScalerUnit{Scaler: -1, Unit: cosem.UnitVolt}},
	})
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = meter.Serve(ctx, listener)
	}()
	return listener.Addr().String(), func() {
		cancel()
		<-done
	}
}

// What a meter pushes at its customer port is cut out of the octets of the line,
// and mapped without knowing the meter.
func ExampleDeframer() {
	octets, err := hex.DecodeString("7ea02a410883130413e6e7000f40000000000101020309060100010700ff060000067d02020f00161b1c057e")
	if err != nil {
		panic(err)
	}
	line := dlms.NewDeframer(dlms.DeframerConfig{Line: true})
	var inside dlms.Unwrapper // Open takes the ciphering off, where there is some
	var values push.Mapper
	line.Write(octets) // as they come
	for m, ok := line.Next(); ok; m, ok = line.Next() {
		x, err := inside.Unwrap(m)
		if err != nil || x.APDU == nil {
			continue // the next block may be needed
		}
		n, err := xdlms.ParseDataNotification(x.APDU)
		if err != nil {
			continue
		}
		_, err = values.Map(n.Body, func(e *push.Entry) bool {
			raw, _ := e.Value.Int64()
			fmt.Println(m.Framing, e.Code, cosem.Scale(float64(raw), int(e.Unit.Scaler)), e.Unit.Unit)
			return true
		})
		if err != nil {
			fmt.Println(err)
		}
	}
	// Output: HDLC 1.0.1.7.0.255 1661 W
}
