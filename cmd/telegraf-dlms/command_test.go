package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/influxdata/line-protocol/v2/lineprotocol"
	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/plugins/inputs/dlms_cosem"
)

// simulated starts a simulated meter and returns its URL. It ends with the test.
func simulated(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r, w := io.Pipe()
	var errs bytes.Buffer
	done := make(chan int, 1)
	go func() {
		status := run(ctx, append([]string{"simulate", "-listen", "127.0.0.1:0"}, args...), nil, w, &errs)
		_ = w.Close()
		done <- status
	}()
	t.Cleanup(func() {
		cancel()
		require.Equal(t, exitOK, <-done)
		require.Empty(t, errs.String())
	})
	url, err := bufio.NewReader(r).ReadString('\n')
	require.NoError(t, err, errs.String())
	return strings.TrimSuffix(url, "\n")
}

// point is a line of line protocol.
type point struct {
	name   string
	tags   map[string]string
	fields map[string]any
	time   time.Time
}

func points(t *testing.T, text string) []point {
	t.Helper()
	var out []point
	d := lineprotocol.NewDecoderWithBytes([]byte(text))
	for d.Next() {
		p := point{tags: map[string]string{}, fields: map[string]any{}}
		name, err := d.Measurement()
		require.NoError(t, err)
		p.name = string(name)
		for {
			key, value, err := d.NextTag()
			require.NoError(t, err)
			if key == nil {
				break
			}
			p.tags[string(key)] = string(value)
		}
		for {
			key, value, err := d.NextField()
			require.NoError(t, err)
			if key == nil {
				break
			}
			p.fields[string(key)] = value.Interface()
		}
		p.time, err = d.Time(lineprotocol.Nanosecond, time.Time{})
		require.NoError(t, err)
		out = append(out, p)
	}
	return out
}

func config(url, framing, more string) string {
	return fmt.Sprintf(`[[inputs.dlms_cosem]]
  endpoint = %q
  framing = %q
  %s
  [[inputs.dlms_cosem.request]]
    name = "main meter"
    [[inputs.dlms_cosem.request.item]]
      name = "energy_import"
      obis = "1.0.1.8.0.255"
    [[inputs.dlms_cosem.request.item]]
      obis = "1-0:32.7.0"
  [[inputs.dlms_cosem.request]]
    name = "clock"
    method = "once"
    [[inputs.dlms_cosem.request.item]]
      name = "clock"
      obis = "0.0.1.0.0.255"
`, url, framing, more)
}

func TestDumpOnce(t *testing.T) {
	t.Setenv("DLMS_TEST_PW", "12345678")
	for _, c := range []struct {
		name, framing, more string
		simulate            []string
		tags                map[string]string
	}{
		{name: "wrapper", framing: "wrapper"},
		{name: "udp", framing: "wrapper", simulate: []string{"-listen", "udp://127.0.0.1:0"}},
		{name: "hdlc", framing: "hdlc", simulate: []string{"-framing", "hdlc"}},
		{name: "short names", framing: "wrapper", more: "referencing = \"sn\"", simulate: []string{"-referencing", "sn"}},
		{name: "short names in small frames", framing: "hdlc", more: "referencing = \"sn\"", simulate: []string{"-framing", "hdlc", "-referencing", "sn", "-max_info", "62", "-max_pdu", "128"}},
		{
			name: "low", framing: "hdlc",
			more:     "authentication = \"low\"\n  password = \"${DLMS_TEST_PW}\"\n  physical_address = 17\n  logical_address = 300",
			simulate: []string{"-framing", "hdlc", "-authentication", "low", "-password", "env:DLMS_TEST_PW", "-physical_address", "17,18", "-logical_address", "300", "-address_size", "4"},
			tags:     map[string]string{"address": "17", "logical": "300"},
		},
		{
			name: "another client, small frames and PDUs", framing: "hdlc", more: "client_address = 1",
			simulate: []string{"-framing", "hdlc", "-client_address", "1", "-max_info", "62", "-max_pdu", "128"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			url := simulated(t, c.simulate...)
			_, source, _ := strings.Cut(url, "://")
			before := time.Now()
			r := execute(t, "dump", "-once", "-config", configFile(t, config(url, c.framing, c.more)))
			require.Equal(t, exitOK, r.status, r.err)
			require.Empty(t, r.err)

			got := points(t, r.out)
			require.Len(t, got, 5, r.out)
			tags := func(more ...string) map[string]string {
				out := map[string]string{"source": source}
				for k, v := range c.tags {
					out[k] = v
				}
				for i := 0; i < len(more); i += 2 {
					out[more[i]] = more[i+1]
				}
				return out
			}
			require.Equal(t, tags("meter", "main meter", "name", "energy_import", "obis", "1.0.1.8.0.255", "unit", "Wh"), got[0].tags)
			require.Greater(t, got[0].fields["value"], 0.0)
			require.Equal(t, tags("meter", "main meter", "obis", "1.0.32.7.0.255", "unit", "V"), got[1].tags)
			require.InDelta(t, 230, got[1].fields["value"], 30)
			require.Equal(t, "dlms_cosem_status", got[2].name)
			require.Equal(t, tags("meter", "main meter", "request", "main meter", "result", "success"), got[2].tags)
			require.EqualValues(t, 2, got[2].fields["items_ok"])
			require.EqualValues(t, 0, got[2].fields["items_failed"])
			require.Equal(t, tags("meter", "clock", "name", "clock", "obis", "0.0.1.0.0.255"), got[3].tags)
			require.InDelta(t, float64(before.Unix()), got[3].fields["value"], 120)
			require.Contains(t, got[3].fields["text"], "T")
			require.Equal(t, tags("meter", "clock", "request", "clock", "result", "success"), got[4].tags)
			for _, p := range got {
				require.WithinRange(t, p.time, before, time.Now())
			}
			require.Equal(t, got[0].time, got[1].time, "one time for a run")
			require.Equal(t, got[0].time, got[2].time)
		})
	}
}

