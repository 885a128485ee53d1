package dlms_cosem

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
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
	require.ErrorContains(t, err, "connection refused")
	require.NotEmpty(t, Hint(err))
}
