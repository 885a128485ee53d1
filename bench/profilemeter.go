//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
	"github.com/telegraf-dlms/telegraf-dlms/internal/simmeter/history"
)

// rowOctets are those of a row: a time, a status, two energies and a voltage.
const rowOctets = 2 + 14 + 2 + 5 + 5 + 3

// longMeter is a meter whose load profile is as long as wanted: it keeps no row
// and makes each when it is asked for. All the rest is that of a meter that remembers.
type longMeter struct {
	*history.Meter
	rows int
	last time.Time // of its rows
}

func newLongMeter(rows int) *longMeter {
	return &longMeter{history.New(history.Config{}), rows, time.Now().UTC().Truncate(history.DefaultPeriod)}
}

// first is the time of the first row.
func (m *longMeter) first() time.Time { return m.time(0) }

func (m *longMeter) time(i int) time.Time {
	return m.last.Add(time.Duration(i-m.rows+1) * history.DefaultPeriod)
}

// Get implements dlmstest.Objects.
func (m *longMeter) Get(client uint16, at cosem.Attribute, sel *cosem.Selection, b []byte) ([]byte, xdlms.DataAccessResult) {
	switch {
	case at.Instance != history.LoadProfile || at.Class != cosem.ProfileGeneric:
	case at.ID == 7: // entries_in_use
		return axdr.AppendDoubleLongUnsigned(b, uint32(m.rows)), xdlms.Success
	case at.ID == 2:
		return m.buffer(sel, b)
	default:
	}
	return m.Meter.Get(client, at, sel, b)
}

// buffer is what a range selects.
func (m *longMeter) buffer(sel *cosem.Selection, b []byte) ([]byte, xdlms.DataAccessResult) {
	if sel == nil || sel.Selector != cosem.SelectorRange {
		return b, xdlms.OtherReason
	}
	var d axdr.Decoder
	d.Reset(sel.Parameters)
	d.Structure(4)
	d.Skip() // the clock
	from, ok := rangeEnd(d.Data())
	to, fine := rangeEnd(d.Data())
	if d.Err() != nil || !ok || !fine {
		return b, xdlms.OtherReason
	}
	begin, end := m.index(from), m.index(to.Add(1))
	b = axdr.AppendArray(b, max(0, end-begin))
	for i := begin; i < end; i++ {
		b = m.row(b, i)
	}
	return b, xdlms.Success
}

func rangeEnd(d axdr.Data) (time.Time, bool) {
	t, ok := d.DateTime()
	if !ok {
		return time.Time{}, false
	}
	return t.Time(time.UTC)
}

// index is the first row of that time or later, between 0 and the number of rows.
func (m *longMeter) index(t time.Time) int {
	since := t.Sub(m.first())
	n := int(since / history.DefaultPeriod)
	if since > 0 && since%history.DefaultPeriod > 0 {
		n++
	}
	return min(max(n, 0), m.rows)
}

func (m *longMeter) row(b []byte, i int) []byte {
	var octets [12]byte
	b = axdr.AppendStructure(b, 5)
	b = axdr.AppendOctetString(b, axdr.FromTime(m.time(i)).Append(octets[:0]))
	b = axdr.AppendUnsigned(b, uint8(i%3))
	b = axdr.AppendDoubleLongUnsigned(b, uint32(7*i))
	b = axdr.AppendDoubleLongUnsigned(b, uint32(3*i))
	return axdr.AppendLongUnsigned(b, uint16(2300+i%100))
}

// serveRows plays a meter with so many rows until standard input ends. Its
// first line tells the port, and the times of the first and the last row.
func serveRows(rows int, framing string) error {
	ctx, cancel := context.WithCancel(context.Background())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		cancel()
		return err
	}
	m := newLongMeter(rows)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = dlmstest.NewMeter(dlmstest.Config{Framing: framing}, m).Serve(ctx, l)
	}()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	fmt.Println(port, m.first().Format(time.RFC3339), m.last.Format(time.RFC3339))
	_, err = io.Copy(io.Discard, os.Stdin)
	cancel()
	_ = l.Close()
	<-done
	return err
}

// rowMeter is a running process with such a meter.
type rowMeter struct {
	*fleet
	address     string
	first, last time.Time
}

// startRows runs this program as a meter with so many rows.
func startRows(ctx context.Context, rows int, framing string) (m rowMeter, err error) {
	if m.fleet, err = startSelf(ctx, "-rows", fmt.Sprint(rows), "-framing", framing); err != nil {
		return m, err
	}
	if len(m.ports) == 3 {
		m.address = net.JoinHostPort("127.0.0.1", m.ports[0])
		if m.first, err = time.Parse(time.RFC3339, m.ports[1]); err == nil {
			m.last, err = time.Parse(time.RFC3339, m.ports[2])
		}
		if err == nil {
			return m, nil
		}
	}
	_ = m.stop()
	return m, fmt.Errorf("meter with %d rows: %q, %w", rows, m.ports, err)
}
