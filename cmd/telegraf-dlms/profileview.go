package main

import (
	"encoding/csv"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/telegraf-dlms/telegraf-dlms/plugins/inputs/dlms_cosem"
)

// profileView shows the rows of a profile as they come. Each write is of whole
// lines.
type profileView interface {
	// head comes before the first row, and again when the columns change.
	head(columns []dlms_cosem.ProfileColumn) error
	row(r dlms_cosem.ProfileRow) error
	// end shows what is left.
	end() error
}

// tableTime is how a table shows the time of a row: with its offset, since local
// time is ambiguous in autumn. It may be given to -from as it is.
const tableTime = "2006-01-02 15:04:05Z07:00"

const (
	heldRows = 40          // at most are looked at for the widths of a table's columns
	heldTime = time.Second // for which rows wait for others, at most, when the next one comes
)

// tableView shows aligned columns to people. Their widths are those of the head
// and the first rows.
type tableView struct {
	w     io.Writer
	zone  *time.Location
	heads [][]string // names, units; nil: they were written
	held  [][]string // rows that wait; nil after the first ones were written
	since time.Time  // the first of them came
	words []bool     // the column has values that are no numbers
	width []int      // of the columns; nil: the rows are held
	again bool       // there was a table before
}

func (v *tableView) head(columns []dlms_cosem.ProfileColumn) error {
	if err := v.end(); err != nil {
		return err
	}
	columns = valueColumns(columns)
	names, units, some := []string{"TIME"}, []string{""}, false
	for _, c := range columns {
		names, units = append(names, c.Name), append(units, c.Unit)
		some = some || c.Unit != ""
	}
	v.heads = [][]string{names}
	if some {
		v.heads = append(v.heads, units)
	}
	v.width, v.words = nil, make([]bool, len(names))
	v.words[0] = true
	return nil
}

func (v *tableView) row(r dlms_cosem.ProfileRow) error {
	cells := make([]string, len(v.words))
	cells[0] = "-"
	if !r.Time.IsZero() {
		cells[0] = r.Time.In(v.zone).Format(tableTime)
	}
	for i := range cells[1:] {
		c := cellAt(r, i)
		cells[i+1] = dash(c.Text)
		if _, number := c.Value.(float64); !number && c.Value != nil && v.width == nil {
			v.words[i+1] = true
		}
	}
	if v.width != nil {
		return v.write([][]string{cells})
	}
	if len(v.held) == 0 {
		v.since = time.Now()
	}
	v.held = append(v.held, cells)
	if len(v.held) == heldRows || time.Since(v.since) > heldTime {
		return v.end()
	}
	return nil
}

// end writes the rows that are held, with their head.
func (v *tableView) end() error {
	if len(v.held) == 0 {
		return nil
	}
	v.width = make([]int, len(v.words))
	rows := append(v.heads, v.held...)
	for _, row := range rows {
		for i, cell := range row {
			v.width[i] = max(v.width[i], utf8.RuneCountInString(cell))
		}
	}
	if v.again {
		rows = append([][]string{{}}, rows...)
	}
	v.heads, v.held, v.again = nil, nil, true
	return v.write(rows)
}

func (v *tableView) write(rows [][]string) error {
	var text strings.Builder
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			if i > 0 {
				line.WriteString("  ")
			}
			blanks := strings.Repeat(" ", max(v.width[i]-utf8.RuneCountInString(cell), 0))
			if v.words[i] {
				line.WriteString(cell + blanks)
			} else {
				line.WriteString(blanks + cell)
			}
		}
		text.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	_, err := io.WriteString(v.w, text.String())
	return err
}

// csvView writes rows for programs: times in UTC after RFC 3339. Other columns
// end it, since a table has one head.
type csvView struct {
	out     *csv.Writer
	columns []dlms_cosem.ProfileColumn
	begun   bool
	changed bool
}

func (v *csvView) head(columns []dlms_cosem.ProfileColumn) error {
	columns = slices.Clone(valueColumns(columns))
	if v.begun {
		v.changed = v.changed || !slices.Equal(columns, v.columns)
		return nil
	}
	v.begun, v.columns = true, columns
	line := []string{"time"}
	for _, c := range columns {
		line = append(line, titleOf(c))
	}
	return v.write(line)
}

func (v *csvView) row(r dlms_cosem.ProfileRow) error {
	if v.changed {
		return &columnsError{r.Time}
	}
	line := make([]string, len(v.columns)+1)
	if !r.Time.IsZero() {
		line[0] = r.Time.UTC().Format(time.RFC3339Nano)
	}
	for i := range v.columns {
		if c := cellAt(r, i); c.Value != nil {
			line[i+1] = c.Text
		}
	}
	return v.write(line)
}

func (v *csvView) end() error { return nil }

func (v *csvView) write(line []string) error {
	_ = v.out.Write(line) // the error stays
	v.out.Flush()
	return v.out.Error()
}

// columnsError says that the rows from then on have other columns.
type columnsError struct{ at time.Time }

func (e *columnsError) Error() string {
	return "the columns of the profile change at " + e.at.Format(time.RFC3339) + ": read the rest with -from, which gives a table of its own, or use -format table or lp"
}

// valueColumns are those that the cells of a row belong to.
func valueColumns(columns []dlms_cosem.ProfileColumn) []dlms_cosem.ProfileColumn {
	out := make([]dlms_cosem.ProfileColumn, 0, len(columns))
	for _, c := range columns {
		if !c.Clock {
			out = append(out, c)
		}
	}
	return out
}

// titleOf is the name with the unit.
func titleOf(c dlms_cosem.ProfileColumn) string {
	if c.Unit == "" {
		return c.Name
	}
	return c.Name + " [" + c.Unit + "]"
}

// cellAt is a cell of a row, which may have fewer.
func cellAt(r dlms_cosem.ProfileRow, i int) dlms_cosem.ProfileCell {
	if i >= len(r.Cells) {
		return dlms_cosem.ProfileCell{}
	}
	return r.Cells[i]
}
