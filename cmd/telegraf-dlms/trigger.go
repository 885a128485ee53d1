package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"

	"github.com/influxdata/telegraf"

	"github.com/telegraf-dlms/telegraf-dlms/internal/control"
	"github.com/telegraf-dlms/telegraf-dlms/internal/execd"
	"github.com/telegraf-dlms/telegraf-dlms/internal/state"
	"github.com/telegraf-dlms/telegraf-dlms/plugins/inputs/dlms_cosem"
)

const triggerCommand = "trigger"

// runTrigger fires an event request of the running instance.
func runTrigger(ctx context.Context, c *command, s streams, args []string) int {
	fs := c.newFlags()
	var file fileFlags
	file.register(fs)
	names, err := c.parse(fs, args, 1, 1, s.err)
	if err != nil {
		return exitFor(err)
	}
	log := execd.NewLogger(s.err, file.debug)
	dir, instance, status := file.instance(fs, log)
	if status != exitOK {
		return status
	}
	if _, err := control.Call(ctx, dir, instance, triggerCommand, names[0]); err != nil {
		log.Error(err)
		return exitFailed
	}
	return exitOK
}

// instance finds the one that runs: by the configuration file, or the only one
// that there is.
func (f *fileFlags) instance(fs *flag.FlagSet, log telegraf.Logger) (dir, name string, status int) {
	configured := ""
	if isSet(fs, "state_dir") {
		configured = fs.Lookup("state_dir").Value.String()
	}
	if isSet(fs, "config") {
		d, ok := f.load(&errorsOnly{log})
		if !ok {
			return "", "", exitUsage
		}
		configured = d.StateDir
	}
	dir, err := state.Dir(configured)
	if err != nil {
		log.Error(err)
		return "", "", exitUsage
	}
	if isSet(fs, "config") {
		return dir, state.Name(f.config), exitOK
	}
	switch running := control.Running(dir); len(running) {
	case 1:
		return dir, running[0], exitOK
	case 0:
		log.Errorf("no running instance was found in %s: give its configuration file with -config", dir)
		return "", "", exitFailed
	default:
		log.Errorf("%d instances use %s: give the configuration file of the one that is meant with -config", len(running), dir)
		return "", "", exitUsage
	}
}

// serveControl answers the other commands while d runs. Without event requests,
// profiles and meters with keys there is nothing to ask for.
func serveControl(d *dlms_cosem.DLMS, log telegraf.Logger) (end func()) {
	events := slices.ContainsFunc(d.Plan(), func(p dlms_cosem.PlannedRequest) bool { return p.Enabled && p.Method == "event" })
	if !events && !d.HasProfiles() && !d.LendsCounters() {
		return func() {}
	}
	dir, err := state.Dir(d.StateDir)
	var server *control.Server
	if err == nil {
		server, err = control.Listen(dir, state.Name(d.ConfigPath), func(_ context.Context, command string, args []string) (string, error) {
			return answerControl(d, command, args)
		})
	}
	switch {
	case err == nil:
		return server.Close
	case events:
		log.Warnf("telegraf-dlms trigger cannot reach this instance: %v", err)
	case d.HasProfiles():
		log.Warnf("telegraf-dlms profile -resend cannot reach this instance: %v", err)
	default:
		log.Debugf("Other commands cannot reach this instance: %v", err) // those that need it say so
	}
	return func() {}
}

func answerControl(d *dlms_cosem.DLMS, command string, args []string) (string, error) {
	switch {
	case command == dlms_cosem.CounterCommand:
		return d.Lend(args)
	case command == dlms_cosem.ResendCommand:
		return d.Resend(args)
	case command != triggerCommand:
		return "", fmt.Errorf("the running instance does not know the command %q: it may be of another version", strings.ToValidUTF8(command, "?"))
	case len(args) != 1:
		return "", errors.New("the name of one request is expected")
	default:
		return "", d.Trigger(args[0])
	}
}
