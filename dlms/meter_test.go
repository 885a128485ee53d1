package dlms

import (
	"context"
	"fmt"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest/fault"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// holding is what the test meter of these tests holds: registers with valueOf,
// their scalers, and a profile of 100 rows.
type holding struct{}

func (holding) Get(_ uint16, at cosem.Attribute, _ *cosem.Selection, b []byte) ([]byte, xdlms.DataAccessResult) {
	switch {
	case at.Class == cosem.Register && at.ID == 2:
		return axdr.AppendDoubleLongUnsigned(b, valueOf(at)), xdlms.Success
	case at.Class == cosem.Register && at.ID == 3:
		return append(b, 2, 2, 0x0F, 0xFF, 0x16, 30), xdlms.Success
	case at.Class == cosem.ProfileGeneric && at.ID == 2:
		return append(b, profile(100)...), xdlms.Success
	case at.Class == cosem.AssociationLN && at.ID == 2:
		return append(b, objectList()...), xdlms.Success
	default:
		return nil, xdlms.ObjectUndefined
	}
}

// objectList are the objects that the tests read.
func objectList() []byte {
	var list []cosem.Object
	for _, at := range registers(20) {
		list = append(list, cosem.Object{Class: at.Class, Instance: at.Instance, Attributes: []cosem.AttributeAccess{{ID: 1}, {ID: 2}, {ID: 3}}})
	}
	list = append(list, cosem.Object{Class: cosem.ProfileGeneric, Instance: [6]byte{1, 0, 99, 1, 0, 255}})
	return cosem.AppendObjectList(nil, list)
}

// metered is a Conn to a test meter over a pipe, in a bubble.
func metered(t *testing.T, meter dlmstest.Config, cfg ConnConfig, plan fault.Plan) (*Conn, *dlmstest.Meter) {
	t.Helper()
	m := dlmstest.NewMeter(meter, holding{})
	near, far := net.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = m.ServeConn(ctx, far)
	}()
	c, err := NewConn(fault.Wrap(near, plan), cfg)
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = c.Close()
		cancel()
		<-done
		synctest.Wait()
	})
	return c, m
}

// readAll reads all that the test meter holds, in every way.
func readAll(t *testing.T, a *Association) {
	t.Helper()
	ctx := context.Background()
	ats := registers(20)
	for _, at := range registers(20) {
		at.ID = 3
		ats = append(ats, at)
	}
	ats = append(ats, cosem.Attribute{Class: cosem.Register, Instance: [6]byte{1, 0, 1, 8, 0, 255}, ID: 9})
	n := 0
	require.NoError(t, a.GetList(ctx, ats, func(i int, d axdr.Data, err error) {
		require.Equal(t, n, i)
		n++
		switch ats[i].ID {
		case 2:
			v, ok := d.Uint64()
			require.True(t, ok, "%v", err)
			require.Equal(t, uint64(valueOf(ats[i])), v)
		case 3:
			su, err := cosem.ParseScalerUnit(d)
			require.NoError(t, err)
			require.Equal(t, cosem.ScalerUnit{Scaler: -1, Unit: 30}, su)
		default:
			var access *AccessError
			require.ErrorAs(t, err, &access)
			require.Equal(t, xdlms.ObjectUndefined, access.Result)
		}
	}))
	require.Equal(t, len(ats), n)

	at := cosem.Attribute{Class: cosem.ProfileGeneric, Instance: [6]byte{1, 0, 99, 1, 0, 255}, ID: 2}
	joined := axdr.AppendArray(nil, 100)
	require.NoError(t, a.GetRows(ctx, at, nil, func(row axdr.Data) error {
		joined = append(joined, row...)
		return nil
	}))
	require.Equal(t, profile(100), joined)
	d, err := a.Get(ctx, at, nil)
	require.NoError(t, err)
	require.Equal(t, profile(100), []byte(d))
}

