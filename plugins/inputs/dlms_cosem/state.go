package dlms_cosem

import (
	"errors"

	"github.com/telegraf-dlms/telegraf-dlms/internal/state"
)

// openState opens the state of the configuration; the function it returns closes
// it. What cannot be used is warned about, and the program goes on without:
// meters are learned anew at each start then.
func (d *DLMS) openState() (closeState func()) {
	if d.State != nil {
		d.kept, d.counters = d.State, d.State
		return func() {}
	}
	dir, err := state.Dir(d.StateDir)
	var s *state.Store
	if err == nil {
		s, err = state.Open(dir, d.ConfigPath)
	}
	var locked *state.LockedError
	switch {
	case errors.As(err, &locked):
		d.Log.Warnf("State: %v: what this one learns about meters is forgotten at its end", err)
	case err != nil:
		d.Log.Warnf("State: %v; until then what is learned about meters is forgotten at the end (state_dir sets the directory)", err)
	case s.Lost():
		d.Log.Warnf("State: %s is gone: what was known about the meters is learned anew", s.Path())
	default:
	}
	if err != nil {
		s = state.Memory()
	}
	d.kept, d.counters = s, s
	if !d.Partial {
		d.forgetOthers()
	}
	return func() { _ = s.Close() }
}

// openFresh is openState for people, who are shown what the meter says now: what
// was learned is left out. Counters are not: their keys are only used once with
// each.
func (d *DLMS) openFresh() (closeState func()) {
	closeState = func() {}
	if d.requests[0].protection != nil {
		partial := d.Partial
		d.Partial = true
		closeState = d.openState()
		d.Partial = partial
	}
	d.kept = state.Memory()
	return closeState
}

// forgetOthers drops what is known about devices that are not configured any more.
func (d *DLMS) forgetOthers() {
	configured := map[string]bool{}
	for _, r := range d.requests {
		for _, dev := range r.devices {
			configured[r.memoryKey(dev)] = true
		}
	}
	if err := d.kept.Keep(metersBucket, func(key string) bool { return configured[key] }); err != nil {
		d.Log.Warnf("State: %v", err)
	}
}
