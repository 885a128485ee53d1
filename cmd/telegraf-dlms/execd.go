package main

import (
	"context"
	"flag"
	"time"

	"github.com/influxdata/telegraf"

	"github.com/telegraf-dlms/telegraf-dlms/internal/execd"
	"github.com/telegraf-dlms/telegraf-dlms/plugins/inputs/dlms_cosem"
)

// fileFlags are the flags of the commands that work from a configuration file.
type fileFlags struct {
	config string
	debug  bool
}

func (f *fileFlags) register(fs *flag.FlagSet) {
	fs.StringVar(&f.config, "config", "", "configuration `FILE`")
	fs.BoolVar(&f.debug, "debug", false, "more messages on standard error")
}

// load reads the configuration, with the log given to the plugin, and checks
// it. Mistakes are logged, one line each.
func (f *fileFlags) load(log telegraf.Logger) (*dlms_cosem.DLMS, bool) {
	if f.config == "" {
		log.Error("-config FILE is missing")
		return nil, false
	}
	input, err := execd.Load(f.config)
	if err == nil {
		execd.SetLogger(input, log)
		if d, ok := input.(*dlms_cosem.DLMS); ok {
			d.ConfigPath = f.config
		}
		err = execd.Init(input, f.config)
	}
	if err != nil {
		for _, e := range parts(err) {
			log.Error(e)
		}
		return nil, false
	}
	d, ok := input.(*dlms_cosem.DLMS)
	if !ok {
		log.Errorf("%s is not for this program", f.config)
		return nil, false
	}
	d.ConfigPath = f.config
	return d, true
}

// parts returns what a joined error consists of.
func parts(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}

// runExecd keeps the contract of inputs.execd.
func runExecd(ctx context.Context, c *command, s streams, args []string) int {
	fs := c.newFlags()
	var file fileFlags
	file.register(fs)
	poll := fs.Duration("poll_interval", 0, "`time` between gather ticks of our own, in place of those on standard input; 0 is off")
	if _, err := c.parse(fs, args, 0, 0, s.err); err != nil {
		return exitFor(err)
	}
	log := execd.NewLogger(s.err, file.debug)
	if !validInterval(*poll, log) {
		return exitUsage
	}
	d, ok := file.load(log)
	if !ok {
		return exitUsage
	}
	defer serveControl(d, log)()
	err := execd.Run(ctx, execd.Options{Input: d, PollInterval: *poll, Stdin: s.in, Stdout: s.out, Log: log})
	if err != nil {
		log.Error(err)
		return exitFailed
	}
	return exitOK
}

func validInterval(d time.Duration, log telegraf.Logger) bool {
	if d < 0 {
		log.Errorf("-poll_interval %v: must not be negative", d)
	}
	return d >= 0
}
