package dlms_cosem

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/hdlc"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/serial"
)

// tunedPort is a serial port through a pipe: what it hears is right only at the
// speed and parity of the meter.
type tunedPort struct {
	net.Conn
	settings atomic.Pointer[serial.Settings]
}

func (p *tunedPort) Configure(s serial.Settings, _ bool) error {
	p.settings.Store(&s)
	return nil
}
func (p *tunedPort) Switch(serial.Settings, time.Duration) error { return nil }

// TestSpeedIsFound by trying, with a meter that pushes every ten seconds.
func TestSpeedIsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conf := "[[inputs.dlms_cosem]]\nendpoint = \"file:///dev/ttyUSB0\"\nbaud_rate = \"auto\"\nsend_requests = false\n[[inputs.dlms_cosem.request]]\nname = \"han\"\n"
		d, log := plugin(t, nil, conf)
		ours, theirs := net.Pipe()
		port := &tunedPort{Conn: ours}
		d.Dial = func(context.Context, string) (dlms.Transport, error) { return port, nil }
		acc := &sink{}
		require.NoError(t, d.Init())
		require.NoError(t, d.Start(acc))
		defer d.Stop()
		for n := range uint32(60) {
			time.Sleep(10 * time.Second)
			b := inHDLC(t, hdlc.Address{Upper: 1, Size: 1}, pushOf("METER1", n))
			if s := port.settings.Load(); s == nil || s.Baud != 2400 || s.Parity != serial.Even {
				for i := range b {
					b[i] ^= 0x81
				}
			}
			_, err := theirs.Write(b)
			require.NoError(t, err)
		}
		synctest.Wait()
		require.Greater(t, len(acc.energies()), 20)
		require.Contains(t, log.at("I! "), `I! request "han", /dev/ttyUSB0: Telegrams are understood with baud_rate = 2400, data_bits = 8, parity = "even": set these to have them at once`)
	})
}

// TestDay is 24 hours of a line, a connection and datagrams, one of them
// ciphered: no telegram is lost, none comes twice. With the race detector it is
// six hours.
func TestDay(t *testing.T) {
	const every = 10 * time.Second
	day := 24 * time.Hour
	if raceEnabled {
		day /= 4
	}
	top := "[[inputs.dlms_cosem]]\nsend_requests = false\n"
	request := func(name, endpoint, more string) string {
		return fmt.Sprintf("[[inputs.dlms_cosem.request]]\nname = %q\nendpoint = %q\n%s[[inputs.dlms_cosem.request.item]]\nobis = \"1.0.1.8.0.255\"\n", name, endpoint, more)
	}
	conf := top + request("line", "tcp://10.0.0.5:7000", "") +
		request("connection", "tcp-listen://:4059", fmt.Sprintf("encryption_key = %q\nauthentication_key = %q\n", testKey, testAuthKey)) +
		request("datagrams", "udp-listen://:4059", "")
	hear(t, conf, func(h *hearing) {
		meter := h.tcp.connect("10.1.0.7:1")
		var wg sync.WaitGroup
		source := hdlc.Address{Upper: 1, Size: 1}
		send := func(offset time.Duration, f func(n uint32)) {
			wg.Go(func() {
				for n := range uint32(day / every) {
					time.Sleep(time.Until(h.start.Add(offset + time.Duration(n)*every)))
					f(n + 1)
				}
			})
		}
		send(0, func(n uint32) {
			for _, c := range inHDLC(t, source, pushOf("LINE", n)) { // 240 octets a second
				_, _ = h.line.Write([]byte{c})
				time.Sleep(time.Second / 240)
			}
		})
		send(time.Second, func(n uint32) {
			_, _ = meter.Write(inWrapper(t, seal(t, testTitle, testKey, testAuthKey, 0x30, n, pushOf("CONNECTION", n))))
		})
		send(2*time.Second, func(n uint32) { h.udp.send("10.1.0.8:1", inWrapper(t, pushOf("DATAGRAMS", n))) })
		wg.Wait()
		synctest.Wait()
		_ = meter.Close()
		require.Empty(h.t, h.acc.errors())
		for _, device := range []string{"LINE", testTitle, "DATAGRAMS"} {
			list := h.acc.values("device", device)
			require.Len(h.t, list, int(day/every), device)
			for i, p := range list {
				require.Equal(h.t, float64(i+1), p.fields["value"], device)
			}
			require.Equal(h.t, int(day/every), countOf(h.acc.results("device", device), "success"))
		}
	})
}