func TestDumpOnceOneRequest(t *testing.T) {
	t.Parallel()
	file := configFile(t, config(simulated(t), "wrapper", ""))
	r := execute(t, "dump", "-config", file, "-once", "-request", "clock")
	require.Equal(t, exitOK, r.status, r.err)
	require.Len(t, points(t, r.out), 2)
	require.Equal(t, "clock", points(t, r.out)[0].tags["meter"])

	r = execute(t, "dump", "-config", file, "-once", "-request", "clocks")
	require.Equal(t, exitUsage, r.status)
	require.Equal(t, "E! no request is named \"clocks\"; "+file+" has: \"main meter\", \"clock\"\n", r.err)

	off := configFile(t, strings.Replace(config("tcp://127.0.0.1:4059", "wrapper", ""), `name = "clock"`, "name = \"clock\"\nenabled = false", 1))
	r = execute(t, "dump", "-config", off, "-once", "-request", "clock")
	require.Equal(t, exitUsage, r.status)
	require.Equal(t, "E! request \"clock\" is switched off by enabled = false\n", r.err)
}

func TestDumpCount(t *testing.T) {
	t.Parallel()
	file := configFile(t, config(simulated(t), "wrapper", ""))
	r := execute(t, "dump", "-config", file, "-count", "5", "-poll_interval", "50ms")
	require.Equal(t, exitOK, r.status, r.err)
	require.Empty(t, r.err)
	status := 0
	for _, p := range points(t, r.out) {
		if p.name == "dlms_cosem_status" {
			status++
		}
	}
	require.GreaterOrEqual(t, status, 5)
}

func TestDumpFailures(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	dead := "tcp://" + l.Addr().String()
	require.NoError(t, l.Close())

	file := configFile(t, config(dead, "wrapper", ""))
	for _, args := range [][]string{{"-once"}, {"-count", "1"}} {
		r := execute(t, append([]string{"dump", "-config", file}, args...)...)
		require.Equal(t, exitFailed, r.status)
		require.Contains(t, r.err, "connection refused")
		require.True(t, strings.HasPrefix(r.err, "E! "), r.err)
		got := points(t, r.out)
		require.NotEmpty(t, got)
		require.Equal(t, "dlms_cosem_status", got[0].name)
		require.Equal(t, "connect", got[0].tags["result"])
	}

	url := simulated(t)
	text := strings.Replace(config(url, "wrapper", ""), "1-0:32.7.0", "1-0:99.99.0", 1)
	r := execute(t, "dump", "-config", configFile(t, text), "-once")
	require.Equal(t, exitFailed, r.status, "one item failed")
	require.Contains(t, r.out, "result=partial")
}

