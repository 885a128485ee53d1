package dlms

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/hdlc"
)

func TestNewConnValidates(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(cfg *ConnConfig)
		want   string
	}{
		{"no framing", func(c *ConnConfig) { c.Framing = 0 }, "framing unknown(0x00): expected HDLC or wrapper"},
		{"client 0", func(c *ConnConfig) { c.ClientAddress = 0 }, "client address 0 is out of range (1 to 127)"},
		{"client 128", func(c *ConnConfig) { c.ClientAddress = 128 }, "client address 128 is out of range (1 to 127)"},
		{"client 0, wrapper", func(c *ConnConfig) { *c = ConnConfig{Framing: Wrapper} }, "client address 0 is out of range (1 to 65535)"},
		{"logical 0", func(c *ConnConfig) { c.LogicalAddress = 0 }, "logical address 0 is out of range (1 to 65535)"},
		{"size 3", func(c *ConnConfig) { c.AddressSize = 3 }, "address size 3: expected 1, 2 or 4 (0: chosen)"},
		{"size 5", func(c *ConnConfig) { c.AddressSize = 5 }, "address size 5 is out of range (1 to 4)"},
		{"logical too large for 1", func(c *ConnConfig) { c.LogicalAddress, c.AddressSize = 200, 1 }, "address 200 does not fit an HDLC address of 1 octets (0 to 127)"},
		{"physical too large for 2", func(c *ConnConfig) { c.PhysicalAddress, c.AddressSize = 200, 2 }, "physical address 200 does not fit an HDLC address of 2 octets (0 to 127)"},
		{"info", func(c *ConnConfig) { c.MaxInfo = 16 }, "max info 16 is out of range (32 to 2030)"},
		{"reply timeout", func(c *ConnConfig) { c.ReplyTimeout = -1 }, "reply timeout -1ns is out of range (1ns to 24h0m0s)"},
		{"interval", func(c *ConnConfig) { c.MinInterval = -time.Second }, "min interval -1s is out of range (0s to 24h0m0s)"},
		{"APDU", func(c *ConnConfig) { c.MaxAPDU = -5 }, "max APDU -5 is out of range (32 to 1073741824)"},
		{"datagrams", func(c *ConnConfig) { c.Datagram = true }, "HDLC does not go over datagrams: the wrapper does"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := hdlcConfig
			tt.change(&cfg)
			_, err := NewConn(newLine(nil), cfg)
			require.EqualError(t, err, tt.want)
		})
	}
}

func TestAddressSize(t *testing.T) {
	tests := []struct {
		name              string
		logical, physical uint16
		size              int
		want              string
	}{
		{"logical alone", 1, 0, 0, "03"},
		{"both short", 1, 17, 0, "0223"},
		{"limit of short", 127, 127, 0, "FEFF"},
		{"physical long", 1, 128, 0, "00020201"},
		{"physical 256", 1, 256, 0, "00020401"},
		{"physical 16381", 1, 16381, 0, "0002FEFB"},
		{"forced 4", 1, 17, 4, "00020023"},
		{"forced 2", 1, 0, 2, "0201"},
		{"logical long", 1000, 0, 0, "0ED00001"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				m := &hdlcMeter{app: meterApp(allServices, 1024, values)}
				l := newLine(m.answer)
				cfg := hdlcConfig
				cfg.LogicalAddress, cfg.PhysicalAddress, cfg.AddressSize = tt.logical, tt.physical, tt.size
				a := associated(t, l, cfg)
				requireValue(t, a, register(1, 1))
				want := unhex(t, tt.want)
				for _, b := range l.sent {
					require.Equal(t, want, b[3:3+len(want)])
				}
			})
		})
	}
}

func TestAnswerFromALongerAddress(t *testing.T) {
	tests := []struct {
		name            string
		physical, other uint16
		size            int
	}{
		{"4 for 2", 17, 17, 4},
		{"2 for 1", 0, 0, 2},
		{"2 for 1, with a physical address", 0, 17, 2},
		{"4 for 1, with a physical address", 0, 1017, 4},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				m := &hdlcMeter{app: meterApp(allServices, 1024, values)}
				m.frame = func(m *hdlcMeter, _ *line, _ hdlc.Frame) bool {
					m.server.Lower, m.server.Size = tt.other, tt.size
					return false
				}
				cfg := hdlcConfig
				cfg.PhysicalAddress = tt.physical
				a := associated(t, newLine(m.answer), cfg)
				requireValue(t, a, register(1, 1))
			})
		})
	}
}

// A meter that leaves the addresses as they were is no echo: an error must not
// send people to look for one.
func TestAddressesNotSwapped(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := &hdlcMeter{app: meterApp(allServices, 1024, values)}
		m.frame = func(m *hdlcMeter, _ *line, _ hdlc.Frame) bool {
			m.client, m.server = m.server, m.client
			return false
		}
		_, err := dialled(t, newLine(m.answer), hdlcConfig).Associate(context.Background(), AssociationConfig{})
		var timeout *TimeoutError
		require.ErrorAs(t, err, &timeout)
		require.False(t, timeout.Echo)
		require.ErrorContains(t, err, "none of them the answer")
	})
}

func TestBuffersFollowTheNeed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		large := append([]byte{0x09, 0x82, 0xF0, 0x00}, make([]byte, 0xF000)...)
		app := meterApp(allServices, 1024, values)
		big := true
		l := newLine(wrapperMeter(func(apdu []byte) []byte {
			if apdu[0] == 0xC0 && big {
				return append([]byte{0xC4, 1, apdu[2], 0}, large...)
			}
			return app(apdu)
		}))
		a := associated(t, l, wrapperConfig)
		require.LessOrEqual(t, len(a.c.rx), smallBuffer)
		d, err := a.Get(context.Background(), register(1, 1), nil)
		require.NoError(t, err)
		require.Equal(t, large, []byte(d))
		require.GreaterOrEqual(t, len(a.c.rx), len(large))
		big = false
		for range smallStreak + 2 {
			requireValue(t, a, register(1, 1))
		}
		require.LessOrEqual(t, len(a.c.rx), smallBuffer)
	})
}

func TestClose(t *testing.T) {
	t.Parallel()
	m := &hdlcMeter{app: meterApp(allServices, 1024, values)}
	l := newLine(m.answer)
	a := associated(t, l, hdlcConfig)
	require.NoError(t, a.c.Close())
	require.True(t, l.closed)
	_, err := a.Get(context.Background(), register(1, 1), nil)
	require.ErrorIs(t, err, errClosed)
	require.NoError(t, a.Release(context.Background()))
	_, err = a.c.Associate(context.Background(), AssociationConfig{})
	require.ErrorIs(t, err, errClosed)
}

func TestEnumNames(t *testing.T) {
	t.Parallel()
	require.Equal(t, "HDLC", HDLC.String())
	require.Equal(t, "wrapper", Wrapper.String())
	require.Equal(t, "unknown(0x07)", Framing(7).String())
}

// The documentation shows the example that the tests run.
func TestDocumentationShowsTheExample(t *testing.T) {
	t.Parallel()
	example, err := os.ReadFile("example_test.go")
	require.NoError(t, err)
	doc, err := os.ReadFile(filepath.Join("..", "docs", "library.md"))
	require.NoError(t, err)
	_, code, _ := strings.Cut(string(doc), "```go\n")
	code, _, found := strings.Cut(code, "```")
	require.True(t, found)
	require.Contains(t, string(example), code)
}
