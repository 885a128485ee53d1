package dlms_test

import (
	"context"
	"fmt"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest/fault"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// blocksObjects are those of securedObjects, with a list of them.
type blocksObjects struct{ securedObjects }

func (o blocksObjects) Get(client uint16, at cosem.Attribute, sel *cosem.Selection, b []byte) ([]byte, xdlms.DataAccessResult) {
	if at.Class == cosem.AssociationLN && at.ID == 2 {
		read := []cosem.AttributeAccess{{ID: 1}, {ID: 2}}
		return cosem.AppendObjectList(b, []cosem.Object{
			{Class: energyAt.Class, Instance: energyAt.Instance, Attributes: read},
			{Class: longAt.Class, Instance: longAt.Instance, Attributes: read},
		}), xdlms.Success
	}
	return o.securedObjects.Get(client, at, sel, b)
}

// inBubble is a Conn to a meter with client 1, by GMAC, in a bubble.
func inBubble(t *testing.T, meter dlmstest.Config, cfg dlms.ConnConfig, plan fault.Plan) (*dlms.Conn, *dlmstest.Meter) {
	t.Helper()
	both := security.Authenticated | security.Encrypted
	meter.Title = [8]byte{'M', 'M', 'M', 0, 0, 0xBC, 0x61, 0x4E}
	meter.Clients = map[uint16]dlmstest.Client{1: {Mechanism: acse.HLSGMAC, Keys: securedKeys(), Policy: both}}
	m := dlmstest.NewMeter(meter, blocksObjects{})
	near, far := net.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = m.ServeConn(ctx, far)
	}()
	cfg.ClientAddress, cfg.LogicalAddress = 1, 1
	c, err := dlms.NewConn(fault.Wrap(near, plan), cfg)
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = c.Close()
		cancel()
		<-done
	})
	return c, m
}

func byGMAC(general bool) dlms.AssociationConfig {
	title := []byte("TGD\x01\x02\x03\x04\x05")
	how := &dlms.Security{Title: title, Keys: securedKeys(), Counter: counting()}
	if general {
		how.Ciphering = dlms.GeneralCiphering
	}
	return dlms.AssociationConfig{Mechanism: acse.HLSGMAC, Security: how}
}

func requireRead(t *testing.T, a *dlms.Association) {
	t.Helper()
	d, err := a.Get(context.Background(), longAt, nil)
	require.NoError(t, err)
	text, ok := d.Octets()
	require.True(t, ok)
	require.Len(t, text, 1000)
	d, err = a.Get(context.Background(), energyAt, nil)
	require.NoError(t, err)
	v, _ := d.Int64()
	require.Equal(t, int64(12345), v)
}

// TestGeneralBlocksCiphered: what is protected is the joined APDU.
func TestGeneralBlocksCiphered(t *testing.T) {
	for _, framing := range []dlms.Framing{dlms.Wrapper, dlms.HDLC} {
		for _, short := range []bool{false, true} {
			for _, general := range []bool{false, true} {
				for _, faults := range []dlmstest.Faults{{}, {LoseBlock: 3}, {DoubleBlock: 3}, {SwapBlock: 3}} {
					t.Run(fmt.Sprintf("%s short %v general %v %+v", framing, short, general, faults.LoseBlock+10*faults.DoubleBlock+100*faults.SwapBlock), func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) {
							meter := dlmstest.Config{Framing: dlmstest.FramingWrapper, MaxPDU: 128, MaxInfo: 128, GeneralBlocks: 4, ShortNames: short, Faults: &faults}
							if framing == dlms.HDLC {
								meter.Framing = dlmstest.FramingHDLC
							}
							c, m := inBubble(t, meter, dlms.ConnConfig{Framing: framing}, fault.Plan{})
							how := byGMAC(general)
							how.GeneralBlocks, how.ShortNames = 4, short
							a, err := c.Associate(context.Background(), how)
							require.NoError(t, err)
							if short {
								_, err := a.ReadNames(context.Background())
								require.NoError(t, err)
							}
							before := m.Counters().Ciphered
							requireRead(t, a)
							require.Equal(t, 2, m.Counters().Ciphered-before, "acknowledgements are not ciphered")
							require.Greater(t, m.Counters().GeneralBlocks, 8)
							require.Zero(t, m.Counters().Nexts)
							require.Zero(t, m.Counters().RepeatedCounters)
						})
					})
				}
			}
		}
	}
}

// TestGeneralBlocksCipheredRequest: a long list is ciphered, then cut into blocks.
func TestGeneralBlocksCipheredRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		meter := dlmstest.Config{Framing: dlmstest.FramingHDLC, MaxInfo: 128, GeneralBlocks: 4}
		c, m := inBubble(t, meter, dlms.ConnConfig{Framing: dlms.HDLC}, fault.Plan{})
		how := byGMAC(false)
		how.GeneralBlocks = 4
		a, err := c.Associate(context.Background(), how)
		require.NoError(t, err)
		columns := make([]cosem.CaptureObject, 20)
		for i := range columns {
			columns[i] = cosem.CaptureObject{Class: cosem.Register, Instance: obis.Code{1, 0, 1, 8, uint8(i), 255}, Attribute: 2}
		}
		before := m.Counters()
		d, err := a.Get(context.Background(), energyAt, &cosem.Selection{Selector: 1, Parameters: cosem.AppendCaptureObjects(nil, columns)})
		require.NoError(t, err)
		v, _ := d.Int64()
		require.Equal(t, int64(12345), v)
		after := m.Counters()
		require.Equal(t, 1, after.Ciphered-before.Ciphered)
		require.Greater(t, after.Requests-before.Requests, 3)
	})
}

// TestSealedAnew: what is repeated over datagrams never has the counter of
// before; what is in clear stays the same.
func TestSealedAnew(t *testing.T) {
	tests := map[string]fault.Plan{
		"AARQ lost":         {Write: []fault.Fault{{Message: 1, Drop: true}}},
		"AARE lost":         {Read: []fault.Fault{{Message: 1, Drop: true}}},
		"pass 3 lost":       {Write: []fault.Fault{{Message: 2, Drop: true}}},
		"GET lost":          {Write: []fault.Fault{{Message: 3, Drop: true}}},
		"GET lost twice":    {Write: []fault.Fault{{Message: 3, Drop: true}, {Message: 4, Drop: true}}},
		"answer lost":       {Read: []fault.Fault{{Message: 3, Drop: true}}},
		"answer late":       {Read: []fault.Fault{{Message: 3, Delay: 6 * time.Second}}},
		"answer twice":      {Read: []fault.Fault{{Message: 3, Duplicate: 1}}},
		"all answers twice": {Read: []fault.Fault{{Message: 1, Onward: true, Duplicate: 1}}},
	}
	for name, plan := range tests {
		for _, window := range []int{0, 4} {
			t.Run(fmt.Sprintf("%s, window %d", name, window), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					c, m := inBubble(t, dlmstest.Config{MaxPDU: 256, GeneralBlocks: window}, dlms.ConnConfig{Framing: dlms.Wrapper, Datagram: true}, plan)
					how := byGMAC(false)
					how.GeneralBlocks = window
					a, err := c.Associate(context.Background(), how)
					require.NoError(t, err)
					requireRead(t, a)
					requireRead(t, a)
					require.Zero(t, m.Counters().RepeatedCounters)
				})
			})
		}
	}
}
