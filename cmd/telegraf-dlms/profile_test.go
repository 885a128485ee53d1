package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/internal/control"
	"github.com/telegraf-dlms/telegraf-dlms/internal/execd"
	"github.com/telegraf-dlms/telegraf-dlms/plugins/inputs/dlms_cosem"
)

// fakeProfile gives rows, then an error.
type fakeProfile struct {
	columns []dlms_cosem.ProfileColumn
	rows    []dlms_cosem.ProfileRow
	others  []dlms_cosem.ProfileColumn // from the row at on
	at      int
	err     error
	asked   dlms_cosem.ProfileOptions
	stop    context.CancelFunc // called at the end
}

func (f *fakeProfile) ReadProfile(ctx context.Context, how dlms_cosem.ProfileOptions, head func([]dlms_cosem.ProfileColumn) error, row func(dlms_cosem.ProfileRow) error) error {
	f.asked = how
	for i, r := range f.rows {
		var err error
		switch {
		case how.Acc != nil:
			how.Acc.AddFields("dlms_cosem_profile", map[string]any{"energy": r.Cells[0].Value}, map[string]string{"profile": how.OBIS}, r.Time)
		case i == 0:
			err = head(f.columns)
		case i == f.at && f.others != nil:
			err = head(f.others)
		default:
		}
		if how.Progress != nil {
			how.Progress(i+1, r.Time)
		}
		if how.Acc == nil && err == nil {
			err = row(r)
		}
		if err != nil {
			return fmt.Errorf("row %d: %w", i, err)
		}
	}
	if f.stop != nil {
		f.stop()
		return ctx.Err()
	}
	return f.err
}

func cell(v any) dlms_cosem.ProfileCell {
	if v == nil {
		return dlms_cosem.ProfileCell{}
	}
	text := fmt.Sprint(v)
	if n, ok := v.(float64); ok {
		text = strconv.FormatFloat(n, 'f', -1, 64)
	}
	return dlms_cosem.ProfileCell{Text: text, Value: v}
}

// quarters is a profile of n quarters of an hour, among them one before the
// clocks are changed and one after.
func quarters(n int) *fakeProfile {
	f := &fakeProfile{columns: []dlms_cosem.ProfileColumn{
		{Name: "clock", OBIS: "0.0.1.0.0.255", Class: 8, Attribute: 2, Clock: true},
		{Name: "energy_import", OBIS: "1.0.1.8.0.255", Class: 3, Attribute: 2, Unit: "Wh"},
		{Name: "event", OBIS: "0.0.96.11.0.255", Class: 1, Attribute: 2},
		{Name: "voltage", OBIS: "1.0.32.7.0.255", Class: 3, Attribute: 2, Unit: "V"},
	}}
	for i := range n {
		volt := cell(230.5 + float64(i))
		if i == 1 {
			volt = cell(nil)
		}
		f.rows = append(f.rows, dlms_cosem.ProfileRow{
			Time:  time.Date(2026, 10, 25, 0, 45, 0, 0, time.UTC).Add(time.Duration(i) * 15 * time.Minute),
			Cells: []dlms_cosem.ProfileCell{cell(999900. + 50*float64(i)), cell("ok, it is"), volt},
		})
	}
	return f
}

func rome(t *testing.T) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Rome")
	require.NoError(t, err)
	return zone
}

// shown is what a view makes of a profile.
func shown(t *testing.T, f *fakeProfile, v profileView) string {
	t.Helper()
	b := &bytes.Buffer{}
	switch v := v.(type) {
	case *tableView:
		v.w = b
	case *csvView:
		v.out = csv.NewWriter(b)
	case *plotView:
		v.w = b
	default:
	}
	require.NoError(t, f.ReadProfile(t.Context(), dlms_cosem.ProfileOptions{}, v.head, v.row))
	require.NoError(t, v.end())
	return b.String()
}

