package dlms_cosem

import (
	"context"
	"fmt"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/serial"
)

const (
	quietAfter = time.Minute     // without a telegram since the start, before we say so
	mostSilent = 10              // devices that fall silent at once are named
	lateFactor = 3               // times its interval that a device may be silent
	lateLeast  = 5 * time.Second // and this
)

// watch notices devices that have fallen silent, and lines on which nothing
// comes.
func (l *listener) watch(ctx context.Context) {
	t := time.NewTicker(watchEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-t.C:
			l.look(now)
			l.saveFloors(false)
		}
	}
}

// silentError is a device that pushes no more.
type silentError struct {
	id       string
	last     time.Time
	interval time.Duration
}

func (e *silentError) Error() string {
	interval := e.interval.Round(time.Second)
	if interval == 0 {
		interval = e.interval.Round(time.Millisecond)
	}
	return fmt.Sprintf("no telegram since %s%s, although there was one every %s", e.last.Format(time.DateTime), deviceText(e.id), interval)
}

// quietError is a line on which nothing is understood.
type quietError struct {
	octets  int64
	after   time.Duration
	listens bool // meters come to us: there is no line
}

func (e *quietError) Error() string {
	if e.octets == 0 {
		return fmt.Sprintf("nothing came within %s", e.after)
	}
	return fmt.Sprintf("%d octets came within %s, and no telegram could be made of them", e.octets, e.after)
}

func (l *listener) look(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	silent := 0
	for _, h := range l.devices {
		if h.silent || h.count < 3 || now.Sub(h.last) < max(lateFactor*h.interval, lateLeast) {
			continue
		}
		h.silent = true
		err := &silentError{id: h.id, last: h.last, interval: h.interval}
		for _, r := range l.passive {
			if r.identity == "" || globFits(r.identity, h.id) {
				l.statusLocked(r, h.id, &outcome{at: now, result: resultTimeout, err: err, failed: len(r.items)}, h.skipped)
				h.skipped = 0
			}
		}
		delete(l.said, "silent "+h.id)
		if silent++; silent <= mostSilent {
			l.complainLocked("silent "+h.id, fmt.Errorf("%s: %w", l.where(), err))
		}
	}
	if silent > mostSilent {
		l.d.Log.Warnf("%s: %d more devices have fallen silent at the same time: look at the network", l.where(), silent-mostSilent)
	}
	if l.quiet || len(l.devices) > 0 || len(l.passive) == 0 || now.Sub(l.start) < quietAfter {
		return
	}
	l.quiet = true
	err := &quietError{octets: l.octets, after: now.Sub(l.start).Round(time.Second)}
	if l.endpoint.listening() && l.octets == 0 {
		return // meters come when they like
	}
	for _, r := range l.passive {
		l.statusLocked(r, "", &outcome{at: now, result: resultTimeout, err: err, failed: len(r.items)}, 0)
	}
	l.complainLocked("quiet", fmt.Errorf("%s: %w", l.where(), err))
}

// speedSearch tries the characters of a line, one kind after the other.
type speedSearch struct {
	n     int
	since time.Time // this one is tried
	found bool
}

// tryEach is how long a kind of characters is listened to: meters push every 10
// or 30 s as a rule; some once in a minute.
const tryEach = 70 * time.Second

// tryOctets is how many octets without a telegram prove that it is another.
const tryOctets = 1024

// kinds are the characters that customer ports have, the most usual first.
func kinds() []serial.Settings {
	return []serial.Settings{
		{Baud: 2400}, {Baud: 9600}, {Baud: 115200},
		{Baud: 2400, Parity: serial.Even}, {Baud: 9600, Parity: serial.Even}, {Baud: 115200, Parity: serial.Even},
		{Baud: 9600, Parity: serial.Even, DataBits: 7}, {Baud: 2400, Parity: serial.Even, DataBits: 7}, {Baud: 19200}, {Baud: 38400}, {Baud: 300, Parity: serial.Even, DataBits: 7},
	}
}

// now returns the characters to be tried.
func (s *speedSearch) now(base serial.Settings) serial.Settings {
	k := kinds()[s.n%len(kinds())]
	base.Baud, base.Parity, base.DataBits = k.Baud, k.Parity, k.DataBits
	return base
}

// tune goes on to other characters where those of now give no telegram.
func (e *ear) tune(now time.Time) error {
	s := &e.speeds
	if e.port == nil || !e.l.passive[0].findSpeed || s.found {
		return nil
	}
	stats := e.deframer.Stats()
	if s.since.IsZero() {
		s.since = now
	}
	if stats.Frames > 0 {
		s.found = true
		k := s.now(serial.Settings{})
		bits, parity := 8, "none"
		if k.DataBits != 0 {
			bits = k.DataBits
		}
		if k.Parity == serial.Even {
			parity = "even"
		}
		e.l.d.Log.Infof("%s: Telegrams are understood with baud_rate = %d, data_bits = %d, parity = %q: set these to have them at once", e.l.where(), k.Baud, bits, parity)
		return nil
	}
	if stats.Octets < tryOctets && now.Sub(s.since) < tryEach {
		return nil
	}
	s.n++
	s.since = now
	e.reset()
	return e.set(e.l.passive[0].line)
}
