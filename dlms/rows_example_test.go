package dlms_test

import (
	"context"
	"fmt"
	"log"
	"net"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// loadProfile has the columns clock and energy, and a row each 15 minutes.
type loadProfile struct{}

// Get answers with the buffer, whatever is asked for.
func (loadProfile) Get(_ uint16, _ cosem.Attribute, _ *cosem.Selection, b []byte) ([]byte, xdlms.DataAccessResult) {
	b = axdr.AppendArray(b, 3)
	b = axdr.AppendStructure(b, 2)
	b = axdr.AppendOctetString(b, axdr.FromTime(time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC)).Append(nil))
	b = axdr.AppendDoubleLongUnsigned(b, 12345)
	b = append(b, 0x02, 2, 0x00, 0x1F, 7) // one period later, 7 more (delta-unsigned)
	b = append(b, 0x02, 2, 0x00, 0x00)    // and another one, the same energy
	return b, xdlms.Success
}

// The rows of a profile come one by one, and what the meter leaves out of them is put back.
func ExampleAssociation_GetRows() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	near, far := net.Pipe() // the connection to a meter
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = dlmstest.NewMeter(dlmstest.Config{}, loadProfile{}).ServeConn(ctx, far)
	}()

	conn, err := dlms.NewConn(near, dlms.ConnConfig{Framing: dlms.Wrapper, ClientAddress: 16, LogicalAddress: 1})
	if err != nil {
		log.Panic(err)
	}
	meter, err := conn.Associate(ctx, dlms.AssociationConfig{})
	if err != nil {
		log.Panic(err)
	}
	buffer := cosem.Attribute{Class: cosem.ProfileGeneric, Instance: obis.Code{1, 0, 99, 1, 0, 255}, ID: 2}
	var rows cosem.Rows
	rows.Reset(2, 0, 15*time.Minute) // capture_objects: the clock first; capture_period
	err = meter.GetRows(ctx, buffer, nil, func(row axdr.Data) error {
		cells, err := rows.Cut(row)
		if err != nil {
			return err
		}
		at, _ := cells[0].DateTime()
		energy, _ := cells[1].Int64()
		fmt.Println(at, energy)
		return nil
	})
	if err != nil {
		log.Panic(err)
	}
	_ = conn.Close()
	<-done
	// Output:
	// 2026-11-24 10:00:00.00 +00:00 12345
	// 2026-11-24 10:15:00.00 +00:00 12352
	// 2026-11-24 10:30:00.00 +00:00 12352
}