// SIGINT, here the end of the context, ends dump cleanly.
func TestDumpInterrupted(t *testing.T) {
	t.Parallel()
	file := configFile(t, config(simulated(t), "wrapper", ""))
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	var errs bytes.Buffer
	done := make(chan int, 1)
	go func() {
		status := run(ctx, []string{"dump", "-config", file}, panicReader{}, w, &errs)
		_ = w.Close()
		done <- status
	}()
	lines := bufio.NewScanner(r)
	require.True(t, lines.Scan())
	cancel()
	for lines.Scan() {
		continue
	}
	require.Equal(t, exitOK, <-done)
	require.Empty(t, errs.String())
}

// panicReader is a standard input nobody may read.
type panicReader struct{}

func (panicReader) Read([]byte) (int, error) { panic("dump reads standard input") }

// Under inputs.execd: a tick gives metrics, the end of standard input ends it.
func TestExecd(t *testing.T) {
	t.Parallel()
	file := configFile(t, config(simulated(t), "wrapper", ""))
	inr, inw := io.Pipe()
	outr, outw := io.Pipe()
	var errs bytes.Buffer
	done := make(chan int, 1)
	go func() {
		status := run(context.Background(), []string{"-config", file}, inr, outw, &errs)
		_ = outw.Close()
		done <- status
	}()
	lines := bufio.NewScanner(outr)
	next := func(want string) {
		t.Helper()
		require.True(t, lines.Scan())
		require.Regexp(t, want, lines.Text())
	}
	next(`^dlms_cosem,meter=clock,`) // method once needs no tick
	next(`^dlms_cosem_status,meter=clock,`)
	// A tick that finds its request still running is not queued: go on ticking.
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		ticker := time.NewTicker(10 * time.Millisecond)
		defer ticker.Stop()
		for {
			if _, err := io.WriteString(inw, "\n"); err != nil {
				return
			}
			select {
			case <-stop:
				return
			case <-ticker.C:
			}
		}
	}()
	for range 2 {
		next(`^dlms_cosem,meter=main\\ meter,name=energy_import,obis=1\.0\.1\.8\.0\.255,source=127\.0\.0\.1:\d+,unit=Wh value=\S+ \d{19}$`)
		next(`^dlms_cosem,meter=main\\ meter,obis=1\.0\.32\.7\.0\.255,source=127\.0\.0\.1:\d+,unit=V value=\S+ \d{19}$`)
		next(`^dlms_cosem_status,meter=main\\ meter,request=main\\ meter,result=success,`)
	}
	close(stop)
	<-stopped
	require.NoError(t, inw.Close())
	for lines.Scan() {
		continue
	}
	require.Equal(t, exitOK, <-done)
	require.Empty(t, errs.String())
}

func TestGet(t *testing.T) {
	t.Parallel()
	url := simulated(t, "-framing", "hdlc")
	r := execute(t, "get", "-framing", "hdlc", url, "1.0.1.8.0.255", "1-0:32.7.0*255", "-physical_address=17", "--", "1.0.1.8.0.255:3", "0.0.96.1.0.255")
	require.Equal(t, exitOK, r.status, r.err)
	require.Empty(t, r.err)
	lines := strings.Split(strings.TrimSuffix(r.out, "\n"), "\n")
	require.Len(t, lines, 5)
	for i, want := range []string{
		`^OBIS            ATTRIBUTE  CLASS  TYPE                  VALUE +UNIT$`,
		`^1\.0\.1\.8\.0\.255   2          3      double-long-unsigned  \d+ +Wh$`,
		`^1\.0\.32\.7\.0\.255  2          3      long-unsigned         2\d\d(\.\d)? +V$`,
		`^1\.0\.1\.8\.0\.255   3          3      structure             structure\(2\)\{integer 0, enum 30\}$`,
		`^0\.0\.96\.1\.0\.255  2          1      (octet|visible)-string +\S+$`,
	} {
		require.Regexp(t, want, lines[i])
	}
}