func TestMeters(t *testing.T) {
	tests := []struct {
		name  string
		meter dlmstest.Config
		conn  func(c *ConnConfig)
		how   AssociationConfig
	}{
		{name: "as it comes"},
		{name: "62 octets", meter: dlmstest.Config{MaxInfo: 62}},
		{name: "128 octets, bare UA", meter: dlmstest.Config{MaxInfo: 128, BareUA: true}},
		{name: "window of 7", meter: dlmstest.Config{Window: 7}},
		{name: "small PDU", meter: dlmstest.Config{MaxPDU: 64}},
		{name: "our small PDU", how: AssociationConfig{MaxPDU: 80}},
		{name: "blocks of 7", meter: dlmstest.Config{BlockSize: 7}},
		{name: "no lists", meter: dlmstest.Config{NoLists: true}},
		{name: "lists of 3", meter: dlmstest.Config{ListMax: 3}},
		{name: "low", meter: dlmstest.Config{Clients: map[uint16]dlmstest.Client{16: {Mechanism: acse.Low, Password: []byte("12345")}}}, how: AssociationConfig{Mechanism: acse.Low, Password: []byte("12345")}},
		{name: "physical address", meter: dlmstest.Config{PhysicalAddresses: []uint16{17}}, conn: func(c *ConnConfig) { c.PhysicalAddress = 17 }},
		{name: "four octets of address", meter: dlmstest.Config{PhysicalAddresses: []uint16{300}, AddressSize: 4}, conn: func(c *ConnConfig) { c.PhysicalAddress = 300 }},
		{name: "slow", meter: dlmstest.Config{ResponseDelay: 900 * time.Millisecond}},
		{name: "SNRM with parameters ignored", meter: dlmstest.Config{Faults: &dlmstest.Faults{IgnoreSNRMParameters: true}}},
		{name: "DM to the first SNRM", meter: dlmstest.Config{Faults: &dlmstest.Faults{DMOnSNRM: 1}}},
		{name: "wrong priorities, blocks from 0", meter: dlmstest.Config{BlockSize: 50, Faults: &dlmstest.Faults{WrongPriority: true, FirstBlockZero: true, EmptyBlocks: 2}}},
		{name: "lists that lie", meter: dlmstest.Config{Faults: &dlmstest.Faults{LongCount: 1, ShortLists: 1}}},
		{name: "lists in single form", meter: dlmstest.Config{Faults: &dlmstest.Faults{SingleForm: -1}}},
		{name: "noise before each answer", meter: dlmstest.Config{Framing: dlmstest.FramingHDLC, Faults: &dlmstest.Faults{Noise: []byte{0, 0x7E, 0xFF, 0x7E, 0xA0}}}},
		{name: "not ready", meter: dlmstest.Config{Framing: dlmstest.FramingHDLC, Faults: &dlmstest.Faults{RNROnRequest: 3}}},
		{name: "lost and damaged answers", meter: dlmstest.Config{Framing: dlmstest.FramingHDLC, MaxInfo: 128, Faults: &dlmstest.Faults{LoseAnswers: 2, WrongFCS: 3, TruncateFrames: 1}}, conn: func(c *ConnConfig) { c.Retries = 8 }},
		{name: "swapped ports", meter: dlmstest.Config{Framing: dlmstest.FramingWrapper, Faults: &dlmstest.Faults{SameWPorts: true, StaleAnswers: 3}}},
		{name: "zero ports", meter: dlmstest.Config{Framing: dlmstest.FramingWrapper, Faults: &dlmstest.Faults{ZeroWPorts: true}}},
	}
	for i := range 4 * len(tests) {
		tt, framing, name, short := tests[i/4], Wrapper, dlmstest.FramingWrapper, i%2 > 0
		if i%4 > 1 {
			framing, name = HDLC, dlmstest.FramingHDLC
		}
		if tt.meter.Framing == "" || tt.meter.Framing == name {
			t.Run(fmt.Sprintf("%s, %s, short names=%v", tt.name, name, short), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					meter, cfg, how := tt.meter, ConnConfig{Framing: framing, ClientAddress: 16, LogicalAddress: 1}, tt.how
					meter.Framing, meter.ShortNames, how.ShortNames = name, short, short
					if tt.conn != nil {
						tt.conn(&cfg)
					}
					c, m := metered(t, meter, cfg, fault.Plan{})
					a, err := c.Associate(context.Background(), how)
					require.NoError(t, err)
					if short {
						names, err := a.ReadNames(context.Background())
						require.NoError(t, err)
						require.Equal(t, 22, names.Len(), "the association, 20 registers and a profile")
					}
					readAll(t, a)
					require.NoError(t, a.Release(context.Background()))
					synctest.Wait()
					require.Equal(t, 1, m.Counters().Releases)
					require.Zero(t, m.Counters().Aborts)
				})
			})
		}
	}
}

func TestSixRoundTrips(t *testing.T) {
	bubble(t, func(t *testing.T) {
		c, m := metered(t, dlmstest.Config{Framing: dlmstest.FramingHDLC}, hdlcConfig, fault.Plan{})
		a, err := c.Associate(context.Background(), AssociationConfig{})
		require.NoError(t, err)
		ats := registers(20)
		require.NoError(t, a.GetList(context.Background(), ats, func(int, axdr.Data, error) {}))
		for i := range ats {
			ats[i].ID = 3
		}
		require.NoError(t, a.GetList(context.Background(), ats, func(int, axdr.Data, error) {}))
		require.NoError(t, a.Release(context.Background()))
		require.Equal(t, 5, c.Stats().RoundTrips, "SNRM, AARQ, values, scalers, DISC")
		require.Equal(t, 2, m.Counters().Lists)
	})
}

