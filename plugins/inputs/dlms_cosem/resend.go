package dlms_cosem

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
)

// ResendCommand is what another command calls a running instance with, to have
// rows of a profile written again, over package control. Its arguments are those
// of Resend.
const ResendCommand = "resend"

// HasProfiles reports whether there is a request that reads a profile, so that
// other commands may have rows of it resent.
func (d *DLMS) HasProfiles() bool {
	return slices.ContainsFunc(d.requests, func(r *request) bool { return r.enabled && len(r.profiles) > 0 })
}

// Resend answers a ResendCommand: endpoint, OBIS code or name of the profile,
// from, to (RFC 3339). The links read the range, as soon as they have caught up,
// and write it, whatever was written before; to do so is kept in the state until
// it is done. It may be called between Start and Stop, by several goroutines at
// once.
func (d *DLMS) Resend(args []string) (string, error) {
	if len(args) != 4 {
		return "", errors.New("endpoint, OBIS code of a profile, from and to are expected: the running instance may be of another version")
	}
	from, err1 := time.Parse(time.RFC3339, args[2])
	to, err2 := time.Parse(time.RFC3339, args[3])
	e, err3 := parseEndpoint(args[0])
	if err := errors.Join(err1, err2, err3); err != nil {
		return "", err
	}
	if to.Before(from) {
		return "", fmt.Errorf("%s is after %s", args[2], args[3])
	}
	if oldest := time.Now().Add(-oldestProfile); from.Before(oldest) {
		from = oldest
	}
	links := d.live.Load()
	if links == nil {
		return "", errors.New("the instance is starting or stopping: try again")
	}
	code, err := obis.Parse(args[1])
	var names []string
	for _, l := range *links {
		if l.endpoint == e {
			names = append(names, l.resend(func(p *profile) bool { return p.name == args[1] || err == nil && p.obis == code }, profileSpan{from, to})...)
		}
	}
	if len(names) == 0 {
		return "", fmt.Errorf("the running instance reads no profile %s of %s: it has to be in its configuration", cleanText(args[1]), e)
	}
	return fmt.Sprintf("%s: the rows from %s to %s are read and written again", strings.Join(names, ", "), args[2], args[3]), nil
}

// resend has a range of the profiles that fit read again. It returns their names.
func (l *link) resend(fits func(*profile) bool, span profileSpan) (names []string) {
	l.mu.Lock()
	for _, j := range l.queue {
		if j.r.profile == nil || !fits(j.r.profile) {
			continue
		}
		names = append(names, fmt.Sprintf("request %q, profile %q", j.r.name, j.r.profile.name))
		if len(j.resend) < mostResends {
			j.resend = append(j.resend, span)
		}
		j.further = time.Now() // as more of a profile: when it is read by itself stays
	}
	l.mu.Unlock()
	l.rouse()
	return names
}

// takeResends hands over to the devices of a job what is to be read again.
func (l *link) takeResends(j *job) {
	l.mu.Lock()
	spans := j.resend
	j.resend = nil
	l.mu.Unlock()
	for _, st := range j.list {
		if h := st.history; h != nil && len(spans) > 0 {
			h.asked = append(h.asked, spans...)
			st.wanted, st.more = true, true
		}
	}
}
