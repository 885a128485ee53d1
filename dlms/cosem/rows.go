package cosem

import (
	"fmt"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
)

// Rows cuts the rows of a profile into their cells, and puts back what the
// meter left out (Blue Book Ed. 13, clause 4.3.6 "Profile generic", buffer).
// What a row leaves out refers to the row before: rows have to come in the
// order of the answer, and each answer begins with a [Rows.Reset].
//
//   - null-data stands for the value of the row before; where there was none, it
//     stays null-data.
//   - null-data as the time of a row stands for the time of the row before plus
//     the capture period; see [Rows.Derived].
//   - A delta type (tags 28 to 33) is what the value has grown by, and the cell
//     the sum, in the type of the value before.
//
// Inside of a cell that is itself an array or structure nothing is put back.
//
// The zero value has no clock, and takes the number of columns from the first
// row.
type Rows struct {
	columns int // 0: not known yet
	clock   int // column of the time, counted from 1; 0: none
	period  time.Duration

	derived bool
	cells   []axdr.Data
	before  expandedRow // the last row
	next    expandedRow // what is being put together; a row with a fault leaves before as it is
}

// expandedRow holds the cells of a row one after the other.
type expandedRow struct {
	octets []byte
	ends   []int // of each cell
}

func (e *expandedRow) cell(i int) axdr.Data {
	if i >= len(e.ends) {
		return nil
	}
	start := 0
	if i > 0 {
		start = e.ends[i-1]
	}
	return axdr.Data(e.octets[start:e.ends[i]:e.ends[i]])
}

// mostFilledIn is how many octets a row may take more than it came with. The
// standard has no limit; without one a meter could have each row add a long
// value for the rows after it to repeat.
const mostFilledIn = 1 << 20

// Reset forgets the rows so far, and keeps the room. columns is the number of
// capture objects, 0 to take it from the first row. clock is the index of the
// column with the time of the row, -1 if there is none. period is
// capture_period in whole seconds, 0 if the profile has none; it is negative for
// rows that come newest first.
func (r *Rows) Reset(columns, clock int, period time.Duration) {
	r.columns, r.clock, r.period = max(0, columns), max(0, clock+1), period
	r.derived = false
	r.before.octets, r.before.ends = r.before.octets[:0], r.before.ends[:0]
}

// Derived reports whether the time in the last row that was cut was left out
// by the meter and has been computed.
func (r *Rows) Derived() bool { return r.derived }

// Cut returns the cells of a row, one for each column, valid until the next
// call of a method of r. They share nothing with row, which is a structure or, as
// some meters have it, an array; with one column it may be the value itself.
//
// A computed time has the form of the one before (a date-time, an octet-string
// of 12 octets, or an integer, which counts seconds), and its deviation and
// status: it was advanced as the wall clock of the meter. Without an earlier time, or
// without a period, the cell is null-data.
//
// A row with another number of elements, and a delta that has nothing to add
// to or goes beyond the type, are a [*DecodeError], and the last row without a fault
// remains the row before. What later rows leave out may refer to the one that
// is lost: times and sums would be off by it. So go on only after a Reset.
func (r *Rows) Cut(row axdr.Data) ([]axdr.Data, error) {
	r.derived = false
	r.next.octets, r.next.ends = r.next.octets[:0], r.next.ends[:0]
	if err := r.put(row); err != nil {
		r.derived = false
		return nil, err
	}
	r.columns = len(r.next.ends)
	r.before, r.next = r.next, r.before
	r.cells = r.cells[:0]
	for i := range r.before.ends {
		r.cells = append(r.cells, r.before.cell(i))
	}
	return r.cells, nil
}

// put puts the cells of row together in r.next.
func (r *Rows) put(row axdr.Data) error {
	t := row.Tag()
	bare := t != axdr.TagArray && t != axdr.TagStructure
	n := row.Len()
	if bare {
		n = 1
	}
	switch {
	case len(row) == 0:
		return &DecodeError{What: "profile row", Err: shapeError("no octets")}
	case bare && r.columns > 1:
		return &DecodeError{What: "profile row", Err: shapeError(fmt.Sprintf("got %s, want a structure of %d elements", t, r.columns))}
	case r.columns > 0 && n != r.columns, n == 0:
		want := fmt.Sprintf("%d (one for each column)", r.columns)
		if r.columns == 0 {
			want = "at least one"
		}
		return &DecodeError{What: "profile row", Err: shapeError(fmt.Sprintf("got %s of %d elements, want %s", t, n, want))}
	case bare:
		return r.column(0, row, len(row))
	}
	for cell := range row.All() {
		if err := r.column(len(r.next.ends), cell, len(row)); err != nil {
			return err
		}
	}
	if got := len(r.next.ends); got != n {
		return &DecodeError{What: "profile row", Err: shapeError(fmt.Sprintf("got %d of %d elements, the octets end", got, n))}
	}
	return nil
}

// column appends the cell of column i, counted from 0, of a row of size octets.
func (r *Rows) column(i int, cell axdr.Data, size int) error {
	before, to := r.before.cell(i), &r.next
	delta, isDelta := cell.Delta()
	switch {
	case isDelta:
		var ok bool
		if to.octets, ok = axdr.AppendSum(to.octets, before, delta); !ok {
			return noSum(i, before, cell, delta)
		}
	case cell.Tag() != axdr.TagNull:
		to.octets = append(to.octets, cell...)
	case i+1 == r.clock:
		to.octets, r.derived = appendAdvanced(to.octets, before, r.period)
		if !r.derived {
			to.octets = axdr.AppendNull(to.octets)
		}
	case len(before) > 0:
		to.octets = append(to.octets, before...)
	default:
		to.octets = append(to.octets, cell...)
	}
	to.ends = append(to.ends, len(to.octets))
	if len(to.octets)-size > mostFilledIn {
		return &DecodeError{What: fmt.Sprintf("profile row, column %d", i+1), Err: shapeError(fmt.Sprintf("the row of %d octets repeats more than %d octets of the rows before", size, mostFilledIn))}
	}
	return nil
}

// noSum says why a delta could not be added.
func noSum(i int, before, cell axdr.Data, delta int64) error {
	why := fmt.Sprintf("%s %+d on %s: the sum does not fit the type", cell.Tag(), delta, before)
	_, integer := axdr.AppendSum(nil, before, 0)
	switch {
	case before.Tag() == axdr.TagNull:
		why = fmt.Sprintf("%s %+d, but no row before has a value", cell.Tag(), delta)
	case !integer:
		why = fmt.Sprintf("%s %+d on %s, want an integer", cell.Tag(), delta, before.Tag())
	}
	return &DecodeError{What: fmt.Sprintf("profile row, column %d", i+1), Err: shapeError(why)}
}

// appendAdvanced appends the time one period after that of the row before. It
// reports false if there is none to be had.
func appendAdvanced(b []byte, before axdr.Data, period time.Duration) ([]byte, bool) {
	seconds := int64(period / time.Second)
	if seconds == 0 {
		return b, false
	}
	switch before.Tag() {
	case axdr.TagDoubleLong, axdr.TagDoubleLongUnsigned, axdr.TagLong64, axdr.TagLong64Unsigned:
		return axdr.AppendSum(b, before, seconds)
	default:
	}
	t, ok := before.DateTime()
	if ok {
		t, ok = t.Advance(time.Duration(seconds) * time.Second)
	}
	if !ok {
		return b, false
	}
	var octets [12]byte
	b = append(b, before...)
	copy(b[len(b)-len(octets):], t.Append(octets[:0])) // the last of both forms; in front are tag and length
	return b, true
}
