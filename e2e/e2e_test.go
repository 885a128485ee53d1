//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/interop/peer"
)

func TestTelegraf(t *testing.T) {
	t.Parallel()
	s := startSuite(t)
	// A group, so that InfluxDB outlives the tests that run in parallel.
	t.Run("with", func(t *testing.T) {
		for name, test := range map[string]func(*testing.T, *suite){
			"values by ticks on stdin":         valuesByTicks,
			"values by the plugin's own clock": valuesByInterval,
			"telegraf stopped by SIGTERM":      stopped,
			"telegraf killed":                  killed,
			"plugin killed in mid-write":       torn,
			"meter off and on again":           outage,
			"a value fires a request":          fired,
			"meters that push":                 pushed,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t, s)
			})
		}
	})
}

// valuesByTicks: signal STDIN, HDLC with low authentication and a physical address.
func valuesByTicks(t *testing.T, s *suite) {
	meter := s.startMeter(t, "--framing", "hdlc", "--auth", "low")
	tags := "    [inputs.dlms_cosem.request.tags]\n      site = \"lab\"\n"
	s.startTelegraf(t, setup{
		database: "ticks", signal: "STDIN",
		plugin: connection(meter.Address, "hdlc", true) + request(meter, "    physical_address = 17\n", others) + tags,
	})
	s.checkValues(t, "ticks", meter, point{"meter": "main meter", "address": "17", "site": "lab", "source": meter.Address})
}

// valuesByInterval: signal none, the wrapper without authentication.
func valuesByInterval(t *testing.T, s *suite) {
	meter := s.startMeter(t, "--framing", "wrapper")
	s.startTelegraf(t, setup{
		database: "interval", signal: "none", arguments: []string{"-poll_interval", "1s"},
		plugin: connection(meter.Address, "wrapper", false) + request(meter, "    meter = \"m 1\"\n", others),
	})
	s.checkValues(t, "interval", meter, point{"meter": "m 1", "source": meter.Address})
}

// checkValues compares all that InfluxDB has got with what the meter holds.
func (s *suite) checkValues(t *testing.T, database string, meter *peer.Meter, common point) {
	t.Helper()
	status := "SELECT * FROM dlms_cosem_status WHERE result = 'success'"
	require.Eventually(t, func() bool {
		rows, err := s.db.query(database, status)
		return err == nil && len(rows) >= 3
	}, time.Minute, 200*time.Millisecond, "three successful runs")

	want := map[string]point{}
	add := func(name, obis string, more point) {
		p := point{"name": name, "obis": obis}
		for _, m := range []point{common, more} {
			for k, v := range m {
				p[k] = v
			}
		}
		want[name] = p
	}
	for _, r := range append(meter.Contents.Registers, meter.Contents.Extended...) {
		values := point{"value": r.Value()}
		if unit, known := symbols[r.Unit]; assert.True(t, known, "unit %d", r.Unit) && unit != "" {
			values["unit"] = unit
		}
		add(itemName(r), r.OBIS, values)
	}
	clock := time.Unix(meter.Contents.Clock, 0).UTC()
	add("serial", "0.0.96.1.0.255", point{"text": meter.Contents.Serial})
	add("device", "0.0.42.0.0.255", point{"text": meter.Contents.Name})
	add("uptime", "0.0.96.6.0.255", point{"value": float64(meter.Contents.Data[0].Value)})
	add("offset", "0.0.96.5.0.255", point{"value": float64(meter.Contents.Data[1].Value)})
	// The usual class of this code is that of disconnect control.
	add("relay", "0.0.96.3.10.255", point{"flag": true, "class": "1"})
	add("clock", "0.0.1.0.0.255", point{"value": float64(clock.Unix()), "text": clock.Format(time.RFC3339)})

	counts := map[string]int{}
	for _, row := range s.db.mustQuery(t, database, "SELECT * FROM dlms_cosem") {
		got := present(row)
		name := fmt.Sprint(got["name"])
		counts[name]++
		require.Equal(t, want[name], got, "item %q", name)
	}
	for name := range want {
		assert.GreaterOrEqual(t, counts[name], 3, "points of %q", name)
	}
	for _, row := range s.db.mustQuery(t, database, status) {
		assert.InDelta(t, float64(len(want)), row["items_ok"], 0)
		assert.InDelta(t, 0, row["items_failed"], 0)
		assert.InDelta(t, 0, row["result_code"], 0)
		assert.Equal(t, "main meter", row["request"])
		assert.Equal(t, meter.Address, row["source"])
	}
}