func TestGetFailures(t *testing.T) {
	t.Parallel()
	url := simulated(t)
	r := execute(t, "get", url, "-framing", "wrapper", "1.0.1.8.0.255", "9.9.9.9.9.9")
	require.Equal(t, exitFailed, r.status)
	require.Regexp(t, regexp.MustCompile(`(?m)^9\.9\.9\.9\.9\.9 +2 +3 +- +failed: .*object-undefined`), r.out)
	require.Regexp(t, regexp.MustCompile(`(?m)^1\.0\.1\.8\.0\.255 .* Wh$`), r.out)
	require.Regexp(t, `^hint: .*client_address`, r.err)

	r = execute(t, "get", url, "-framing", "hdlc", "1.0.1.8.0.255", "-reply_timeout", "100ms", "-retries", "0")
	require.Equal(t, exitFailed, r.status)
	require.Contains(t, r.err, "telegraf-dlms get: ")
	require.Contains(t, r.err, "\nhint: ")

	r = execute(t, "get", url, "1.0.1.8.0.255")
	require.Equal(t, exitUsage, r.status)
	require.Regexp(t, `^telegraf-dlms get: -framing: this key is required on TCP port \d+: `, r.err)
	r = execute(t, "get", url, "1.0.x", "-framing", "wrapper")
	require.Equal(t, exitUsage, r.status)
	require.Regexp(t, `^telegraf-dlms get: .*obis = "1\.0\.x": not an OBIS code: `, r.err)
	r = execute(t, "get", "10.0.0.5", "1.0.1.8.0.255", "-framing", "wrapper")
	require.Equal(t, exitUsage, r.status)
	require.Regexp(t, `^telegraf-dlms get: endpoint = "10\.0\.0\.5": the scheme is missing`, r.err)
}

func TestGetPassword(t *testing.T) {
	t.Setenv("DLMS_TEST_PW", "12345678")
	t.Setenv("DLMS_TEST_WRONG", "hunter22")
	secret := filepath.Join(t.TempDir(), "pw")
	require.NoError(t, os.WriteFile(secret, []byte("12345678\n"), 0o600))
	url := simulated(t, "-authentication", "low", "-password", "file:"+secret)
	for password, status := range map[string]int{"env:DLMS_TEST_PW": exitOK, "file:" + secret: exitOK, "env:DLMS_TEST_WRONG": exitFailed} {
		r := execute(t, "get", url, "1.0.1.8.0.255", "-framing", "wrapper", "-authentication", "low", "-password", password)
		require.Equal(t, status, r.status, r.err)
		require.NotContains(t, r.out+r.err, "hunter22")
		if status == exitFailed {
			require.Contains(t, r.err, "authentication failure")
			require.Contains(t, r.err, "hint: ")
		}
	}
}

func TestGetJSON(t *testing.T) {
	t.Parallel()
	url := simulated(t)
	r := execute(t, "get", url, "-framing", "wrapper", "1.0.1.8.0.255", "9.9.9.9.9.9", "-format", "json")
	require.Equal(t, exitFailed, r.status)
	var list []map[string]any
	require.NoError(t, json.Unmarshal([]byte(r.out), &list))
	require.Len(t, list, 2)
	require.Equal(t, "1.0.1.8.0.255", list[0]["obis"])
	require.EqualValues(t, 2, list[0]["attribute"])
	require.EqualValues(t, 3, list[0]["class"])
	require.Equal(t, "double-long-unsigned", list[0]["type"])
	require.Equal(t, "Wh", list[0]["unit"])
	require.Greater(t, list[0]["value"], 0.0)
	require.Equal(t, strconv.FormatFloat(list[0]["value"].(float64), 'f', -1, 64), list[0]["text"])
	require.NotContains(t, list[0], "error")
	require.Equal(t, "9.9.9.9.9.9", list[1]["obis"])
	require.NotContains(t, list[1], "value")
	require.Contains(t, list[1]["error"], "object-undefined")

	r = execute(t, "get", "tcp://127.0.0.1:1", "-framing", "wrapper", "1.0.1.8.0.255", "-format", "json")
	require.Equal(t, exitFailed, r.status)
	require.NoError(t, json.Unmarshal([]byte(r.out), &list), r.out)
}

