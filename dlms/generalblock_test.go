package dlms

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest/fault"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// TestGeneralBlocks: everything is read by general block transfer, in every
// framing and referencing, through every mistake of a meter.
func TestGeneralBlocks(t *testing.T) {
	tests := []struct {
		name   string
		window int
		meter  dlmstest.Config
		faults dlmstest.Faults
	}{
		{name: "window of 4", window: 4},
		{name: "window of 1", window: 1},
		{name: "window of 63", window: 63},
		{name: "blocks of 7", window: 4, meter: dlmstest.Config{BlockSize: 7}},
		{name: "small PDU", window: 4, meter: dlmstest.Config{MaxPDU: 64}},
		{name: "HDLC window of 7", window: 10, meter: dlmstest.Config{Window: 7}},
		{name: "not proposed", window: 0, faults: dlmstest.Faults{UngrantedBlocks: true}},
		{name: "proposed, not granted", window: 8, meter: dlmstest.Config{Conformance: 0x101E14}},
		{name: "block 3 lost", window: 4, faults: dlmstest.Faults{LoseBlock: 3}},
		{name: "last block of a window lost", window: 4, faults: dlmstest.Faults{LoseBlock: 5}},
		{name: "block twice", window: 4, faults: dlmstest.Faults{DoubleBlock: 3}},
		{name: "last block of a window twice", window: 4, faults: dlmstest.Faults{DoubleBlock: 5}},
		{name: "blocks swapped", window: 4, faults: dlmstest.Faults{SwapBlock: 3}},
		{name: "last two of a window swapped", window: 4, faults: dlmstest.Faults{SwapBlock: 4}},
		{name: "false number", window: 4, faults: dlmstest.Faults{FalseBlock: 3}},
		{name: "last one streaming", window: 4, faults: dlmstest.Faults{StreamingLast: true}},
	}
	for _, tt := range tests {
		for i := range 4 {
			framing, name, short := Wrapper, dlmstest.FramingWrapper, i%2 > 0
			if i > 1 {
				framing, name = HDLC, dlmstest.FramingHDLC
			}
			t.Run(fmt.Sprintf("%s, %s, short names=%v", tt.name, name, short), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					meter, faults, how := tt.meter, tt.faults, AssociationConfig{GeneralBlocks: tt.window}
					meter.Framing, meter.ShortNames, how.ShortNames, meter.Faults = name, short, short, &faults
					meter.GeneralBlocks, meter.MaxInfo = 4, 128
					if meter.BlockSize == 0 {
						meter.BlockSize = 100
					}
					c, m := metered(t, meter, ConnConfig{Framing: framing, ClientAddress: 16, LogicalAddress: 1}, fault.Plan{})
					a, err := c.Associate(context.Background(), how)
					require.NoError(t, err)
					granted := how.GeneralBlocks > 0 && meter.Conformance == 0
					require.Equal(t, granted, a.Parameters().Conformance.Has(xdlms.ConformanceGeneralBlockTransfer))
					if short {
						_, err := a.ReadNames(context.Background())
						require.NoError(t, err)
					}
					readAll(t, a)
					require.NoError(t, a.Release(context.Background()))
					counters := m.Counters()
					if granted || faults.UngrantedBlocks {
						require.Zero(t, counters.Nexts)
						require.Greater(t, counters.GeneralBlocks, 10)
						require.Greater(t, counters.GeneralAcks, 0)
					} else {
						require.Zero(t, counters.GeneralBlocks)
						require.Greater(t, counters.Nexts, 10)
					}
					if tt.window == 63 {
						require.Less(t, counters.GeneralAcks, counters.GeneralBlocks/5)
					}
				})
			})
		}
	}
}

var profileAt = cosem.Attribute{Class: cosem.ProfileGeneric, Instance: [6]byte{1, 0, 99, 1, 0, 255}, ID: 2}

// TestGeneralBlockLimits: what never ends is ended.
func TestGeneralBlockLimits(t *testing.T) {
	tests := []struct {
		name   string
		faults dlmstest.Faults
		blocks int
		want   string
	}{
		{"endless", dlmstest.Faults{EndlessGeneral: true}, 0, "more than 65536 octets"},
		{"endless, by their number", dlmstest.Faults{EndlessGeneral: true}, 50, "more than 50 blocks"},
		{"longer than it is", dlmstest.Faults{LongBlock: 3}, 0, "general-block-transfer"},
	}
	for _, tt := range tests {
		for _, framing := range []Framing{Wrapper, HDLC} {
			t.Run(tt.name+", "+framing.String(), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					faults := tt.faults
					meter := dlmstest.Config{Framing: dlmstest.FramingWrapper, GeneralBlocks: 1, BlockSize: 100, Faults: &faults}
					if framing == HDLC {
						meter.Framing = dlmstest.FramingHDLC
					}
					c, _ := metered(t, meter, ConnConfig{Framing: framing, ClientAddress: 16, LogicalAddress: 1, MaxAPDU: 1 << 16, MaxBlocks: tt.blocks}, fault.Plan{})
					a, err := c.Associate(context.Background(), AssociationConfig{GeneralBlocks: 8})
					require.NoError(t, err)
					ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
					defer cancel()
					_, err = a.Get(ctx, profileAt, nil)
					var protocol *ProtocolError
					require.ErrorAs(t, err, &protocol)
					require.ErrorContains(t, err, tt.want)
					if !faults.EndlessGeneral { // the next request is answered, whatever was left on the way
						requireValue(t, a, register(1, 1))
					}
				})
			})
		}
	}
}
