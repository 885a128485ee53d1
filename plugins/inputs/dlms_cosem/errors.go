package dlms_cosem

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// errorLog remembers what a device's failures looked like: the same one is
// reported once, and its end.
type errorLog struct {
	seen   map[string]string // item, or "" for the device -> signature of its failure
	failed int               // runs failed in a row
}

// signature tells one kind of failure from another, without counts and times.
func signature(err error) string {
	s := classify(err).String() + "|" + Hint(err)
	var access *dlms.AccessError
	if errors.As(err, &access) {
		s += "|" + strconv.Itoa(int(access.Result))
	}
	return s
}

// report logs what is new about a run.
func (e *errorLog) report(l *link, r *request, dev *device, o *outcome) {
	if len(e.seen) == 0 && o.err == nil && o.failed == 0 {
		return // as ever: there is nothing to put into words
	}
	where := r.where(dev)
	if o.err != nil {
		e.failed++
		e.failure(l, "", o.err, cosem.Attribute{}, where)
	} else {
		e.recovery(l, "", fmt.Sprintf("%s: Reading again after %s", where, counted(e.failed, "failed run")))
		e.failed = 0
	}
	for i := range o.readings {
		x, it := &o.readings[i], r.items[i]
		key := strconv.Itoa(i + 1)
		item := where + ", item " + it.describe(x.class)
		switch {
		case x.got:
			e.recovery(l, key, item+": Reading again")
		case x.err != nil && (o.err == nil || !errors.Is(o.err, x.err)):
			e.failure(l, key, x.err, it.attribute(x.class), item)
		default: // the run ended before it
		}
	}
}

func (e *errorLog) failure(l *link, key string, err error, at cosem.Attribute, where string) {
	text := err.Error()
	if key != "" {
		text = itemText(err, at)
	}
	if hint := Hint(err); hint != "" {
		text += ": " + hint
	}
	message := fmt.Errorf("%s: %s", where, text)
	s := signature(err)
	if e.seen[key] == s {
		l.d.Log.Debugf("%v", message)
		return
	}
	e.seen[key] = s
	l.out.addError(message)
}

// itemText is an error without the attribute, which the item has told.
func itemText(err error, at cosem.Attribute) string {
	var access *dlms.AccessError
	if errors.As(err, &access) && errors.Unwrap(err) == nil {
		if access.Unlisted {
			return "not in the meter's object list"
		}
		return refusalText(access.Result)
	}
	return strings.NewReplacer("GET "+at.String(), "GET", "READ "+at.String(), "READ").Replace(err.Error())
}

func refusalText(r xdlms.DataAccessResult) string {
	return fmt.Sprintf("%s (data-access-result %d)", r, uint8(r))
}

func (e *errorLog) recovery(l *link, key, message string) {
	if _, failed := e.seen[key]; failed {
		delete(e.seen, key)
		l.d.Log.Info(message)
	}
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
