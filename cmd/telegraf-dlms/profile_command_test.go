package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest"
	"github.com/telegraf-dlms/telegraf-dlms/internal/simmeter"
)

// TestProfile reads the load profile of a simulated meter in each form, over
// each kind of link.
func TestProfile(t *testing.T) {
	t.Parallel()
	for _, link := range []string{"-framing wrapper", "-framing hdlc -max_info 128 -max_pdu 256", "-framing hdlc -referencing sn"} {
		t.Run(link, func(t *testing.T) {
			t.Parallel()
			url := simulated(t, strings.Fields(link)...)
			profile := func(more string) result {
				how := strings.Fields(link)[:2]
				if strings.HasSuffix(link, " sn") {
					how = strings.Fields(link)
				}
				args := append([]string{"profile", url, "1.0.99.1.0.255"}, how...)
				return execute(t, append(args, strings.Fields(more)...)...)
			}
			// Whatever the time is, there is no row after to for this test.
			to := time.Now().Truncate(15 * time.Minute).Add(-15 * time.Minute).UTC()
			between := "-from " + to.Add(-24*time.Hour).Format(time.RFC3339) + " -to " + to.Format(time.RFC3339) + " "

			r := profile(between + "-format csv")
			require.Equal(t, exitOK, r.status, r.err)
			require.Empty(t, r.err)
			rows, err := csv.NewReader(strings.NewReader(r.out)).ReadAll()
			require.NoError(t, err)
			require.Len(t, rows, 98, "a head, and both ends")
			require.Equal(t, []string{"time", "0.0.96.10.1.255", "1.0.1.8.0.255 [Wh]", "1.0.2.8.0.255 [Wh]", "1.0.32.7.0.255 [V]"}, rows[0])
			before := 0.
			for i, row := range rows[1:] {
				require.Equal(t, to.Add(-24*time.Hour+time.Duration(i)*15*time.Minute).Format(time.RFC3339), row[0])
				energy, err := strconv.ParseFloat(row[2], 64)
				require.NoError(t, err)
				require.GreaterOrEqual(t, energy, before)
				before = energy
			}

			r = profile(between)
			require.Equal(t, exitOK, r.status, r.err)
			lines := strings.Split(strings.TrimSuffix(r.out, "\n"), "\n")
			require.Len(t, lines, 99)
			require.Regexp(t, `^TIME +0\.0\.96\.10\.1\.255  1\.0\.1\.8\.0\.255  1\.0\.2\.8\.0\.255  1\.0\.32\.7\.0\.255$`, lines[0])
			require.Regexp(t, `^ +Wh +Wh +V$`, lines[1])
			require.Equal(t, to.In(time.Local).Format(tableTime), lines[98][:len(to.In(time.Local).Format(tableTime))])
			require.Equal(t, rows[97][1:], strings.Fields(lines[98])[2:])

			r = profile(between + "-format lp -columns 1.0.1.8.0.255")
			require.Equal(t, exitOK, r.status, r.err)
			got := points(t, r.out)
			require.Len(t, got, 97)
			require.Equal(t, "dlms_cosem_profile", got[96].name)
			require.Equal(t, "1.0.99.1.0.255", got[96].tags["profile"])
			require.Equal(t, to, got[96].time.UTC())
			require.Equal(t, map[string]any{"1.0.1.8.0.255": before}, got[96].fields)

			r = profile(between + "-format plot -columns 1.0.1.8.0.255,1.0.32.7.0.255")
			require.Equal(t, exitOK, r.status, r.err)
			require.Contains(t, r.out, "1.0.1.8.0.255 [Wh/h], increase per hour of what counts up, 97 values\n")
			require.Contains(t, r.out, "\n1.0.32.7.0.255 [V], 97 values\n")

			r = profile("-from 2001-01-01 -to 2001-01-02")
			require.Equal(t, exitOK, r.status, r.err)
			require.Empty(t, r.out)
			require.Regexp(t, `(?m)^telegraf-dlms profile: 1\.0\.99\.1\.0\.255 has no rows from 2001-01-01T\S+ to 2001-01-02T\S+; -from first reads all that it has\n$`, r.err)
		})
	}
}