func TestProfileTable(t *testing.T) {
	t.Parallel()
	require.Equal(t, `TIME                       energy_import  event      voltage
                                      Wh                   V
2026-10-25 02:45:00+02:00         999900  ok, it is    230.5
2026-10-25 02:00:00+01:00         999950  ok, it is        -
2026-10-25 02:15:00+01:00        1000000  ok, it is    232.5
`, shown(t, quarters(3), &tableView{zone: rome(t)}))

	f := quarters(2)
	f.others, f.at = []dlms_cosem.ProfileColumn{{Name: "event", OBIS: "0.0.96.11.0.255"}, {Clock: true}}, 1
	f.rows[1].Cells, f.rows[1].Time = f.rows[1].Cells[1:2], time.Time{}
	require.Equal(t, `TIME                       energy_import  event      voltage
                                      Wh                   V
2026-10-25 02:45:00+02:00         999900  ok, it is    230.5

TIME  event
-     ok, it is
`, shown(t, f, &tableView{zone: rome(t)}))

	f = quarters(heldRows + 1)
	f.rows[heldRows].Cells[1] = cell("something much longer")
	text := shown(t, f, &tableView{zone: rome(t)})
	require.Equal(t, heldRows+3, strings.Count(text, "\n"))
	require.Contains(t, text, "  something much longer    270.5\n", "the widths are those of the first rows")
	require.NotRegexp(t, `(?m) $`, text)
}

// discarded counts what is written at a time.
type discarded struct{ most, all int }

func (d *discarded) Write(p []byte) (int, error) {
	d.most, d.all = max(d.most, len(p)), d.all+len(p)
	return len(p), nil
}

// TestProfileTableStreams: rows do not wait for the last one.
func TestProfileTableStreams(t *testing.T) {
	t.Parallel()
	d := &discarded{}
	v := &tableView{w: d, zone: time.UTC}
	f := quarters(1)
	require.NoError(t, v.head(f.columns))
	for range 100_000 {
		require.NoError(t, v.row(f.rows[0]))
		require.LessOrEqual(t, len(v.held), heldRows)
	}
	before := d.all
	require.NoError(t, v.end())
	require.Equal(t, before, d.all, "nothing was held")
	require.Less(t, d.most, 8<<10)
	require.Greater(t, d.all, 4_000_000)
}

func TestProfileCSV(t *testing.T) {
	t.Parallel()
	f := quarters(2)
	f.rows[1].Time = f.rows[1].Time.Add(380 * time.Millisecond)
	require.Equal(t, `time,energy_import [Wh],event,voltage [V]
2026-10-25T00:45:00Z,999900,"ok, it is",230.5
2026-10-25T01:00:00.38Z,999950,"ok, it is",
`, shown(t, f, &csvView{}))

	f.others, f.at = f.columns, 1
	require.Equal(t, 3, strings.Count(shown(t, f, &csvView{}), "\n"), "the same columns again")
	f.others = f.columns[:3]
	r := show(t, f, "csv")
	require.Equal(t, exitFailed, r.status)
	require.Equal(t, 2, strings.Count(r.out, "\n"))
	require.Equal(t, "telegraf-dlms profile: row 1: the columns of the profile change at 2026-10-25T01:00:00Z: read the rest with -from, which gives a table of its own, or use -format table or lp\n", r.err)
}

// show reads a profile as the command does.
func show(t *testing.T, f *fakeProfile, format string) result {
	t.Helper()
	return showTo(t, f, format, nil)
}

