package main

import (
	"context"
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/influxdata/telegraf"

	"github.com/telegraf-dlms/telegraf-dlms/internal/control"
	"github.com/telegraf-dlms/telegraf-dlms/internal/execd"
	"github.com/telegraf-dlms/telegraf-dlms/plugins/inputs/dlms_cosem"
)

// profileFlags are those of profile, without the connection.
type profileFlags struct {
	fileFlags
	from, to, columns, format string
	resend                    bool
}

func (p *profileFlags) register(fs *flag.FlagSet) {
	fs.StringVar(&p.from, "from", "-24h", `first `+"`TIME`"+`, itself included: 2026-11-01 (its first moment), "2026-11-01 10:15", both in the local zone, 2026-11-01T10:15:00+01:00, -7d or -24h before now, now, or first for the first row`)
	fs.StringVar(&p.to, "to", "", "last `TIME`, itself included, in the same forms (default the last row)")
	fs.StringVar(&p.columns, "columns", "", "`NAMES` or OBIS codes of columns, as a,b (default all)")
	fs.StringVar(&p.format, "format", "table", "`NAME` table, csv, lp (line protocol, as Telegraf gets it) or plot (one chart for each column of numbers)")
	fs.BoolVar(&p.resend, "resend", false, "read no meter: have the running instance read the rows and pass them to Telegraf once more")
	fs.StringVar(&p.config, "config", "", "configuration `FILE` of the running instance, with -resend (default the only one that runs)")
	fs.BoolVar(&p.debug, "debug", false, "more messages on standard error")
}

// runProfile reads rows of a profile and shows them, or has them resent.
func runProfile(ctx context.Context, c *command, s streams, args []string) int {
	fs := c.newFlags()
	registerConnection(fs)
	var p profileFlags
	p.register(fs)
	rest, err := c.parse(fs, args, 2, 2, s.err)
	if err != nil {
		return exitFor(err)
	}
	fail := func(err error) int { return c.misused(s, err) }
	now := time.Now()
	how, err := p.options(fs, rest[1], now)
	if err != nil {
		return fail(err)
	}
	log := execd.NewLogger(s.err, p.debug)
	if p.resend {
		return p.haveResent(ctx, fs, s, rest[0], how, now, log)
	}
	settings, err := connectionSettings(ctx, fs)
	if err != nil {
		return fail(err)
	}
	// The item is not read; with it the code is checked as any other.
	d, err := pluginFor("profile", settings, rest[0], []string{how.OBIS}, log)
	if err != nil {
		return fail(err)
	}
	return c.readProfile(ctx, s, d, how, p.format, log)
}

// options checks the flags.
func (p *profileFlags) options(fs *flag.FlagSet, code string, now time.Time) (dlms_cosem.ProfileOptions, error) {
	how := dlms_cosem.ProfileOptions{OBIS: code}
	if _, attribute, err := splitAttribute(code); err != nil || attribute != 2 || strings.HasSuffix(code, ":2") {
		return how, fmt.Errorf("%q: the code of a profile is expected, without :ATTRIBUTE; -columns picks columns", code)
	}
	var err error
	if p.from != "first" {
		if how.From, err = parseTime(p.from, now); err != nil {
			return how, fmt.Errorf("-from %w", err)
		}
	}
	if isSet(fs, "to") {
		if how.To, err = parseTime(p.to, now); err != nil {
			return how, fmt.Errorf("-to %w", err)
		}
	}
	if until := endOf(how, now); how.From.After(until) {
		return how, fmt.Errorf("-from %s is after -to %s", how.From.Format(time.RFC3339), until.Format(time.RFC3339))
	}
	for name := range strings.SplitSeq(p.columns, ",") {
		name = strings.TrimSpace(name)
		if name == "" && isSet(fs, "columns") {
			return how, fmt.Errorf("-columns %q: names separated by commas are expected", p.columns)
		}
		if name != "" {
			how.Columns = append(how.Columns, name)
		}
	}
	switch p.format {
	case "table", "csv", "lp", "plot":
	default:
		return how, fmt.Errorf("-format %q: allowed are table, csv, lp and plot", p.format)
	}
	if !p.resend {
		if isSet(fs, "config") {
			return how, errors.New("-config is of no use without -resend")
		}
		return how, nil
	}
	fs.Visit(func(f *flag.Flag) {
		switch f.Name {
		case "from", "to", "resend", "config", "debug", "state_dir":
		default:
			err = fmt.Errorf("-%s is of no use with -resend: the running instance reads the meter by its configuration", f.Name)
		}
	})
	return how, err
}

// endOf is the time up to which rows are wanted.
func endOf(how dlms_cosem.ProfileOptions, now time.Time) time.Time {
	if how.To.IsZero() {
		return now
	}
	return how.To
}

// haveResent asks the running instance.
func (p *profileFlags) haveResent(ctx context.Context, fs *flag.FlagSet, s streams, endpoint string, how dlms_cosem.ProfileOptions, now time.Time, log telegraf.Logger) int {
	dir, instance, status := p.instance(fs, log)
	if status != exitOK {
		return status
	}
	text, err := control.Call(ctx, dir, instance, dlms_cosem.ResendCommand, endpoint, how.OBIS,
		how.From.UTC().Format(time.RFC3339), endOf(how, now).UTC().Format(time.RFC3339))
	if err != nil {
		log.Error(err)
		return exitFailed
	}
	if text != "" {
		fmt.Fprintln(s.out, strings.TrimSuffix(text, "\n"))
	}
	return exitOK
}