func TestLineFaults(t *testing.T) {
	every := func(f fault.Fault) []fault.Fault {
		f.Message, f.Onward = 1, true
		return []fault.Fault{f}
	}
	tests := []struct {
		name    string
		framing Framing
		plan    fault.Plan
	}{
		{"torn, HDLC", HDLC, fault.Plan{Read: every(fault.Fault{Torn: 3, Gap: 10 * time.Millisecond}), Write: every(fault.Fault{Torn: 5})}},
		{"torn, wrapper", Wrapper, fault.Plan{Read: every(fault.Fault{Torn: 1, Gap: time.Millisecond})}},
		{"echo, HDLC", HDLC, fault.Plan{Write: every(fault.Fault{Echo: true})}},
		{"a request dropped, HDLC", HDLC, fault.Plan{Write: []fault.Fault{{Message: 3, Drop: true}}}},
		{"an answer dropped, HDLC", HDLC, fault.Plan{Read: []fault.Fault{{Message: 3, Drop: true}}}},
		{"an answer damaged, HDLC", HDLC, fault.Plan{Read: []fault.Fault{{Message: 4, Corrupt: []int{5}}, {Message: 6, Corrupt: []int{-3}}}}},
		{"each message damaged once, HDLC", HDLC, fault.Plan{Write: []fault.Fault{{Message: 3, Corrupt: []int{10}}, {Message: 5, Corrupt: []int{1}}}}},
		{"answers twice, HDLC", HDLC, fault.Plan{Read: every(fault.Fault{Duplicate: 1})}},
		{"answers twice, wrapper", Wrapper, fault.Plan{Read: []fault.Fault{{Message: 2, Onward: true, Duplicate: 1}}}},
		{"late, HDLC", HDLC, fault.Plan{Read: []fault.Fault{{Message: 3, Delay: 6 * time.Second}}}},
		{"noise, HDLC", HDLC, fault.Plan{Read: every(fault.Fault{Noise: []byte{0x7E, 0x7E, 0xA1, 0x02, 0x7E}})}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				name := dlmstest.FramingHDLC
				if tt.framing == Wrapper {
					name = dlmstest.FramingWrapper
				}
				cfg := ConnConfig{Framing: tt.framing, ClientAddress: 16, LogicalAddress: 1}
				c, _ := metered(t, dlmstest.Config{Framing: name, MaxInfo: 128, Inactivity: -1}, cfg, tt.plan)
				a, err := c.Associate(context.Background(), AssociationConfig{})
				require.NoError(t, err)
				readAll(t, a)
				require.NoError(t, a.Release(context.Background()))
			})
		})
	}
}

func TestHostileMeters(t *testing.T) {
	at := register(1, 1)
	tests := []struct {
		name   string
		faults dlmstest.Faults
		want   string
		within time.Duration
	}{
		{"wrong invoke id", dlmstest.Faults{WrongInvokeID: 1}, "no answer", 16 * time.Second},
		{"endless blocks", dlmstest.Faults{EndlessBlocks: true}, "the blocks hold more than", time.Minute},
		{"10000 arrays", dlmstest.Faults{NestedArrays: 10000}, "joined blocks", time.Minute},
		{"a value longer than the APDU", dlmstest.Faults{LongValue: 1}, "get-response", time.Second},
		{"late answers", dlmstest.Faults{LateAnswers: 1, LateBy: 20 * time.Second}, "no answer", 17 * time.Second},
		{"closed", dlmstest.Faults{CloseOnRequest: 1}, "closed by the other side", time.Second},
		{"DM", dlmstest.Faults{DMOnRequest: 1}, "the meter is disconnected (DM)", time.Second},
		{"FRMR", dlmstest.Faults{FRMROnRequest: 1}, "FRMR", time.Second},
		{"dead line", dlmstest.Faults{IgnoreRequests: -1}, "no answer", 17 * time.Second},
	}
	for _, tt := range tests {
		for _, framing := range []string{dlmstest.FramingHDLC, dlmstest.FramingWrapper} {
			if framing == dlmstest.FramingWrapper && (tt.faults.DMOnRequest > 0 || tt.faults.FRMROnRequest > 0) {
				continue
			}
			t.Run(tt.name+", "+framing, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					cfg := ConnConfig{Framing: HDLC, ClientAddress: 16, LogicalAddress: 1, MaxAPDU: 1 << 16}
					if framing == dlmstest.FramingWrapper {
						cfg.Framing = Wrapper
					}
					faults := tt.faults
					c, _ := metered(t, dlmstest.Config{Framing: framing, Faults: &faults, BlockSize: 500}, cfg, fault.Plan{})
					a, err := c.Associate(context.Background(), AssociationConfig{})
					require.NoError(t, err)
					start := time.Now()
					_, err = a.Get(context.Background(), at, nil)
					require.ErrorContains(t, err, tt.want)
					require.LessOrEqual(t, time.Since(start), tt.within)
					_ = a.Release(context.Background())
				})
			})
		}
	}
}
