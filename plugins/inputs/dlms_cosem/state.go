package dlms_cosem

import (
	"errors"
	"path/filepath"

	"github.com/telegraf-dlms/telegraf-dlms/internal/state"
)

// openState opens the state of the configuration; the function it returns closes
// it. What cannot be used is warned about, and the program goes on without:
// meters are learned anew at each start then.
func (d *DLMS) openState() (closeState func()) {
	if d.State != nil {
		d.kept = d.State
		d.counters.begin(ownState{d.State}, nil, nil)
		return d.counters.end
	}
	s, err := d.openFile()
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
	from, why := d.countersIn(s, err)
	d.counters.begin(from, why, func() (counterState, error) { return d.countersIn(d.openFile()) })
	if err != nil {
		s = state.Memory()
	}
	d.kept = s
	if !d.Partial {
		d.forgetOthers()
	}
	return func() {
		d.counters.end()
		_ = s.Close()
	}
}

func (d *DLMS) openFile() (*state.Store, error) {
	dir, err := state.Dir(d.StateDir)
	if err != nil {
		return nil, err
	}
	return state.Open(dir, d.ConfigPath)
}

// countersIn is where invocation counters are after opening the state has ended
// so: with the instance that has the file, if there is one.
func (d *DLMS) countersIn(s *state.Store, err error) (counterState, error) {
	var locked *state.LockedError
	switch {
	case err == nil:
		return ownState{s}, nil
	case errors.As(err, &locked):
		return newLentState(filepath.Dir(locked.Path), state.Name(d.ConfigPath)), nil
	default:
		return nil, err
	}
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
	meters, profiles := map[string]bool{}, map[string]bool{}
	for _, r := range d.requests {
		for _, dev := range r.devices {
			meters[r.memoryKey(dev)] = true
			for _, p := range r.profiles {
				profiles[p.key(r, dev)] = true
			}
		}
	}
	for bucket, configured := range map[string]map[string]bool{metersBucket: meters, profilesBucket: profiles} {
		if err := d.kept.Keep(bucket, func(key string) bool { return configured[key] }); err != nil {
			d.Log.Warnf("State: %v", err)
		}
	}
}
