package dlms_cosem

import (
	"fmt"
	"strconv"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/internal/schedule"
)

const (
	defaultInterval = 10 * time.Second // between polls
	defaultCron     = "0 0 12 * * *"
	defaultGrace    = time.Minute
	defaultWindow   = time.Hour
)

// buildSchedule fills in when the request runs. start is the program's.
func buildSchedule(sc requestScope, s *Settings, interval Duration, start time.Time, r *request) {
	checkDuration(sc.scope, "interval", interval, 1, 365*24*time.Hour)
	method, ok := schedule.ParseMethod(s.Method)
	if !ok {
		method = schedule.Gather
	}
	r.schedule = schedule.Schedule{
		Method: method, Interval: interval.Or(defaultInterval),
		Grace: s.MisfireGrace.Or(defaultGrace), Window: s.RetryWindow.Or(defaultWindow),
	}
	checkMethod(sc, interval, method)
	zone, err := loadZone(s.Timezone)
	if err != nil {
		return // it is reported where it stands
	}
	r.timezone = zone
	switch method {
	case schedule.Clock:
		buildTimes(sc, s, r)
	case schedule.Crontab:
		buildCron(sc, s, start, r)
	default:
	}
}

// checkMethod reports keys of the request that belong to another method.
func checkMethod(sc requestScope, interval Duration, method schedule.Method) {
	for _, c := range []struct {
		key, value string
		method     schedule.Method
	}{{"times", sc.own.Times, schedule.Clock}, {"cron", sc.own.Cron, schedule.Crontab}} {
		if c.value != "" && method != c.method {
			sc.bad(c.key, strconv.Quote(c.value), "with method = %q it has no effect: set method = %q, or remove it", method, c.method)
		}
	}
	if s := (schedule.Schedule{Method: method}); interval.Set() && (s.ByClock() || method == schedule.Event) {
		sc.scope.bad("interval", strconv.Quote(interval.text), `with method = %q it has no effect: set method = "polling", or remove it`, method)
	}
}

func buildTimes(sc requestScope, s *Settings, r *request) {
	if s.Times == "" {
		sc.missing("times", `method = "times" needs it, e.g. "06:00:00;18:00:00"`)
		return
	}
	times, err := schedule.ParseTimes(s.Times, r.timezone)
	if err != nil {
		sc.bad("times", strconv.Quote(s.Times), "%v", err)
		return
	}
	r.schedule.Times = times
}

func buildCron(sc requestScope, s *Settings, start time.Time, r *request) {
	text := s.Cron
	if text == "" {
		text = defaultCron
	}
	cron, err := schedule.ParseCron(text, start, r.timezone)
	if err != nil {
		sc.bad("cron", strconv.Quote(text), "%v", err)
		return
	}
	r.schedule.Cron = cron
	for _, note := range cron.Notes() {
		sc.warn("cron = %q: %s", text, note)
	}
}

// Trigger makes a request with method event due. One that is still waiting or
// running is not queued again; the trigger is counted as skipped. It may be
// called by several goroutines at once, at any time.
func (d *DLMS) Trigger(name string) error {
	for _, r := range d.requests {
		if r.name != name {
			continue
		}
		switch {
		case r.schedule.Method != schedule.Event:
			return fmt.Errorf("request %q has method = %q: only requests with method = \"event\" are triggered", name, r.schedule.Method)
		case !r.enabled:
			return fmt.Errorf("request %q is not enabled", name)
		default:
		}
		if links := d.live.Load(); links != nil {
			for _, l := range *links {
				if l.trigger(r, time.Now()) {
					return nil
				}
			}
		}
		if r.endpoint.listening() {
			found := false
			d.guests.each(func(l *link) { found = l.trigger(r, time.Now()) || found })
			if found {
				return nil
			}
			return fmt.Errorf("request %q: no meter that it is for has dialed in", name)
		}
		return fmt.Errorf("request %q is not running", name)
	}
	return fmt.Errorf("there is no request %q: there is %s", name, d.requestNames())
}
