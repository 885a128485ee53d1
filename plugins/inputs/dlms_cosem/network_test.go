package dlms_cosem

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest"
)

// TestRealNetwork reads a meter over TCP and UDP on the loopback interface.
func TestRealNetwork(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	var lc net.ListenConfig
	tcp, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	udp, err := lc.ListenPacket(ctx, "udp", "127.0.0.1:0")
	require.NoError(t, err)
	m := meter(t, energyMeter)
	ended := make(chan error, 2)
	go func() { ended <- m.Serve(ctx, tcp) }()
	go func() { ended <- m.ServePacket(ctx, udp) }()
	defer func() {
		cancel()
		for range 2 {
			if err := <-ended; err != nil {
				t.Log(err)
			}
		}
	}()

	d, _ := plugin(t, nil, conf("framing = \"wrapper\"",
		fmt.Sprintf("name = \"tcp\"\nendpoint = \"tcp://%s\"", tcp.Addr()),
		fmt.Sprintf("name = \"udp\"\nendpoint = \"udp://%s\"", udp.LocalAddr())))
	require.NoError(t, d.Init())
	acc := &sink{}
	failed, err := d.RunOnce(ctx, acc, "")
	require.NoError(t, err)
	require.Zero(t, failed, "%v", acc.errors())
	for _, p := range acc.values() {
		require.InDelta(t, 12345, p.fields["value"], 0)
		require.Equal(t, "Wh", p.tags["unit"])
	}
	require.Equal(t, tcp.Addr().String(), acc.values("meter", "tcp")[0].tags["source"])
	require.Equal(t, udp.LocalAddr().String(), acc.values("meter", "udp")[0].tags["source"])
}

// TestRefusedPort has nobody listen.
func TestRefusedPort(t *testing.T) {
	var lc net.ListenConfig
	l, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := l.Addr().String()
	require.NoError(t, l.Close())
	d, _ := plugin(t, nil, conf("framing = \"wrapper\"\nendpoint = \"tcp://"+address+"\"", `name = "a"`))
	require.NoError(t, d.Init())
	acc := &sink{}
	failed, err := d.RunOnce(context.Background(), acc, "")
	require.NoError(t, err)
	require.Equal(t, 1, failed)
	require.Equal(t, []string{"connect"}, acc.results())
	require.Contains(t, acc.errors()[0], "nothing listens on this port")
}

// TestRefusedPortUDP has nobody listen; the host says so to the first message.
func TestRefusedPortUDP(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows keeps such answers from sockets")
	}
	var lc net.ListenConfig
	c, err := lc.ListenPacket(context.Background(), "udp", "127.0.0.1:0")
	require.NoError(t, err)
	address := c.LocalAddr().String()
	require.NoError(t, c.Close())
	d, _ := plugin(t, nil, conf("endpoint = \"udp://"+address+"\"", `name = "a"`))
	require.NoError(t, d.Init())
	acc := &sink{}
	failed, err := d.RunOnce(context.Background(), acc, "")
	require.NoError(t, err)
	require.Equal(t, 1, failed)
	require.Equal(t, []string{"connect"}, acc.results())
	require.Contains(t, acc.errors()[0], "connection refused")
	require.Contains(t, acc.errors()[0], "nothing listens on this UDP port: check host and port, and whether the meter speaks TCP")
}

func TestReadOnce(t *testing.T) {
	folder := filepath.Join("testcases", "element")
	text, err := os.ReadFile(filepath.Join(folder, "meter.toml"))
	require.NoError(t, err)
	n := newNetwork(t)
	n.set("", &host{meter: meter(t, energyMeter+string(text))})
	d, _ := plugin(t, n, conf(top, `name = "a"`)+"[[inputs.dlms_cosem.request.item]]\nobis = \"0.0.96.60.0.255\"\nclass = 1\n[[inputs.dlms_cosem.request.item]]\nobis = \"1.0.99.8.0.255\"\nclass = 3\n")
	require.NoError(t, d.Init())
	list, err := d.ReadOnce(context.Background())
	require.NoError(t, err)
	require.Len(t, list, 3)
	require.Equal(t, Reading{Class: 3, OBIS: "1.0.1.8.0.255", Attribute: 2, Type: "double-long-unsigned", Text: "12345", Unit: "Wh", Value: 12345.0, Raw: "0600003039"}, list[0])
	require.NoError(t, list[1].Err)
	require.Equal(t, "structure", list[1].Type)
	require.Contains(t, list[1].Text, "visible-string \"x\"")
	require.Equal(t, "02031105010210fffe0a017800", list[1].Raw)
	require.ErrorContains(t, list[2].Err, "object-undefined")
	require.NotEmpty(t, Hint(list[2].Err))
	require.Nil(t, list[2].Value)

	n.set("", nil)
	_, err = d.ReadOnce(context.Background())
	require.EqualError(t, err, "cannot connect to 10.0.0.5:4059: connect: connection refused", "one device needs no address")
	require.NotEmpty(t, Hint(err))
}

// TestReadOnceSeveral has silent devices before, between and after others: each
// is named, with what can be done about it.
func TestReadOnceSeveral(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := meterConfig(t, "[server]\nframing = \"hdlc\"\n"+energyMeter)
		m.cfg.PhysicalAddresses = []uint16{2, 5}
		n := newNetwork(t)
		n.set("", &host{meter: dlmstest.NewMeter(m.cfg, m.objects)})
		d, _ := plugin(t, n, conf("endpoint = \"tcp://10.0.0.5:7000\"\nframing = \"hdlc\"\nreply_timeout = \"300ms\"", "name = \"a\"\nphysical_address = [1, 2, 4, 5, 6]"))
		require.NoError(t, d.Init())
		list, err := d.ReadOnce(context.Background())
		require.Len(t, list, 2)
		for i, address := range []string{"2", "5"} {
			require.Equal(t, address, list[i].Address)
			require.InDelta(t, 12345, list[i].Value, 0)
		}
		var joined interface{ Unwrap() []error }
		require.ErrorAs(t, err, &joined)
		require.Len(t, joined.Unwrap(), 3)
		for i, address := range []string{"1", "4", "6"} {
			e := joined.Unwrap()[i]
			require.Regexp(t, "^address "+address+": SNRM: no answer within ", e.Error())
			require.Contains(t, Hint(e), "nobody answers: check physical_address")
			var device *DeviceError
			require.ErrorAs(t, e, &device)
			require.Equal(t, address, device.Address)
		}

		m.cfg.PhysicalAddresses = nil
		n.set("", &host{meter: dlmstest.NewMeter(m.cfg, m.objects)})
		list, err = d.ReadOnce(context.Background())
		require.NoError(t, err)
		require.Len(t, list, 5)
	})
}