func showTo(t *testing.T, f *fakeProfile, format string, w io.Writer) result {
	t.Helper()
	var out, errs bytes.Buffer
	if w == nil {
		w = &out
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if f.stop != nil {
		f.stop = cancel
	}
	s := streams{nil, w, &errs}
	how := dlms_cosem.ProfileOptions{OBIS: "1.0.99.1.0.255", From: time.Date(2026, 10, 25, 0, 45, 0, 0, time.UTC)}
	c := &command{name: "profile"}
	status := c.readProfile(ctx, s, f, how, format, execd.NewLogger(&errs, false))
	return result{status, out.String(), errs.String()}
}

func TestProfileEnds(t *testing.T) {
	t.Parallel()
	f := quarters(2)
	r := show(t, f, "lp")
	require.Equal(t, exitOK, r.status)
	require.Empty(t, r.err)
	got := points(t, r.out)
	require.Len(t, got, 2)
	require.Equal(t, f.rows[1].Time, got[1].time.UTC())
	require.InDelta(t, 999950, got[1].fields["energy"], 0)

	goOn := regexpRows
	for _, format := range []string{"table", "csv", "lp", "plot"} {
		f = quarters(2)
		f.err = errors.New("the meter is gone")
		r = show(t, f, format)
		require.Equal(t, exitFailed, r.status)
		require.Regexp(t, `^telegraf-dlms profile: the meter is gone\n`+goOn+`$`, r.err)
		require.NotEmpty(t, r.out, "what came is shown")

		f = quarters(2)
		f.stop = func() {}
		r = show(t, f, format)
		require.Equal(t, exitFailed, r.status)
		require.Regexp(t, `^telegraf-dlms profile: interrupted\n`+goOn+`$`, r.err)
		require.NotEmpty(t, r.out, "what came is shown")

		r = show(t, &fakeProfile{}, format)
		require.Equal(t, exitOK, r.status)
		require.Empty(t, r.out)
		require.Equal(t, "telegraf-dlms profile: 1.0.99.1.0.255 has no rows from 2026-10-25T00:45:00Z; -from first reads all that it has\n", r.err)

		r = showTo(t, quarters(2), format, brokenWriter{&os.PathError{Op: "write", Err: syscall.ENOSPC}})
		require.Equal(t, exitFailed, r.status)
		require.Contains(t, r.err, "telegraf-dlms profile: cannot write to standard output: no space left on device\n")
		r = showTo(t, quarters(2), format, brokenWriter{io.ErrClosedPipe})
		require.Equal(t, exitOK, r.status, "head has seen enough")
		require.Empty(t, r.err)
	}
}

const regexpRows = `telegraf-dlms profile: 2 rows read, the last one of (\S+): go on with -from (\S+)\n`

func TestProfileUsage(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"":                            "arguments are missing, as in telegraf-dlms profile tcp://10.0.0.5:4059 1.0.99.1.0.255 -from -7d\n",
		"x":                           "arguments are missing",
		"x 1.0.99.1.0.255 y":          `stray argument "y"`,
		"x 1.0.99.1.0.255:2":          `"1.0.99.1.0.255:2": the code of a profile is expected, without :ATTRIBUTE; -columns picks columns`,
		"x y -from yesterday":         `-from "yesterday" is no time: expected is 2026-11-01, "2026-11-01 10:15", `,
		"x y -to 7d":                  `-to "7d": did you mean -7d, before now?`,
		"x y -format xml":             `-format "xml": allowed are table, csv, lp and plot`,
		"x y -columns a,,b":           `-columns "a,,b": names separated by commas are expected`,
		"x y -config z":               "-config is of no use without -resend",
		"x y -from -1d -to -2d":       "-from ",
		"x y -resend -framing hdlc":   "-framing is of no use with -resend: the running instance reads the meter by its configuration",
		"x y -resend -format csv":     "-format is of no use with -resend",
		"tcp://x:4059 1.0.99.1":       `obis = "1.0.99.1": not an OBIS code`,
		"tcp://x:7000 1.0.99.1.0.255": "-framing: this key is required on TCP port 7000",
		"tcp://x:4059 1.0.99.1.0.255 -authentication low -password hunter22": "-password takes file:PATH, env:NAME, credential:NAME or - ",
	} {
		r := execute(t, append([]string{"profile"}, strings.Fields(args)...)...)
		require.Equal(t, exitUsage, r.status, args)
		require.Empty(t, r.out)
		require.Contains(t, r.err, "telegraf-dlms profile: ", args)
		require.Contains(t, r.err, want, args)
		require.NotContains(t, r.err, "hunter22")
	}
	r := execute(t, "profile", "tcp://x:4059", "1.0.99.1.0.255", "-from", "2026-11-02", "-to", "2026-11-01")
	require.Regexp(t, `^telegraf-dlms profile: -from 2026-11-02T00:00:00\S+ is after -to 2026-11-01T00:00:00\S+\n$`, r.err)
}