func TestCheck(t *testing.T) {
	t.Parallel()
	file := configFile(t, `[[inputs.dlms_cosem]]
  endpoint = "tcp://10.0.0.5:4001"
  framing = "hdlc"
  [[inputs.dlms_cosem.request]]
    name = "main meter"
    [[inputs.dlms_cosem.request.item]]
      name = "energy_import"
      obis = "1-0:1.8.0*255"
    [[inputs.dlms_cosem.request.item]]
      obis = "1.0.32.7.0.255"
      class = 4
      attribute = 5
  [[inputs.dlms_cosem.request]]
    name = "slow"
    method = "polling"
    interval = "15m"
    physical_address = [17, 18]
    authentication = "low"
    password = "hunter2"
    layout = "wide"
    [[inputs.dlms_cosem.request.item]]
      name = "x"
      obis = "1.0.1.8.0.255"
  [[inputs.dlms_cosem.request]]
    name = "other"
    endpoint = "udp://10.0.0.6:4059"
    framing = "wrapper"
    method = "once"
    enabled = false
    [[inputs.dlms_cosem.request.item]]
      name = "clock"
      obis = "0.0.1.0.0.255"
`)
	r := execute(t, "check", "-config", file)
	require.Equal(t, exitOK, r.status, r.err)
	require.Equal(t, "W! request \"slow\": the password has 7 characters; with authentication = \"low\" meters usually want 8\n", r.err)
	next := regexp.MustCompile(`(?m)^    next     \d{4}-\d\d-\d\d \d\d:\d\d:\d\d(, (\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d){4}$`)
	require.Regexp(t, next, r.out)
	require.Equal(t, file+`: no mistakes; 2 links, 3 requests

tcp://10.0.0.5:4001: 2 requests, one after the other
  request "main meter"
    meter    main meter
    runs     at each gather tick: a newline on standard input, or every -poll_interval
    speaks   hdlc, client 16, authentication none
    address  logical 1
    timeout  30s
    layout   obis
    2 items        OBIS            ATTRIBUTE  CLASS
    energy_import  1.0.1.8.0.255   2          3 Register, by the code
    -              1.0.32.7.0.255  5          4 Extended register
  request "slow"
    meter    slow
    runs     at start and every 15m
    next     soon
    speaks   hdlc, client 32, authentication low
    address  logical 1, physical 17, 18
    timeout  30s
    layout   wide
    1 item  OBIS           ATTRIBUTE  CLASS
    x       1.0.1.8.0.255  2          3 Register, by the code

udp://10.0.0.6:4059
  request "other", switched off by enabled = false
    meter    other
    runs     once, at start; repeated until it succeeds
    speaks   wrapper, client 16, authentication none
    address  logical 1
    timeout  30s
    layout   obis
    1 item  OBIS           ATTRIBUTE  CLASS
    clock   0.0.1.0.0.255  2          8 Clock, by the code
`, next.ReplaceAllString(r.out, "    next     soon"))
}

func TestRunTimes(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 12, 31, 23, 45, 0, 0, time.UTC)
	require.Equal(t, []string{"2026-12-31 23:45:00", "23:59:00", "2027-01-01 00:01:00", "2027-12-31 00:01:00"},
		runTimes([]time.Time{at, at.Add(14 * time.Minute), at.Add(16 * time.Minute), at.Add(364*24*time.Hour + 16*time.Minute)}))
	for d, want := range map[time.Duration]string{30 * time.Second: "30s", 15 * time.Minute: "15m", time.Hour: "1h", 90 * time.Minute: "1h30m", 10 * time.Minute: "10m", 20 * time.Hour: "20h", time.Minute + time.Second: "1m1s"} {
		require.Equal(t, want, shortDuration(d))
	}
}

func TestWriteTableAddresses(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	writeTable(&b, []dlms_cosem.Reading{
		{Address: "17", OBIS: "1.0.1.8.0.255", Attribute: 2, Class: 3, Type: "unsigned", Text: "5", Unit: "Wh"},
		{Address: "18", OBIS: "1.0.1.8.0.255", Attribute: 2, Class: 3, Err: io.ErrUnexpectedEOF},
	}, 0)
	require.Equal(t, `ADDRESS  OBIS           ATTRIBUTE  CLASS  TYPE      VALUE  UNIT
17       1.0.1.8.0.255  2          3      unsigned  5      Wh
18       1.0.1.8.0.255  2          3      -         failed: unexpected EOF
`, b.String())
}