// present drops the time, the measurement, and the columns that a row does not have.
func present(row point) point {
	p := point{}
	for k, v := range row {
		if v != nil && v != "" && k != "time" && k != "measurement" {
			p[k] = v
		}
	}
	return p
}

// fired: the example for processors.execd has an event request run when a value is high.
func fired(t *testing.T, s *suite) {
	meter := s.startMeter(t, "--framing", "wrapper")
	event := "  [[inputs.dlms_cosem.request]]\n    name = \"at a peak\"\n    method = \"event\"\n    [[inputs.dlms_cosem.request.item]]\n      name = \"seen\"\n      obis = \"1.0.1.8.0.255\"\n"
	never := strings.ReplaceAll(event, "at a peak", "never")
	s.startTelegraf(t, setup{
		database: "fired", signal: "STDIN",
		plugin:    connection(meter.Address, "wrapper", false) + request(meter, "", "") + event + never,
		processor: []string{filepath.Join(s.root, "docs", "examples", "trigger-on-value.sh"), "at a peak", "r_1_0_1_7_0_255", "4000"},
	})
	s.db.wait(t, time.Minute, "fired", "SELECT * FROM dlms_cosem_status WHERE request = 'at a peak' AND result = 'success'")
	rows := s.db.wait(t, time.Minute, "fired", `SELECT * FROM dlms_cosem WHERE "name" = 'seen'`)
	require.InDelta(t, meter.Contents.Registers[0].Value(), rows[0]["value"], 0)
	require.NotEmpty(t, s.db.mustQuery(t, "fired", "SELECT * FROM dlms_cosem WHERE \"name\" = 'r_1_0_1_7_0_255'"), "the values themselves pass")
	require.Empty(t, s.db.mustQuery(t, "fired", "SELECT * FROM dlms_cosem_status WHERE request = 'never'"))
}