func TestProfileOptions(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	parse := func(args ...string) dlms_cosem.ProfileOptions {
		fs := flag.NewFlagSet("x", flag.ContinueOnError)
		var p profileFlags
		p.register(fs)
		require.NoError(t, fs.Parse(args))
		how, err := p.options(fs, "1.0.99.1.0.255", now)
		require.NoError(t, err)
		return how
	}
	how := parse()
	require.Equal(t, now.Add(-24*time.Hour), how.From)
	require.Zero(t, how.To, "the last row, also of a meter whose clock is fast")
	require.Nil(t, how.Columns)
	how = parse("-from", "first", "-to", "2026-11-01", "-columns", "a, 1.0.1.8.0.255")
	require.Zero(t, how.From)
	require.Equal(t, time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), how.To)
	require.Equal(t, []string{"a", "1.0.1.8.0.255"}, how.Columns)
}

// TestProfileResend asks an instance, which is found as by trigger.
func TestProfileResend(t *testing.T) {
	dir, err := os.MkdirTemp("", "s") // a path of a socket is short
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	t.Setenv("STATE_DIRECTORY", dir)
	resend := func(more ...string) result {
		return execute(t, append([]string{"profile", "tcp://10.0.0.5:4059", "1.0.99.1.0.255", "-resend", "-from", "2026-11-01T00:00:00+01:00", "-to", "2026-11-02T00:00:00Z"}, more...)...)
	}
	r := resend()
	require.Equal(t, exitFailed, r.status)
	require.Equal(t, "E! no running instance was found in "+dir+": give its configuration file with -config\n", r.err)

	var asked []string
	answer := errors.New("no request reads 1.0.99.1.0.255 of tcp://10.0.0.5:4059")
	server, err := control.Listen(dir, "one", func(_ context.Context, command string, args []string) (string, error) {
		asked = append([]string{command}, args...)
		if answer != nil {
			return "", answer
		}
		return "they follow", nil
	})
	require.NoError(t, err)
	t.Cleanup(server.Close)
	r = resend()
	require.Equal(t, exitFailed, r.status)
	require.Equal(t, "E! no request reads 1.0.99.1.0.255 of tcp://10.0.0.5:4059\n", r.err)
	require.Empty(t, r.out)
	answer = nil
	r = resend("-debug")
	require.Equal(t, result{exitOK, "they follow\n", ""}, r)
	require.Equal(t, []string{"resend", "tcp://10.0.0.5:4059", "1.0.99.1.0.255", "2026-10-31T23:00:00Z", "2026-11-02T00:00:00Z"}, asked)

	t.Setenv("STATE_DIRECTORY", t.TempDir())
	require.Equal(t, exitFailed, resend().status)
	require.Equal(t, exitOK, resend("-state_dir", dir).status)
	r = resend("-config", filepath.Join(dir, "none.conf"))
	require.Equal(t, exitUsage, r.status)
	require.Contains(t, r.err, "none.conf")
}

// A running instance knows the command.
func TestAnswerResend(t *testing.T) {
	t.Parallel()
	d, err := getPlugin(map[string]any{}, "tcp://127.0.0.1:4059", []string{"1.0.1.8.0.255"}, execd.NewLogger(io.Discard, false))
	require.NoError(t, err)
	_, err = answerControl(d, dlms_cosem.ResendCommand, []string{"tcp://10.0.0.5:4059", "1.0.99.1.0.255", "2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z"})
	require.Error(t, err)
	require.NotContains(t, err.Error(), "does not know")
}
