package dlms_cosem

import (
	"errors"
	"fmt"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/push"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
	"github.com/telegraf-dlms/telegraf-dlms/internal/schedule"
)

// heard is a device that telegrams have come from.
type heard struct {
	id   string
	zone zone
	auto map[*request]map[entryKey]*item // what values that nothing is configured for become

	last     time.Time
	interval time.Duration // the longest of late between two telegrams; 0: not known
	count    int
	silent   bool // that it is has been said

	skipped int       // telegrams that were refused or held back since the last status
	good    time.Time // the last one that was understood
}

// holdAtMost is how long telegrams of a line are held back until one says which
// meter it is; after it, the line itself is what they are known by.
const holdAtMost = time.Minute

// device returns what is known about a device. l.mu is held.
func (l *listener) device(id string) *heard {
	h := l.devices[id]
	if h == nil {
		if len(l.devices) >= mostDevices {
			clear(l.devices)
		}
		h = &heard{id: id, auto: map[*request]map[entryKey]*item{}}
		l.devices[id] = h
	}
	return h
}

// note counts octets, so that silence is noticed.
func (l *listener) note(octets int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.octets += int64(octets)
}

// lists are those that name the values of pushes without OBIS codes.
func (l *listener) lists() []*push.List {
	if len(l.passive) == 0 {
		return nil
	}
	if len(l.passive) == 1 {
		return l.passive[0].lists
	}
	var all []*push.List
	for _, r := range l.passive {
		all = append(all, r.lists...)
	}
	return all
}

// meterTitle is the system title of telegrams that do not state it, where the
// user has given it.
func (l *listener) meterTitle() []byte {
	for _, r := range l.passive {
		if r.meterTitle != nil {
			return r.meterTitle
		}
	}
	return nil
}

// confirms reports whether pushes are to be confirmed.
func (l *listener) confirms() bool {
	for _, r := range l.passive {
		if r.confirm {
			return true
		}
	}
	return false
}

// knownAs returns by what the points of a telegram are told from those of other
// devices; known is false if that may still come.
func (e *ear) knownAs(t *heardTelegram) (id string, known bool) {
	if t.opened != nil && t.opened.title != "" {
		return t.opened.title, true
	}
	l := e.l
	id = e.identify()
	if e.datagram || l.endpoint.network == tcpListen {
		if id == "" {
			id = e.lineID
		}
		if id == "" {
			id = e.from
		}
		if !e.datagram && id != e.from {
			e.lineID = id
		}
		return id, id != ""
	}
	station := t.from.String()
	line := e.stations[station]
	switch {
	case line == nil:
		line = &lineStation{since: t.at}
		if e.stations == nil || len(e.stations) >= mostSenders {
			e.stations = map[string]*lineStation{}
		}
		e.stations[station] = line
	case line.settled:
		if line.id == "" || id == "" {
			return line.id, true
		}
	default:
	}
	switch {
	case id != "":
		line.id, line.settled = id, true
	case t.at.Sub(line.since) >= holdAtMost:
		line.settled = true // nobody says who it is: the line has one meter
	default:
	}
	return line.id, line.settled
}

// lineStation is a station on a line, by its address.
type lineStation struct {
	id      string
	settled bool
	since   time.Time
}

// deliver passes on the values of a telegram to the requests that it is for.
func (e *ear) deliver(t *heardTelegram) {
	l := e.l
	id, known := e.knownAs(t)
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.device(id)
	h.heardAt(t.at)
	if nobody := l.devices[""]; known && id != "" && nobody != nil { // what was held back was this one's
		h.skipped += nobody.skipped
		delete(l.devices, "")
	}
	if l.quiet {
		l.quiet = false
		l.d.Log.Infof("%s: Telegrams are coming", l.where())
	}
	stamp, hasStamp := t.stamp, t.hasStamp
	if !hasStamp || !stamp.Complete() {
		stamp, hasStamp = e.clockOf()
	}
	for _, r := range l.passive {
		if !e.isFor(r, t, id) {
			continue
		}
		if err := r.trusts(t); err != nil {
			l.refuse(r, h, t, err)
			continue
		}
		if !known {
			h.skipped++
			continue
		}
		e.emit(r, h, t, stamp, hasStamp)
	}
	if known && len(e.entries) > 0 {
		l.fire(id)
	}
}

// isFor reports whether a telegram is for a request.
func (e *ear) isFor(r *request, t *heardTelegram, id string) bool {
	if r.identity != "" && !globFits(r.identity, id) && (t.opened == nil || !globFits(r.identity, t.opened.title)) && !globFits(r.identity, e.identify()) {
		return false
	}
	if len(r.devices) > 0 {
		fits := false
		for _, dev := range r.devices {
			fits = fits || dev.physical == t.from.Lower
		}
		if !fits {
			return false
		}
	}
	return r.admits(e.ip)
}

// policyError is a telegram that is not taken for what it lacks.
type policyError struct{ what string }

func (e *policyError) Error() string { return e.what }