// profileReader reads a profile: the plugin.
type profileReader interface {
	ReadProfile(ctx context.Context, how dlms_cosem.ProfileOptions, head func([]dlms_cosem.ProfileColumn) error, row func(dlms_cosem.ProfileRow) error) error
}

// profileReading is how far a reading is.
type profileReading struct {
	how   dlms_cosem.ProfileOptions
	began time.Time
	bar   *bar
	rows  int
	first time.Time
	upTo  time.Time
}

// progress takes the number of rows so far, and the time of the last one.
func (r *profileReading) progress(rows int, upTo time.Time) {
	if r.first.IsZero() {
		r.first = upTo
	}
	r.rows, r.upTo = rows, upTo
	from, until := r.how.From, endOf(r.how, r.began)
	if from.IsZero() {
		from = r.first
	}
	part := -1.0
	if whole := until.Sub(from); whole > 0 && !upTo.IsZero() {
		part = min(max(float64(upTo.Sub(from))/float64(whole), 0), 1)
	}
	text := count(rows, "row")
	if !upTo.IsZero() {
		text += ", up to " + upTo.In(r.began.Location()).Format("2006-01-02 15:04")
	}
	r.bar.set(part, text)
}

// hasColumns refuses rows in which there is nothing of what was asked for.
func (r *profileReading) hasColumns(columns []dlms_cosem.ProfileColumn) error {
	if len(r.how.Columns) > 0 && len(valueColumns(columns)) == 0 {
		return &noColumnError{r.how.Columns}
	}
	return nil
}

// noColumnError says that a profile has none of the columns that were asked for.
type noColumnError struct{ asked []string }

func (e *noColumnError) Error() string {
	return fmt.Sprintf("-columns %s: the profile has none of them; without -columns all are shown, with their names", strings.Join(e.asked, ","))
}

// readProfile reads and shows rows.
func (c *command) readProfile(ctx context.Context, s streams, d profileReader, how dlms_cosem.ProfileOptions, format string, log telegraf.Logger) int {
	execd.KeepClosedPipes() // a meter is to be left in good order when head has seen enough
	r := &profileReading{how: how, began: time.Now(), bar: newBar(s.err, "reading "+how.OBIS)}
	how.Progress = r.progress
	out := &besideBar{w: s.out, bar: r.bar}
	var err error
	if format == "lp" {
		err = execd.Once(ctx, out, log, func(ctx context.Context, acc telegraf.Accumulator) error {
			how := how
			how.Acc = acc
			return d.ReadProfile(ctx, how, r.hasColumns, func(dlms_cosem.ProfileRow) error { return nil })
		})
	} else {
		view := newProfileView(format, out, terminalWidth(s.out), time.Local)
		head := func(columns []dlms_cosem.ProfileColumn) error {
			if err := r.hasColumns(columns); err != nil {
				return err
			}
			return view.head(columns)
		}
		err = d.ReadProfile(ctx, how, head, view.row)
		if e := view.end(); err == nil {
			err = e
		}
		if e := out.err(); e != nil {
			err = execd.OutputError(e)
		}
	}
	r.bar.end()
	return c.endProfile(ctx, s, r, err)
}

// newProfileView makes the view of a format, but lp. Width is that of the
// terminal that w leads to, 0 if to none.
func newProfileView(format string, w io.Writer, width int, zone *time.Location) profileView {
	switch format {
	case "csv":
		return &csvView{out: csv.NewWriter(w)}
	case "plot":
		return newPlotView(w, width, zone)
	default:
		return &tableView{w: w, zone: zone}
	}
}

// endProfile tells how a reading has ended.
func (c *command) endProfile(ctx context.Context, s streams, r *profileReading, err error) int {
	say := func(format string, args ...any) { fmt.Fprintf(s.err, c.title()+": "+format+"\n", args...) }
	switch {
	case err == nil && r.rows == 0:
		hint := ""
		if !r.how.From.IsZero() {
			hint = "; -from first reads all that it has"
		}
		say("%s has no rows %s%s", r.how.OBIS, r.between(), hint)
		return exitOK
	case err == nil, errors.Is(err, execd.ErrClosed):
		return exitOK
	case ctx.Err() != nil:
		say("interrupted")
	default:
		for _, e := range parts(err) {
			say("%v", e)
		}
	}
	var changed *columnsError
	var none *noColumnError
	switch {
	case errors.As(err, &changed), errors.As(err, &none):
	case r.rows > 0 && !r.upTo.IsZero():
		say("%s read, the last one of %s: go on with -from %[2]s", count(r.rows, "row"), r.upTo.In(r.began.Location()).Format(time.RFC3339))
	default:
	}
	if ctx.Err() == nil {
		for _, hint := range hints(parts(err), nil, false) {
			fmt.Fprintf(s.err, "hint: %s\n", hint)
		}
	}
	return exitFailed
}

// between is the range in words.
func (r *profileReading) between() string {
	if r.how.From.IsZero() && r.how.To.IsZero() {
		return "at all"
	}
	var words []string
	if !r.how.From.IsZero() {
		words = append(words, "from "+r.how.From.Format(time.RFC3339))
	}
	if !r.how.To.IsZero() {
		words = append(words, "to "+r.how.To.Format(time.RFC3339))
	}
	return strings.Join(words, " ")
}