// stopped: while a slow meter is being read, SIGTERM to Telegraf ends the plugin within 4 s, and the meter is released.
func stopped(t *testing.T, s *suite) {
	for _, framing := range []string{"hdlc", "wrapper"} {
		t.Run(framing, func(t *testing.T) {
			meter := s.startMeter(t, "--framing", framing, "--no-lists", "--delay", "200")
			tg := s.startTelegraf(t, setup{
				database: "stopped_" + framing, signal: "STDIN",
				plugin: connection(meter.Address, framing, false) + request(meter, "", ""),
			})
			pid := tg.waitChild(t, 0)
			// Some 46 reads of 200 ms are under way.
			require.NoError(t, meter.WaitEvents(s.ctx, "answer", 5))
			require.Equal(t, 1, meter.Events("associate"))
			require.Zero(t, meter.Events("release"))

			began := time.Now()
			require.NoError(t, tg.command.Process.Signal(syscall.SIGTERM))
			require.Eventually(t, func() bool { return !tg.alive(pid) }, 30*time.Second, 10*time.Millisecond, "the plugin did not end")
			took := time.Since(began)
			<-tg.ended
			t.Logf("plugin ended after %s, telegraf after %s", took.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
			assert.Less(t, took, 4*time.Second, "the plugin took too long")
			// The meter is slow: it may see the release after the plugin has gone.
			ctx, cancel := context.WithTimeout(s.ctx, 20*time.Second)
			defer cancel()
			require.NoError(t, meter.WaitEvents(ctx, "close", meter.Events("connect")))
			assert.Equal(t, meter.Events("associate"), meter.Events("release"), "every association is to be released: %v", meter.Log())
		})
	}
}

// killed: SIGKILL to Telegraf leaves no orphan, whichever way ticks come.
func killed(t *testing.T, s *suite) {
	for _, signal := range []string{"STDIN", "none"} {
		t.Run(signal, func(t *testing.T) {
			meter := s.startMeter(t, "--framing", "hdlc", "--delay", "50")
			tg := s.startTelegraf(t, setup{
				database: "killed_" + signal, signal: signal, arguments: []string{"-poll_interval", "1s"},
				plugin: connection(meter.Address, "hdlc", false) + request(meter, "", ""),
			})
			pid := tg.waitChild(t, 0)
			require.NoError(t, meter.WaitEvents(s.ctx, "associate", 1))
			require.NoError(t, tg.command.Process.Kill())
			<-tg.ended
			began := time.Now()
			require.Eventually(t, func() bool { return !tg.alive(pid) }, 30*time.Second, 10*time.Millisecond, "an orphan is left")
			t.Logf("plugin ended %s after telegraf", time.Since(began).Round(time.Millisecond))
		})
	}
}

// torn: however often the plugin is killed while it writes, InfluxDB holds no value, name or tag that the meter has not.
func torn(t *testing.T, s *suite) {
	for _, layout := range []string{"obis", "wide"} {
		t.Run(layout, func(t *testing.T) {
			meter := s.startMeter(t, "--framing", "wrapper")
			// Many short names, so that a wide metric is several times what a pipe takes in one piece (a page), and much of it values.
			const copies = 40
			first := request(meter, "    layout = \""+layout+"\"\n", "")
			head, items, _ := strings.Cut(first, "    [[inputs.dlms_cosem.request.item]]")
			all := ""
			want := map[string]peer.Register{}
			for i := range copies {
				name := strconv.Itoa(i) + "_"
				for _, r := range append(meter.Contents.Registers, meter.Contents.Extended...) {
					want[strings.Replace(itemName(r), "r_", name, 1)] = r
				}
				all += strings.ReplaceAll("    [[inputs.dlms_cosem.request.item]]"+items, `name = "r_`, `name = "`+name)
			}
			database := "torn_" + layout
			// A tag whose length changes, so that a full pipe cuts a line at another place each time.
			conf := func(i int) string {
				pad := fmt.Sprintf("    [inputs.dlms_cosem.request.tags]\n      pad = %q\n", strings.Repeat("x", 1+7*i))
				return connection(meter.Address, "wrapper", false) + head + all + pad
			}
			begin := time.Now()
			tg := s.startTelegraf(t, setup{
				database: database, signal: "none", arguments: []string{"-poll_interval", "10ms"}, plugin: conf(0),
			})
			s.killOften(t, tg, 24, conf)
			for i := range 4 {
				s.db.write(t, database, s.killBlocked(t, conf(i)))
			}
			if layout == "wide" {
				s.checkWide(t, database, meter, want, begin)
			} else {
				s.checkObis(t, database, meter, want, begin)
			}
		})
	}
}

// killOften kills the plugin at any moment, lets Telegraf start it again with the next configuration, and stops Telegraf
// in the end.
func (s *suite) killOften(t *testing.T, tg *telegraf, kills int, conf func(i int) string) {
	t.Helper()
	pid := 0
	for i := range kills {
		pid = tg.waitChild(t, pid)
		s.pause(t, time.Duration(20+rand.IntN(250))*time.Millisecond)
		// Every other time Telegraf does not read for a while: the pipe fills, and the kill comes during a write.
		stall := i%2 == 1
		if stall {
			require.NoError(t, tg.command.Process.Signal(syscall.SIGSTOP))
			s.pause(t, 500*time.Millisecond)
		}
		require.NoError(t, os.WriteFile(tg.conf, []byte(conf(i+1)), 0o600))
		require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
		if stall {
			require.NoError(t, tg.command.Process.Signal(syscall.SIGCONT))
		}
	}
	tg.waitChild(t, pid)
	require.NoError(t, tg.command.Process.Signal(syscall.SIGTERM))
	<-tg.ended
}

// checkMeasurements: nothing but the status and this, no field but those of the map or, if it is nil, value.
func (s *suite) checkMeasurements(t *testing.T, database, measurement string, fields map[string]peer.Register) {
	t.Helper()
	var measurements []string
	for _, row := range s.db.mustQuery(t, database, "SHOW MEASUREMENTS") {
		measurements = append(measurements, fmt.Sprint(row["name"]))
	}
	assert.ElementsMatch(t, []string{measurement, "dlms_cosem_status"}, measurements)
	for _, row := range s.db.mustQuery(t, database, "SHOW FIELD KEYS FROM "+measurement) {
		if fields == nil {
			assert.Equal(t, "value", row["fieldKey"])
		} else {
			assert.Contains(t, fields, row["fieldKey"])
		}
	}
}

// requirePad checks and removes the tag pad, and checks that the time has not lost its end.
func requirePad(t *testing.T, row, got point, begin time.Time) {
	t.Helper()
	require.Regexp(t, "^x+$", got["pad"])
	delete(got, "pad")
	require.InDelta(t, begin.Add(2*time.Minute).UnixNano(), row["time"], float64(2*time.Minute), "time of %v", got)
}

func (s *suite) checkObis(t *testing.T, database string, meter *peer.Meter, want map[string]peer.Register, begin time.Time) {
	t.Helper()
	s.checkMeasurements(t, database, "dlms_cosem", nil)
	rows := s.db.mustQuery(t, database, "SELECT * FROM dlms_cosem")
	for _, row := range rows {
		got := present(row)
		requirePad(t, row, got, begin)
		name := fmt.Sprint(got["name"])
		r, known := want[name]
		require.True(t, known, "a name that no item has: %v", got)
		expected := point{"name": name, "obis": r.OBIS, "meter": "main meter", "source": meter.Address, "value": r.Value()}
		if unit := symbols[r.Unit]; unit != "" {
			expected["unit"] = unit
		}
		require.Equal(t, expected, got)
	}
	t.Logf("%d points, all right", len(rows))
	assert.Greater(t, len(rows), 24, "the plugin hardly wrote")
}

func (s *suite) checkWide(t *testing.T, database string, meter *peer.Meter, want map[string]peer.Register, begin time.Time) {
	t.Helper()
	s.checkMeasurements(t, database, "dlms_cosem_wide", want)
	rows := s.db.mustQuery(t, database, "SELECT * FROM dlms_cosem_wide")
	values := 0
	for _, row := range rows {
		got := present(row)
		require.Equal(t, "main meter", got["meter"])
		require.Equal(t, meter.Address, got["source"])
		delete(got, "meter")
		delete(got, "source")
		requirePad(t, row, got, begin)
		for name, value := range got {
			r, known := want[name]
			require.True(t, known, "a field that no item has: %q", name)
			require.Equal(t, r.Value(), value, name)
			values++
		}
	}
	t.Logf("%d points with %d values, all right", len(rows), values)
	assert.Greater(t, len(rows), 24, "the plugin hardly wrote")
}

// pause waits, unless the suite is ending.
func (s *suite) pause(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-s.ctx.Done():
		require.NoError(t, s.ctx.Err())
	}
}

