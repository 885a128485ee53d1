package dlms_cosem

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/influxdata/telegraf"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
	"github.com/telegraf-dlms/telegraf-dlms/internal/history"
)

// ProfileOptions say what ReadProfile reads.
type ProfileOptions struct {
	OBIS     string               // of the profile
	From, To time.Time            // both included; zero: from the first row, to the last
	Columns  []string             // as the key columns; nil: all
	Acc      telegraf.Accumulator // if set, rows are added to it as metrics, and row is not called

	// Progress, if set, is called with the number of rows read so far and the time of the last one.
	Progress func(rows int, upTo time.Time)
}

// ProfileColumn is a column of a profile, for people.
type ProfileColumn struct {
	Name      string // of the field
	OBIS      string
	Class     uint16
	Attribute int
	Index     int // element of the attribute, from 1; 0: all of it
	Unit      string
	Clock     bool // it is the time of the rows: there is no cell for it
}

// ProfileCell is a value of a row.
type ProfileCell struct {
	Text  string // for people, without its unit
	Value any    // float64, string or bool; nil: there is none
}

// ProfileRow is a row of a profile.
type ProfileRow struct {
	Time   time.Time
	Number int           // among the rows of that time, from 0
	Cells  []ProfileCell // of the columns but the clock; valid during the call
}

// oldestProfile is how far back a profile is looked for by default.
const oldestProfile = 20 * 366 * 24 * time.Hour

// ReadProfile reads rows of a profile of the first request's first device once.
// head is called before the first row, and again if the columns change. Where
// the connection is lost on the way it goes on over another one. The error says
// why not all was read; rows that were given are good.
func (d *DLMS) ReadProfile(ctx context.Context, how ProfileOptions, head func([]ProfileColumn) error, row func(ProfileRow) error) error {
	if len(d.requests) == 0 {
		return errors.New("there is no request")
	}
	code, err := obis.Parse(how.OBIS)
	if err != nil {
		return fmt.Errorf("%q: %w", how.OBIS, err)
	}
	p := &profile{name: code.String(), obis: code, rate: math.MaxInt32, known: d.Request[0].Item}
	for _, text := range how.Columns {
		c, err := parseColumn(text, p.known)
		if err != nil {
			return err
		}
		p.columns = append(p.columns, c)
	}
	defer d.openFresh()()
	r := d.requests[0].ofProfile(p)
	l := newLink(d, r.endpoint, newOutput(nil))
	l.out.close()
	l.addJob(r)
	defer l.hangUp()
	st := l.queue[0].list[0]
	x := &profileShow{h: st.history, how: how, head: head, row: row, tags: deviceTags(r, st.device), r: r}
	x.h.give = x.give
	from := how.From
	if from.IsZero() {
		from = time.Now().Add(-oldestProfile)
	}
	x.h.once = &onceTarget{target: target{pos: history.Position{Covered: from.Add(-1)}, end: how.To}}
	for {
		before := x.rows
		s := &session{l: l, r: r, st: st}
		o := s.outcome(ctx, 0)
		switch {
		case x.err != nil:
			return x.err
		case o.err != nil && x.rows > before && ctx.Err() == nil && !x.h.once.done: // it goes on from there
		case o.err != nil && !x.h.once.done || ctx.Err() != nil:
			return o.err
		default:
			return errors.Join(o.err, x.heads(s))
		}
	}
}

// profileShow shows what is read to people.
type profileShow struct {
	h    *historian
	r    *request
	how  ProfileOptions
	head func([]ProfileColumn) error
	row  func(ProfileRow) error
	tags map[string]string

	shown *layout // its head was shown
	cells []ProfileCell
	rows  int
	err   error // of head or row
}

// heads shows the columns.
func (x *profileShow) heads(s *session) error {
	l := x.h.layout
	if l == nil || l == x.shown || x.head == nil {
		return nil
	}
	x.shown = l
	list := make([]ProfileColumn, len(l.columns), len(l.columns)+1)
	for i := range l.columns {
		c := &l.columns[i]
		o := l.objects[c.at]
		list[i] = ProfileColumn{Name: c.field, OBIS: o.Instance.String(), Class: uint16(o.Class), Attribute: int(c.it.id), Index: c.index}
		out := reading{class: c.it.class}
		if _, err := s.scaler(c.it, &out); err == nil {
			list[i].Unit = out.unit
		}
	}
	if l.clock >= 0 {
		o := l.objects[l.clock]
		list = append(list, ProfileColumn{Name: "time", OBIS: o.Instance.String(), Class: uint16(o.Class), Attribute: int(valueID(o)), Clock: true})
	}
	x.err = x.head(list)
	return x.err
}

func (x *profileShow) give(s *session, at time.Time, values []profileValue) error {
	if err := x.heads(s); err != nil {
		return err
	}
	x.rows++
	if x.how.Progress != nil {
		x.how.Progress(x.rows, at)
	}
	if x.how.Acc != nil {
		if m := newRow(x.r, x.tags, values, at); m != nil {
			x.how.Acc.AddMetric(m)
		}
		return nil
	}
	x.cells = x.cells[:0]
	for i := range values {
		x.cells = append(x.cells, shownCell(&values[i]))
	}
	number := at.Nanosecond() % int(10*time.Millisecond) // clocks tell hundredths of a second
	x.err = x.row(ProfileRow{Time: at.Add(-time.Duration(number)), Number: number, Cells: x.cells})
	return x.err
}

func shownCell(v *profileValue) ProfileCell {
	if !v.got {
		return ProfileCell{}
	}
	text, value := v.v.shown()
	return ProfileCell{Text: text, Value: value}
}
