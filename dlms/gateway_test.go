package dlms

import (
	"bytes"
	"context"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// behind is a Conn to a simulated meter.
func behind(t *testing.T, meter dlmstest.Config, cfg ConnConfig) *Conn {
	t.Helper()
	near, far := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = dlmstest.NewMeter(meter, holding{}).ServeConn(context.Background(), far)
	}()
	t.Cleanup(func() {
		_ = near.Close()
		<-done
	})
	c, err := NewConn(near, cfg)
	require.NoError(t, err)
	return c
}

// TestGateway reads a device behind a gateway, and what is not behind it.
func TestGateway(t *testing.T) {
	device := &xdlms.Gateway{Network: 3, Device: []byte("10203040")}
	for _, framing := range []string{dlmstest.FramingHDLC, dlmstest.FramingWrapper} {
		cfg := wrapperConfig
		if framing == dlmstest.FramingHDLC {
			cfg = hdlcConfig
		}
		meter := dlmstest.Config{Framing: framing, Gateway: device}
		t.Run(framing, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				cfg := cfg
				cfg.Gateway = device
				c := behind(t, meter, cfg)
				a, err := c.Associate(context.Background(), AssociationConfig{})
				require.NoError(t, err)
				requireValue(t, a, register(1, 1))
				n := 0
				require.NoError(t, a.GetList(context.Background(), registers(15), func(i int, d axdr.Data, err error) {
					require.NoError(t, err)
					v, _ := d.Uint64()
					require.Equal(t, uint64(valueOf(registers(15)[i])), v)
					n++
				}))
				require.Equal(t, 15, n)
				_, negotiated := c.Negotiated()
				require.Equal(t, framing == dlmstest.FramingHDLC, negotiated)
				require.NoError(t, a.Release(context.Background()))
			})
		})
		t.Run(framing+", another device", func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				cfg := cfg
				cfg.Gateway = &xdlms.Gateway{Network: 3, Device: []byte("10203041")}
				_, err := behind(t, meter, cfg).Associate(context.Background(), AssociationConfig{})
				var timeout *TimeoutError
				require.ErrorAs(t, err, &timeout)
			})
		})
		t.Run(framing+", no gateway", func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				cfg := cfg
				cfg.Gateway = device
				_, err := behind(t, dlmstest.Config{Framing: framing}, cfg).Associate(context.Background(), AssociationConfig{})
				require.ErrorContains(t, err, "network 3, device 3130323033303430: the answer is not the device's but that of the gateway, or there is no gateway: AARQ: exception-response")
			})
		})
	}
}

// TestGatewayAnswers: answers with the header of another device, without one, and cut short.
func TestGatewayAnswers(t *testing.T) {
	cfg := wrapperConfig
	cfg.Gateway = &xdlms.Gateway{Network: 1, Device: []byte{7}}
	cfg.ReplyTimeout = time.Second
	app := meterApp(allServices, 1024, values)
	for name, c := range map[string]struct {
		answer func(apdu []byte) []byte
		want   string
	}{
		"of another device":  {func(apdu []byte) []byte { return append([]byte{0xE7, 1, 1, 8}, apdu...) }, "no answer within 1s"},
		"of another network": {func(apdu []byte) []byte { return append([]byte{0xE7, 2, 1, 7}, apdu...) }, "no answer within 1s"},
		"without a header":   {func(apdu []byte) []byte { return apdu }, "the answer is not the device's"},
		"cut short":          {func([]byte) []byte { return []byte{0xE7, 1, 1} }, "unexpected EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				whole := true
				l := newLine(wrapperMeter(func(apdu []byte) []byte {
					device, ok := bytes.CutPrefix(apdu, []byte{0xE6, 1, 1, 7})
					require.True(t, ok, "%X", apdu)
					answer := app(device)
					if whole {
						return append([]byte{0xE7, 1, 1, 7}, answer...)
					}
					return c.answer(answer)
				}))
				a := associated(t, l, cfg)
				requireValue(t, a, register(1, 1))
				whole = false
				_, err := a.Get(context.Background(), register(1, 1), nil)
				require.ErrorContains(t, err, c.want)
			})
		})
	}
	long := wrapperConfig
	long.Gateway = &xdlms.Gateway{Device: make([]byte, 256)}
	_, err := NewConn(newLine(nil), long)
	require.ErrorContains(t, err, "256 octets, at most 255")
}

// TestLogicalDevices: each has an association of its own on one link.
func TestLogicalDevices(t *testing.T) {
	for _, framing := range []string{dlmstest.FramingHDLC, dlmstest.FramingWrapper} {
		t.Run(framing, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				meter := dlmstest.Config{Framing: framing, LogicalDevices: map[uint16]dlmstest.Objects{20: holding{}}}
				cfg := wrapperConfig
				if framing == dlmstest.FramingHDLC {
					cfg = hdlcConfig
				}
				for logical, there := range map[uint16]bool{1: true, 20: true, 21: false} {
					cfg.LogicalAddress = logical
					a, err := behind(t, meter, cfg).Associate(context.Background(), AssociationConfig{})
					require.Equal(t, there, err == nil, "%d: %v", logical, err)
					if there {
						requireValue(t, a, register(1, 1))
					}
				}
			})
		})
	}
}