// outage: a meter that is off for a while is polled again when it is back.
func outage(t *testing.T, s *suite) {
	meter := s.startMeter(t, "--framing", "hdlc")
	_, port, err := net.SplitHostPort(meter.Address)
	require.NoError(t, err)
	s.startTelegraf(t, setup{
		database: "outage", signal: "STDIN",
		plugin: connection(meter.Address, "hdlc", false) + request(meter, "", ""),
	})
	results := func(result string, since time.Time) string {
		return fmt.Sprintf("SELECT * FROM dlms_cosem_status WHERE result = '%s' AND time >= %d", result, since.UnixNano())
	}
	begin := time.Now()
	s.db.wait(t, time.Minute, "outage", results("success", begin.Add(-time.Minute)))

	off := time.Now()
	meter.Stop()
	s.db.wait(t, time.Minute, "outage", results("connect", off))
	s.db.wait(t, time.Minute, "outage", results("backoff", off))
	// Nothing may be written for a meter that is off.
	since := fmt.Sprintf("SELECT * FROM dlms_cosem WHERE time >= %d", off.Add(2*time.Second).UnixNano())
	assert.Empty(t, s.db.mustQuery(t, "outage", since))

	on := time.Now()
	back := s.startMeter(t, "--framing", "hdlc", "--port", port)
	require.Equal(t, meter.Address, back.Address)
	// The first pause of the back-off is a minute.
	s.db.wait(t, 2*time.Minute, "outage", results("success", on))
	rows := s.db.wait(t, 10*time.Second, "outage", fmt.Sprintf("SELECT * FROM dlms_cosem WHERE time >= %d", on.UnixNano()))
	t.Logf("values again %s after the meter was back", time.Since(on).Round(time.Second))
	for _, row := range rows {
		for _, r := range back.Contents.Registers {
			if row["name"] == itemName(r) {
				assert.InDelta(t, r.Value(), row["value"], 0)
			}
		}
		assert.True(t, strings.HasPrefix(fmt.Sprint(row["name"]), "r_"))
	}
}
