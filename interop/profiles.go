package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
)

// summerEnds are options of a meter in Berlin whose last row is of three days
// after the end of summer time, 2026-10-25T01:00:00Z.
var summerEnds = []string{"--zone", "Europe/Berlin", "--last", "1793145600"}

// beforeEnd is how many of its rows are of summer time.
const beforeEnd = 1000 - 1 - 4*71

// part is a way to choose rows of a profile, and those that must come.
type part struct {
	name      string
	selection *cosem.Selection
	want      [][]int64
}

// profile reads the whole buffer.
func profile(ctx context.Context, e *environment) (string, error) {
	rows := e.meter.Contents.Profile.Rows
	if len(rows) != 1000 {
		return "", fmt.Errorf("the meter has %d rows", len(rows))
	}
	return readParts(ctx, e, part{"whole", nil, rows})
}

// byEntry reads rows by their number.
func byEntry(ctx context.Context, e *environment) (string, error) {
	rows := e.meter.Contents.Profile.Rows
	entries := func(from, to uint32, want [][]int64) part {
		selection := cosem.EntrySelection(from, to, 1, 0)
		return part{fmt.Sprintf("entries %d to %d", from, to), &selection, want}
	}
	return readParts(ctx, e, entries(101, 120, rows[100:120]), entries(1, 1, rows[:1]), entries(991, 0, rows[990:]),
		entries(1, uint32(len(rows)), rows))
}

// byRange reads rows by their time, which the meter states as in zone.
func byRange(zone string) func(context.Context, *environment) (string, error) {
	return func(ctx context.Context, e *environment) (string, error) {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			return "", err
		}
		rows := e.meter.Contents.Profile.Rows
		at := func(i int) int64 { return rows[i][0] }
		first, last := 100, 119
		if zone != "UTC" {
			first, last = beforeEnd-10, beforeEnd+9
		}
		some := rows[first : last+1]
		clock := cosem.CaptureObject{Class: cosem.Clock, Instance: obis.Code{0, 0, 1, 0, 0, 255}, Attribute: 2}
		second, err := obis.Parse(e.meter.Contents.Profile.Columns[1])
		if err != nil {
			return "", err
		}
		columns := []cosem.CaptureObject{clock, {Class: cosem.Register, Instance: second, Attribute: 2}}
		narrow := make([][]int64, len(some))
		for i, row := range some {
			narrow[i] = []int64{row[0], row[2]}
		}
		between := func(name string, from, to int64, deviation bool, columns []cosem.CaptureObject, want [][]int64) part {
			selection := cosem.RangeSelection(stamp(from, loc, deviation), stamp(to, loc, deviation), clock, columns)
			return part{name, &selection, want}
		}
		parts := []part{
			between("rows on both ends", at(first), at(last), true, nil, some),
			between("ends between rows", at(first)-1, at(last)+1, true, nil, some),
			between("two columns", at(first), at(last), true, columns, narrow),
			between("ends without deviation", at(100), at(119), false, nil, rows[100:120]),
			between("before the first row", at(0)-7200, at(0)-1, true, nil, nil),
			between("all", at(0), at(len(rows)-1), true, nil, rows),
		}
		return readParts(ctx, e, parts...)
	}
}

// inSegments lets requests that are longer than a frame go out in segments.
func inSegments(run func(context.Context, *environment) (string, error)) func(context.Context, *environment) (string, error) {
	return func(ctx context.Context, e *environment) (string, error) {
		e.link.segments = true
		return run(ctx, e)
	}
}

// stamp is an end of a range.
func stamp(seconds int64, loc *time.Location, deviation bool) axdr.Data {
	t := axdr.FromTime(time.Unix(seconds, 0).In(loc))
	if !deviation {
		t.Deviation, t.Status = axdr.DeviationUnspecified, axdr.StatusUnspecified
	}
	return axdr.AppendOctetString(nil, t.Append(nil))
}

// readParts reads and checks them in one association.
func readParts(ctx context.Context, e *environment, parts ...part) (note string, err error) {
	s, err := e.link.open(ctx, 0)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, s.close(ctx)) }()
	n := 0
	for _, p := range parts {
		if err := s.rows(ctx, e.meter.Contents.Profile.OBIS, p.selection, p.want); err != nil {
			return "", fmt.Errorf("%s: %w", p.name, err)
		}
		n += len(p.want)
	}
	stats := s.conn.Stats()
	return fmt.Sprintf("%d rows, %d octets, %d round trips", n, stats.RxBytes, stats.RoundTrips), nil
}

// rows reads and checks the rows of a profile.
func (s *session) rows(ctx context.Context, profile string, selection *cosem.Selection, want [][]int64) error {
	code, err := obis.Parse(profile)
	if err != nil {
		return err
	}
	n := 0
	buffer := cosem.Attribute{Class: cosem.ProfileGeneric, Instance: code, ID: 2}
	err = s.association.GetRows(ctx, buffer, selection, func(row axdr.Data) error {
		if n == len(want) {
			return fmt.Errorf("more than %d rows", n)
		}
		if err := checkRow(row, want[n]); err != nil {
			return fmt.Errorf("row %d: %w", n+1, err)
		}
		n++
		return nil
	})
	if err == nil && n != len(want) {
		err = fmt.Errorf("%d rows of %d", n, len(want))
	}
	return err
}

func checkRow(row axdr.Data, want []int64) error {
	if row.Len() != len(want) {
		return fmt.Errorf("got %s, want %d columns", row, len(want))
	}
	for i, v := range want {
		d, _ := row.Element(i)
		check := isInteger(v)
		if i == 0 {
			check = isTime(v)
		}
		if err := check(d); err != nil {
			return fmt.Errorf("column %d: %w", i+1, err)
		}
	}
	return nil
}
