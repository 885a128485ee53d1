//go:build e2e

package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
	"github.com/telegraf-dlms/telegraf-dlms/e2e/telegram"
)

// pushTime is how long the meters push.
const pushTime = time.Minute

// pushed: two serial lines at 2,400 baud, a meter that connects and two that
// send datagrams push for a minute: no telegram is lost, none is doubled.
func pushed(t *testing.T, s *suite) {
	const database = "pushed"
	keys := telegram.KeysOf(4711)
	lines := [2]*line{}
	ports := [2]string{}
	for i := range lines {
		lines[i], ports[i] = serialLine(t)
	}
	tcp, udp := freeAddress(t, "tcp"), freeAddress(t, "udp")
	all := filepath.Join(t.TempDir(), "metrics")
	tg := s.startTelegraf(t, setup{
		database: database, signal: "none", file: all,
		plugin: "[[inputs.dlms_cosem]]\n  send_requests = false\n" +
			listensTo("file://"+ports[0], "hdlc line", fmt.Sprintf("baud_rate = %d", lineBaud), chosenItems) +
			listensTo("file://"+ports[1], "mbus line", fmt.Sprintf("baud_rate = %d", lineBaud), "") +
			listensTo("tcp-listen://"+tcp, "callers", fmt.Sprintf("encryption_key = %q\n    authentication_key = %q", telegram.Hex(keys.Encryption[:]), telegram.Hex(keys.Authentication[:])), "") +
			listensTo("udp-listen://"+udp, "senders", "", ""),
	})

	cipher, err := telegram.NewCipher(keys)
	require.NoError(t, err)
	socket, err := net.Dial("udp", udp)
	require.NoError(t, err)
	t.Cleanup(func() { _ = socket.Close() })
	calling := &caller{ctx: s.ctx, address: tcp}
	t.Cleanup(func() { _ = calling.Close() })
	segments := func(apdu []byte) ([]byte, error) { return telegram.Segmented(apdu, 80) }
	fragments := func(apdu []byte) ([]byte, error) { return telegram.Fragmented(apdu, 90), nil }
	bare := func(apdu []byte) ([]byte, error) { return apdu, nil }
	meter := func(name, source string) point { return point{"meter": name, "source": source} }
	list := []*pusher{
		{title: "HDLC in two segments", device: "LINE000000000001", common: meter("hdlc line", ports[0]), names: chosenNames, every: 1200 * time.Millisecond,
			out: lines[0], said: "LINE000000000001", make: plain(telegram.Records, "LINE000000000001", segments)},
		{title: "M-Bus in two fragments", device: "LINE000000000002", common: meter("mbus line", ports[1]), names: standardNames, every: 1500 * time.Millisecond,
			out: lines[1], said: "LINE000000000002", make: plain(telegram.Pairs, "LINE000000000002", fragments)},
		{title: "ciphered over TCP", device: telegram.Hex(keys.Title[:]), common: meter("callers", tcp), names: standardNames, every: 150 * time.Millisecond,
			out: calling, said: "CALL000000000003", make: ciphered(cipher, telegram.Objects, "CALL000000000003")},
		{title: "wrapper over UDP", device: "SEND000000000004", common: meter("senders", udp), names: standardNames, every: 130 * time.Millisecond,
			out: socket, said: "SEND000000000004", make: plain(telegram.Objects, "SEND000000000004", telegram.Wrapped)},
		{title: "bare over UDP", device: "SEND000000000005", common: meter("senders", udp), names: standardNames, every: 170 * time.Millisecond,
			out: socket, said: "SEND000000000005", make: plain(telegram.Pairs, "SEND000000000005", bare)},
	}
	// Until all are heard, what is sent may be lost.
	s.hear(t, database, "warm 1", lines[0], segments)
	s.hear(t, database, "warm 2", lines[1], fragments)
	s.hear(t, database, "warm 3", socket, telegram.Wrapped)

	ends := make(chan error, len(list))
	for _, p := range list {
		go func() { ends <- p.run(s.ctx, pushTime) }()
	}
	for range list {
		require.NoError(t, <-ends)
	}
	require.NoError(t, calling.Close())
	for _, p := range list {
		require.Eventually(t, func() bool {
			rows, err := s.db.query(database, statusOf(p.device))
			return err == nil && len(rows) >= int(p.sent)
		}, 30*time.Second, 300*time.Millisecond, "%s: %d telegrams were sent, not all have come", p.title, p.sent)
	}
	s.pause(t, 2*time.Second) // for what would be doubled
	require.NoError(t, tg.command.Process.Signal(syscall.SIGTERM))
	<-tg.ended
	counts := countLines(t, all)
	for _, p := range list {
		t.Run(p.title, func(t *testing.T) {
			s.checkPushed(t, database, p)
			assert.Equal(t, len(p.names)*int(p.sent), counts["dlms_cosem "+p.device], "metrics in the file of all, where none can take the place of another")
			assert.Equal(t, int(p.sent), counts["dlms_cosem_status success "+p.device], "status metrics in the file of all")
			t.Logf("%d telegrams", p.sent)
		})
	}
}

