package main

import (
	"context"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/influxdata/telegraf"

	"github.com/telegraf-dlms/telegraf-dlms/internal/execd"
	"github.com/telegraf-dlms/telegraf-dlms/plugins/inputs/dlms_cosem"
)

// dumpInterval is the time between gather ticks of dump.
const dumpInterval = 10 * time.Second

// runDump polls as under Telegraf, without it.
func runDump(ctx context.Context, c *command, s streams, args []string) int {
	fs := c.newFlags()
	var file fileFlags
	file.register(fs)
	once := fs.Bool("once", false, "run each request one time, whatever its method, and exit")
	count := fs.Int("count", 0, "exit after `N` finished runs")
	request := fs.String("request", "", "run only the request of this `NAME`")
	poll := fs.Duration("poll_interval", dumpInterval, "`time` between gather ticks; 0 is off")
	recordTo := fs.String("record", "", "write the raw traffic of all links to `FILE`, a new one; passwords are in it")
	if _, err := c.parse(fs, args, 0, 0, s.err); err != nil {
		return exitFor(err)
	}
	log := execd.NewLogger(s.err, file.debug)
	switch {
	case !validInterval(*poll, log):
		return exitUsage
	case *once && isSet(fs, "count"):
		log.Error("-once and -count do not go together")
		return exitUsage
	case isSet(fs, "count") && *count < 1:
		log.Errorf("-count %d: must be at least 1", *count)
		return exitUsage
	default:
	}
	d, ok := file.loadRequest(*request, log)
	if !ok {
		return exitUsage
	}
	end, err := recordLinks(d, *recordTo, log)
	if err != nil {
		log.Errorf("-record: %v", err)
		return exitUsage
	}
	if *once {
		return end(dumpOnce(ctx, d, s.out, log))
	}
	return end(dumpOn(ctx, d, *poll, *count, s.out, log))
}

// loadRequest loads the configuration and, if a name is given, leaves out the
// other requests.
func (f *fileFlags) loadRequest(name string, log telegraf.Logger) (*dlms_cosem.DLMS, bool) {
	if name == "" {
		return f.load(log)
	}
	quiet := &errorsOnly{log}
	if _, ok := f.load(quiet); !ok { // the whole file has to be right
		return nil, false
	}
	input, err := execd.Load(f.config)
	if err != nil {
		log.Error(err)
		return nil, false
	}
	d, ok := input.(*dlms_cosem.DLMS)
	if !ok {
		return nil, false
	}
	i := slices.IndexFunc(d.Request, func(r dlms_cosem.Request) bool { return r.Name == name })
	if i < 0 {
		names := make([]string, len(d.Request))
		for i, r := range d.Request {
			names[i] = strconv.Quote(r.Name)
		}
		log.Errorf("no request is named %q; %s has: %s", name, f.config, strings.Join(names, ", "))
		return nil, false
	}
	d.Request, d.Partial, d.ConfigPath = d.Request[i:i+1], true, f.config
	execd.SetLogger(d, log)
	if err := d.Init(); err != nil {
		log.Error(err)
		return nil, false
	}
	if plan := d.Plan(); !plan[0].Enabled {
		log.Errorf("request %q is switched off by enabled = false", name)
		return nil, false
	}
	return d, true
}

// errorsOnly drops all but errors.
type errorsOnly struct{ telegraf.Logger }

func (*errorsOnly) Warnf(string, ...any)  {}
func (*errorsOnly) Warn(...any)           {}
func (*errorsOnly) Infof(string, ...any)  {}
func (*errorsOnly) Info(...any)           {}
func (*errorsOnly) Debugf(string, ...any) {}
func (*errorsOnly) Debug(...any)          {}

// dumpOnce runs each request one time.
func dumpOnce(ctx context.Context, d *dlms_cosem.DLMS, out io.Writer, log telegraf.Logger) int {
	failed := 0
	err := execd.Once(ctx, out, log, func(ctx context.Context, acc telegraf.Accumulator) (err error) {
		failed, err = d.RunOnce(ctx, acc, "")
		return err
	})
	switch {
	case errors.Is(err, execd.ErrClosed):
		return exitOK
	case ctx.Err() != nil:
		log.Warn("Interrupted before every request was run")
		return exitFailed
	case err != nil:
		log.Error(err)
		return exitFailed
	case failed > 0:
		return exitFailed
	default:
		return exitOK
	}
}

// dumpOn runs the queue until it is interrupted or, if count is not 0, that
// many runs have finished.
func dumpOn(ctx context.Context, d *dlms_cosem.DLMS, poll time.Duration, count int, out io.Writer, log telegraf.Logger) int {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var mu sync.Mutex
	finished, failed := 0, 0
	d.OnRun = func(r dlms_cosem.Run) {
		mu.Lock()
		defer mu.Unlock()
		if count == 0 || finished == count {
			return
		}
		finished++
		if r.Result != "success" {
			failed++
		}
		if finished == count {
			cancel()
		}
	}
	defer serveControl(d, log)()
	if err := execd.Run(ctx, execd.Options{Input: d, PollInterval: poll, Stdout: out, Log: log}); err != nil {
		log.Error(err)
		return exitFailed
	}
	mu.Lock()
	defer mu.Unlock()
	if failed > 0 {
		return exitFailed
	}
	return exitOK
}