func TestProfileFailures(t *testing.T) {
	t.Parallel()
	url := simulated(t, "-framing", "hdlc")
	r := execute(t, "profile", url, "1.0.98.1.0.255", "-framing", "hdlc")
	require.Equal(t, exitFailed, r.status)
	require.Regexp(t, `^telegraf-dlms profile: .*object-undefined.*\nhint: .*\n$`, r.err)
	r = execute(t, "profile", url, "1.0.99.1.0.255", "-framing", "hdlc", "-client_address", "99")
	require.Equal(t, exitFailed, r.status)
	require.Regexp(t, `^telegraf-dlms profile: association refused: .*\nhint: .*\n$`, r.err)
	require.Empty(t, r.out)
	r = execute(t, "profile", url, "1.0.99.1.0.255", "-framing", "hdlc", "-columns", "1.0.9.9.9.255")
	require.Equal(t, exitFailed, r.status)
	require.Equal(t, "telegraf-dlms profile: -columns 1.0.9.9.9.255: the profile has none of them; without -columns all are shown, with their names\n", r.err)
	require.Empty(t, r.out)
}

// TestProfileClosedReleases: a reader that has seen enough, as head has, leaves
// the meter without an association.
func TestProfileClosedReleases(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"table", "csv", "lp"} {
		meter := dlmstest.NewMeter(dlmstest.Config{}, simmeter.New(simmeter.Config{}))
		var lc net.ListenConfig
		l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() { served <- meter.Serve(ctx, l) }()
		r, w := io.Pipe()
		go func() {
			_, _ = bufio.NewReader(r).ReadString('\n')
			_ = r.Close()
		}()
		var errs bytes.Buffer
		status := run(t.Context(), []string{"profile", "tcp://" + l.Addr().String(), "1.0.99.1.0.255", "-framing", "wrapper", "-from", "-30d", "-format", format}, panicReader{}, w, &errs)
		require.Equal(t, exitOK, status, errs.String())
		require.Empty(t, errs.String())
		cancel()
		require.NotEqual(t, io.EOF, <-served)
		require.Positive(t, meter.Counters().Associations)
		require.Equal(t, meter.Counters().Associations, meter.Counters().Releases, format)
	}
}

// TestProfileResent: the rows that a running instance has written are written
// again.
func TestProfileResent(t *testing.T) {
	dir, err := os.MkdirTemp("", "s") // a path of a socket is short
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	t.Setenv("STATE_DIRECTORY", dir)
	url := simulated(t)
	file := configFile(t, fmt.Sprintf(`[[inputs.dlms_cosem]]
  endpoint = %q
  framing = "wrapper"
  [[inputs.dlms_cosem.request]]
    name = "history"
    [[inputs.dlms_cosem.request.profile]]
      obis = "1.0.99.1.0.255"
      name = "load"
      lookback = "6h"
`, url))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	r, w := io.Pipe()
	var errs bytes.Buffer
	done := make(chan int, 1)
	go func() {
		status := run(ctx, []string{"dump", "-config", file, "-poll_interval", "50ms"}, panicReader{}, w, &errs)
		_ = w.Close()
		done <- status
	}()
	out := bufio.NewReader(r)
	stamp := regexp.MustCompile(`^dlms_cosem_profile,.* (\d+)\n$`)
	seen := map[string]int{}
	await := func(times, rows int) {
		for n := 0; n < rows; {
			line, err := out.ReadString('\n')
			require.NoError(t, err, "%v", seen)
			if m := stamp.FindStringSubmatch(line); m != nil {
				seen[m[1]]++
				if seen[m[1]] == times {
					n++
				}
			}
		}
	}
	await(1, 20)
	to := time.Now().Truncate(time.Second).Add(-time.Hour)
	from := to.Add(-3 * time.Hour)
	asked := make(chan result, 1)
	go func() { // the output has to be read meanwhile
		var out, errs bytes.Buffer
		status := run(ctx, []string{"profile", url, "1.0.99.1.0.255", "-resend", "-config", file, "-from", from.Format(time.RFC3339), "-to", to.Format(time.RFC3339)}, panicReader{}, &out, &errs)
		asked <- result{status, out.String(), errs.String()}
	}()
	await(2, 11)
	got := <-asked
	require.Equal(t, exitOK, got.status, got.err)
	require.Contains(t, got.out, "load")
	require.Empty(t, got.err)
	for at, times := range seen {
		n, err := strconv.ParseInt(at, 10, 64)
		require.NoError(t, err)
		if row := time.Unix(0, n); row.Before(from) || row.After(to) {
			require.Equal(t, 1, times, "%v is not among them", row)
		}
	}
	cancel()
	_, _ = io.Copy(io.Discard, out)
	require.Equal(t, exitOK, <-done, errs.String())
}