// trusts returns why a request does not take a telegram. With keys configured,
// what is not encrypted, or has no tag that proves its sender, could be
// anybody's (Green Book Ed. 9, clause 9.2.7.2).
func (r *request) trusts(t *heardTelegram) error {
	switch {
	case r.unproven:
		return nil
	case t.doubt != nil:
		if reasonOf(t.doubt) == security.MissingKey {
			return &policyError{"the tag of the telegram cannot be verified: authentication_key is missing"}
		}
		return &policyError{"the telegram is encrypted, but has no tag that proves its sender"}
	case r.keyed() && t.opened == nil:
		return &policyError{"the telegram is not encrypted, although there are keys"}
	default:
		return nil
	}
}

// refuse reports a telegram that a request does not take. l.mu is held.
func (l *listener) refuse(r *request, h *heard, t *heardTelegram, err error) {
	h.skipped++
	o := &outcome{at: t.at, result: resultAuth, err: err}
	o.stats.RxBytes = int64(t.octets)
	skipped := h.skipped
	h.skipped = 0
	l.statusLocked(r, l.series(h), o, skipped)
	l.complainLocked("policy "+r.name+h.id, fmt.Errorf("request %q, %s%s: %w", r.name, l.endpoint.address, deviceText(h.id), err))
}

func deviceText(id string) string {
	if id == "" {
		return ""
	}
	return ", device " + id
}

// heardAt learns how often a device is heard.
func (h *heard) heardAt(now time.Time) {
	if h.count > 0 && !h.silent {
		gap := now.Sub(h.last)
		h.interval = max(gap, h.interval-h.interval/8)
	}
	h.silent = false
	h.last = now
	h.count++
}

// notOpened reports a ciphered APDU that could not be opened.
func (e *ear) notOpened(t *heardTelegram, err error) {
	l := e.l
	var block *noKeyError
	res := resultDecrypt
	id := e.from
	if e.opened != nil && e.opened.title != "" {
		id = e.opened.title
	}
	var reason *security.Error
	if e.opened == nil && !errors.As(err, &block) && !errors.Is(err, dlms.ErrCiphered) {
		e.notUnderstood(t, err)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.device(id)
	h.heardAt(t.at)
	if errors.As(err, &reason) {
		err = &openError{title: id, err: err, since: h.good}
	}
	l.bad(h, t, res, err, "open "+id+fmt.Sprint(reasonOf(err)))
}

// notUnderstood reports an APDU that could not be understood.
func (e *ear) notUnderstood(t *heardTelegram, err error) {
	l := e.l
	id := e.from
	if t.opened != nil && t.opened.title != "" {
		id = t.opened.title
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bad(l.device(id), t, resultProtocol, err, "body "+id)
}

// bad reports a telegram that gave nothing to the requests that it may be for.
// l.mu is held.
func (l *listener) bad(h *heard, t *heardTelegram, res result, err error, key string) {
	for _, r := range l.passive {
		if r.identity != "" && h.id != "" && looksLikeTitle(r.identity) && !globFits(r.identity, h.id) {
			continue
		}
		o := &outcome{at: t.at, result: res, err: err, failed: 1}
		o.stats.RxBytes = int64(t.octets)
		l.statusLocked(r, l.series(h), o, h.skipped)
		h.skipped = 0
	}
	l.complainLocked(key, fmt.Errorf("%s: %w", l.where(), err))
}

// unknownList says once how a list without OBIS codes is described.
func (l *listener) unknownList(s *push.Shape) {
	l.mu.Lock()
	defer l.mu.Unlock()
	leading := ""
	if s.Leading != "" {
		leading = fmt.Sprintf(", leading = %q", s.Leading)
	}
	l.complainWarn(fmt.Sprintf("list %d %s %s", s.Elements, s.Leading, s.Types), "%s: %s of the push come without OBIS codes and are named index_N: say what they are by items with index = N, or by a preset with [[list]] elements = %d, types = %q%s (docs/push.md)",
		l.where(), counted(s.Unnamed, "value"), s.Elements, s.Types, leading)
}

// unknownName says once how values by short names get their codes.
func (l *listener) unknownName(name uint16) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.complainWarn("names", "%s: an information-report has a value by the short name %d (0x%04X), and is named index_%d: say what it is by an item with obis and base_name", l.where(), name, name, name)
}

func (l *listener) complainLocked(key string, err error) {
	l.mu.Unlock()
	l.complain(key, err)
	l.mu.Lock()
}

// complainWarn warns once. l.mu is held.
func (l *listener) complainWarn(key, format string, args ...any) {
	if !l.maySpeak(key, time.Now()) {
		l.d.Log.Debugf(format, args...)
		return
	}
	l.d.Log.Warnf(format, args...)
}

func (l *listener) statusLocked(r *request, id string, o *outcome, skipped int) {
	l.mu.Unlock()
	l.status(r, id, o, skipped)
	l.mu.Lock()
}

// fire makes the event requests of the meter due. l.mu is held.
func (l *listener) fire(id string) {
	links := l.d.live.Load()
	if links == nil {
		return
	}
	now := time.Now()
	for _, r := range l.passive {
		if r.identity != "" && !globFits(r.identity, id) {
			continue
		}
		for _, other := range l.d.requests {
			if other.passive || other.schedule.Method != schedule.Event || other.meter != r.meter || !other.enabled {
				continue
			}
			for _, link := range *links {
				link.trigger(other, now)
			}
			l.d.guests.each(func(link *link) { link.trigger(other, now) })
		}
	}
}
