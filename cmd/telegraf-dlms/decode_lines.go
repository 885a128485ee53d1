package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/influxdata/telegraf"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
	"github.com/telegraf-dlms/telegraf-dlms/internal/execd"
	"github.com/telegraf-dlms/telegraf-dlms/internal/explain"
	"github.com/telegraf-dlms/telegraf-dlms/internal/state"
	"github.com/telegraf-dlms/telegraf-dlms/plugins/inputs/dlms_cosem"
)

// hearer is the plugin as it would hear what is decoded. What cannot prove its
// sender is taken, too: somebody looks at it.
func hearer(preset string, opt explain.Options) (*dlms_cosem.DLMS, error) {
	listens, all := false, true
	d := &dlms_cosem.DLMS{Request: []dlms_cosem.Request{{Name: "decode"}}, State: state.Memory()}
	d.Endpoint, d.SendRequests, d.AllowUnauthenticated, d.Preset = "tcp-listen://decode:1", &listens, &all, preset
	if len(opt.Key) == 0 {
		opt.AuthKey = nil // it goes with a master key, which a listening request does not have
	}
	if len(opt.Key) == security.KeyLengthOf(2) {
		suite := 2
		d.SecuritySuite = &suite
	}
	for _, k := range []struct {
		secret *dlms_cosem.Secret
		key    []byte
	}{{&d.EncryptionKey, opt.Key}, {&d.AuthenticationKey, opt.AuthKey}} {
		if len(k.key) == 0 {
			continue
		}
		if err := k.secret.UnmarshalText([]byte("hex:" + hex.EncodeToString(k.key))); err != nil {
			return nil, err
		}
	}
	if err := d.Init(); err != nil {
		return nil, err
	}
	return d, nil
}

// lines writes line protocol of what a file holds.
func (c *command) lines(ctx context.Context, s streams, d *dlms_cosem.DLMS, data []byte, names []string) int {
	in, err := explain.ParseInput(data)
	if err != nil {
		fmt.Fprintf(s.err, "%s: %v\n", c.title(), err)
		return exitFailed
	}
	source := "stdin"
	if len(names) > 0 && names[0] != "-" {
		source = filepath.Base(names[0])
	}
	log := execd.NewLogger(s.err, false)
	execd.SetLogger(d, log)
	good, bad := 0, 0
	err = execd.Once(ctx, s.out, log, func(_ context.Context, acc telegraf.Accumulator) (err error) {
		good, bad, err = d.Hear(acc, source, in.Octets, time.Now())
		return err
	})
	switch {
	case err != nil && !errors.Is(err, execd.ErrClosed):
		fmt.Fprintf(s.err, "%s: %v\n", c.title(), err)
		return exitFailed
	case bad > 0:
		return exitFailed
	case good == 0:
		fmt.Fprintf(s.err, "%s: no telegram was found; -format tree shows what there is\n", c.title())
		return exitFailed
	default:
		return exitOK
	}
}