// listensTo is a request for what is pushed to an endpoint.
func listensTo(endpoint, name, keys, items string) string {
	return fmt.Sprintf("  [[inputs.dlms_cosem.request]]\n    name = %q\n    endpoint = %q\n    %s\n%s\n", name, endpoint, keys, items)
}

// chosenItems are items that choose and rename.
const chosenItems = `
    [[inputs.dlms_cosem.request.item]]
      name = "energy"
      obis = "1.0.1.8.0.255"
    [[inputs.dlms_cosem.request.item]]
      name = "power"
      obis = "1.0.1.7.0.255"
    [[inputs.dlms_cosem.request.item]]
      name = "voltage"
      obis = "1.0.32.7.0.255"
`

// numberCode is the register that holds the number of the telegram.
const (
	numberCode = "1.0.1.8.0.255"
	deviceCode = "0.0.42.0.0.255"
)

var (
	chosenNames   = map[string]string{numberCode: "energy", "1.0.1.7.0.255": "power", "1.0.32.7.0.255": "voltage"}
	standardNames = map[string]string{numberCode: "active_energy_import_total", "1.0.1.7.0.255": "active_power_import", "1.0.32.7.0.255": "voltage_l1", deviceCode: "logical_device_name"}
)

// statusOf asks for the telegrams of a device that were understood.
func statusOf(device string) string {
	return fmt.Sprintf("SELECT * FROM dlms_cosem_status WHERE device = '%s' AND result = 'success'", device)
}

// hear sends telegrams until one has come to InfluxDB.
func (s *suite) hear(t *testing.T, database, device string, out io.Writer, frame func([]byte) ([]byte, error)) {
	t.Helper()
	b, err := plain(telegram.Pairs, device, frame)(0)
	require.NoError(t, err)
	for range 30 {
		_, _ = out.Write(b) // nobody may be there so far
		s.pause(t, time.Second)
		if rows, err := s.db.query(database, statusOf(device)); err == nil && len(rows) > 0 {
			return
		}
	}
	require.Fail(t, "nothing is heard from "+device)
}

// checkPushed compares all points of a device with what it has sent, one of
// each value for each telegram, in their order.
func (s *suite) checkPushed(t *testing.T, database string, p *pusher) {
	t.Helper()
	got := map[string][]point{} // by OBIS code
	for _, row := range s.db.mustQuery(t, database, fmt.Sprintf("SELECT * FROM dlms_cosem WHERE device = '%s' ORDER BY time", p.device)) {
		code := fmt.Sprint(row["obis"])
		got[code] = append(got[code], row)
	}
	require.Len(t, got, len(p.names))
	for i, row := range got[numberCode] {
		require.Equal(t, float64(i+1), row["value"], "a telegram is lost or doubled")
	}
	for code, rows := range got {
		require.Len(t, rows, int(p.sent), "points of %s", code)
		for i, row := range rows {
			require.Equal(t, p.point(code, uint32(i+1)), present(row), "telegram %d", i+1)
			require.Equal(t, got[numberCode][i]["time"], row["time"], "all values of a telegram have its time")
		}
	}
	status := s.db.mustQuery(t, database, statusOf(p.device))
	assert.Len(t, status, int(p.sent), "status metrics")
	// A device that pushes no more is one that has fallen silent, in the end.
	assert.Empty(t, s.db.mustQuery(t, database, fmt.Sprintf("SELECT * FROM dlms_cosem_status WHERE device = '%s' AND result != 'success' AND result != 'timeout'", p.device)))
	for _, row := range status {
		assert.InDelta(t, float64(len(p.names)), row["items_ok"], 0)
		for _, zero := range []string{"items_failed", "frame_errors", "skipped", "result_code", "tx_bytes"} {
			assert.InDelta(t, 0, row[zero], 0, zero)
		}
		assert.Equal(t, p.common["meter"], row["request"])
		assert.Equal(t, p.common["source"], row["source"])
	}
}

// point is that of a value of telegram n.
func (p *pusher) point(code string, n uint32) point {
	x := point{"obis": code, "name": p.names[code], "device": p.device}
	for k, v := range p.common {
		x[k] = v
	}
	for _, v := range telegram.Registers(n) {
		if obis.Code(v.OBIS).String() == code {
			x["value"], x["unit"] = v.Number, v.Symbol
			return x
		}
	}
	x["text"] = p.said
	return x
}

// countLines counts the lines of a file of metrics, by measurement, result and
// device.
func countLines(t *testing.T, name string) map[string]int {
	t.Helper()
	f, err := os.Open(name)
	require.NoError(t, err)
	defer f.Close()
	counts := map[string]int{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		series, _, _ := strings.Cut(strings.ReplaceAll(lines.Text(), `\ `, "_"), " ")
		key, tags, _ := strings.Cut(series, ",")
		device := ""
		for tag := range strings.SplitSeq(tags, ",") {
			switch name, value, _ := strings.Cut(tag, "="); name {
			case "device":
				device = value
			case "result":
				key += " " + value
			}
		}
		counts[key+" "+device]++
	}
	return counts
}
