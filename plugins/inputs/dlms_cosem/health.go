package dlms_cosem

import (
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/internal/schedule"
)

// probeTime is what a device that failed last time may cost a shared link.
const probeTime = 1500 * time.Millisecond

// health is how a device has behaved. It belongs to the goroutine of its link.
type health struct {
	contact schedule.Backoff // it could not be reached
	login   schedule.Backoff // it refused the login

	refused [sha256.Size]byte // print of the password that was refused
	usual   time.Duration     // what opening an association took last time it worked
	zone    zone              // what is known about its clock
}

func newHealth() *health {
	return &health{
		contact: schedule.Backoff{Ladder: schedule.ContactLadder()},
		login:   schedule.Backoff{Ladder: schedule.LoginLadder()},
	}
}

// until is when the device may be tried again.
func (h *health) until() time.Time {
	if l := h.login.Until(); l.After(h.contact.Until()) {
		return l
	}
	return h.contact.Until()
}

// wait returns why the device must be left alone at now; nil: it need not. A
// refused login counts only as long as the password is the same.
func (h *health) wait(now time.Time, r *request) error {
	if !h.login.Ready(now) {
		if _, password, err := r.login(); err == nil && password != h.refused {
			h.login.Succeed()
		} else {
			return fmt.Errorf("the login was refused %s: the next attempt is at %s", times(h.login.Failures()), clockTime(h.login.Until()))
		}
	}
	if !h.contact.Ready(now) {
		return fmt.Errorf("the meter failed %s: the next attempt is at %s", times(h.contact.Failures()), clockTime(h.contact.Until()))
	}
	return nil
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times in a row", n)
}

func clockTime(t time.Time) string { return t.Format("15:04:05") }

// attempt is how long opening the association may take; 0 is as long as the
// settings say. A device that failed last time and shares its link gets one
// short attempt. If it was slow when it worked it gets twice of what it took
// then, and once in ten minutes its whole reply timeout: slow meters that were
// away must be found again.
func (h *health) attempt(r *request, shared bool) time.Duration {
	if h.contact.Failures() == 0 || !shared {
		return 0
	}
	if h.contact.Last() {
		return max(r.replyTimeout, probeTime)
	}
	return max(min(r.replyTimeout, probeTime), min(2*h.usual, r.replyTimeout))
}

// bareInfo is the information field that needs no parameters in the SNRM.
const bareInfo = 128

// bare reports whether a short attempt begins with an SNRM without parameters.
// Some meters answer nothing else, and it is too short to try both.
func (h *health) bare() bool { return h.contact.Failures()%2 == 0 }

// record takes a finished run into account.
func (h *health) record(o *outcome, now time.Time) {
	if o.associated {
		h.login.Succeed()
		if o.openTook > 0 {
			h.usual = o.openTook
		}
	}
	switch {
	case o.loginRefused:
		h.contact.Succeed()
		h.login.Fail(now)
		h.refused = o.password
	case o.unreachable():
		h.contact.Fail(now)
	default:
		h.contact.Succeed()
	}
}
