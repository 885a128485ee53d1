package dlms

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// GetRows reads an attribute that is an array, and gives its elements to row as
// they arrive: the rows of a profile's buffer, the objects of an association.
// Of an answer in blocks no more is held than one row and one block;
// ConnConfig.MaxAPDU limits a row, MaxBlocks and ctx the read. null-data
// is an array without rows. The row is valid during the call.
//
// Elements are given as they are, structures or not. A structure that is in no
// array is one row. Those of a compact-array (Blue Book Ed. 13, clause
// 4.1.5) are given written out, with their tags. Arrays inside of
// them have the count of the description, as in the standard; that a meter
// repeats it in the contents is recognized if all elements have one length, if
// the answer comes in one piece, or else from the first row on that cannot be
// read without.
//
// Rows given before an error are good. An error of row ends the read and is
// returned as it is. Else errors are as with [Association.Get].
func (a *Association) GetRows(ctx context.Context, at cosem.Attribute, sel *cosem.Selection, row func(axdr.Data) error) error {
	end := a.c.watch(ctx)
	defer end()
	if a.short {
		return a.readRows(ctx, at, sel, row)
	}
	op := operation{name: opGet, attribute: at}
	answer, err := a.ask(ctx, op, a.normal(at, sel))
	if err != nil {
		return err
	}
	cutter := rowCutter{c: a.c, op: op, limit: a.c.cfg.MaxAPDU, row: row}
	switch {
	case answer.Result != xdlms.Success:
		return &AccessError{Attribute: at, Result: answer.Result}
	case answer.Type == xdlms.GetNormal:
		return cutter.take(answer.Data, true)
	case answer.Type == xdlms.GetBlock:
		return a.cutBlocks(ctx, op, ofGet(answer), a.nextGet, &cutter, cutter.take)
	default:
		return &ProtocolError{Op: op.String(), Msg: fmt.Sprintf("asked for one attribute, the answer is a list of %d", answer.Count)}
	}
}

// cutBlocks gives blocks to take, which gives them to the cutter.
func (a *Association) cutBlocks(ctx context.Context, op operation, first datablock, next follower, cutter *rowCutter, take func(raw []byte, last bool) error) error {
	cutter.held = a.joined[:0]
	err := a.blocks(ctx, op, first, next, take)
	if a.joined = cutter.held[:0]; cap(a.joined) > keepJoined {
		a.joined = nil
	}
	return err
}

// rowCutter cuts the elements out of an array that arrives in pieces.
type rowCutter struct {
	c     *Conn
	op    operation
	limit int // octets of an element
	row   func(axdr.Data) error

	held  []byte // what could not be cut yet
	try   int    // how much has to be held before it is worth trying again
	begun bool   // the head of the array has been read
	count int    // elements announced
	given int    // elements given to row
	usual int    // octets of the last of them, at most limit
	mine  error  // what row returned

	compact  bool // a compact-array: it announces octets, not elements
	elements axdr.TypeDescription
	counted  bool   // see axdr.TypeDescription.Counted
	size     int    // octets announced
	left     int    // of these, octets to come
	out      []byte // the row written out
}

// errMore says that more octets are needed.
var errMore = errors.New("more octets are needed")

// take takes the next piece.
func (r *rowCutter) take(raw []byte, last bool) error {
	b := raw
	if len(r.held) > 0 || !last {
		r.held = append(r.held, raw...)
		b = r.held
	}
	// A row that comes octet by octet would be looked at again with each; so
	// what is held has to have grown by a quarter.
	if len(b) < r.try && !last {
		return nil
	}
	rest, err := r.cut(b, last)
	switch {
	case r.mine != nil:
		return r.mine // whatever it wraps
	case err == nil && len(rest) > 0:
		return r.broken(octets(len(rest))+" behind the last row", nil)
	case errors.Is(err, errMore) && last:
		return r.tooShort(len(rest))
	case errors.Is(err, errMore):
		if len(rest) > r.limit {
			return r.broken(fmt.Sprintf("row %d has more than %d octets", r.given+1, r.limit), nil)
		}
	case err != nil:
		return err
	}
	if !last {
		r.held = r.held[:copy(r.held, rest)]
		r.try = len(r.held) + len(r.held)/4
	}
	return nil
}

func (r *rowCutter) broken(msg string, err error) error {
	return &ProtocolError{Op: r.op.String(), Msg: msg, Err: err}
}

// tooShort says that the answer ends with rows to come, within a row if there
// is a rest.
func (r *rowCutter) tooShort(rest int) error {
	announced := plural(r.count, "row") + " announced"
	switch {
	case r.compact:
		announced = octets(r.size) + " of rows announced, " + octets(r.size-r.left+rest) + " came"
	case rest == 0 && r.begun:
		return r.broken(fmt.Sprintf("%s, %d came", announced, r.given), io.ErrUnexpectedEOF)
	}
	return r.broken(fmt.Sprintf("%s, the answer ends within number %d", announced, r.given+1), io.ErrUnexpectedEOF)
}

// cut gives the whole elements at the front of b to row and returns the rest.
// The error is errMore if there are elements to come. A rest that is shorter
// than the row before it waits for the next piece untried: nearly always it is
// the begin of a row, and to be told so costs an error for each block.
func (r *rowCutter) cut(b []byte, last bool) ([]byte, error) {
	if !r.begun {
		rest, err := r.head(b)
		if err != nil {
			return rest, err
		}
		b = rest
	}
	for r.given < r.count || r.left > 0 {
		if len(b) == 0 || !last && len(b) < r.usual {
			return b, errMore
		}
		d, rest, err := r.next(b)
		if err != nil {
			return b, err
		}
		r.usual = min(len(b)-len(rest), r.limit)
		b = rest
		r.given++
		if err := r.c.tooDeep(r.op, d); err != nil {
			return b, err
		}
		if r.mine = r.row(d); r.mine != nil {
			return b, r.mine
		}
	}
	return b, nil
}

// next cuts the element at the front of b.
func (r *rowCutter) next(b []byte) (axdr.Data, []byte, error) {
	if r.compact {
		return r.nextCompact(b)
	}
	d, rest, err := axdr.Cut(b)
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, b, errMore
	case err != nil:
		return nil, b, r.broken(fmt.Sprintf("row %d", r.given+1), err)
	default:
		return d, rest, nil
	}
}

// nextCompact cuts the contents of an element of a compact-array from the front
// of b and writes the element out.
func (r *rowCutter) nextCompact(b []byte) (axdr.Data, []byte, error) {
	contents := b[:min(len(b), r.left)]
	whole := len(contents) == r.left
	if !r.counted && r.left == r.size {
		r.counted = r.elements.Counted(contents, r.size)
	}
	counted := r.counted
	row, rest, err := r.elements.AppendElement(r.out[:0], contents, counted, r.limit)
	if err != nil && !counted && r.elements.HasArray() && (whole || !errors.Is(err, io.ErrUnexpectedEOF)) {
		var other error
		counted = true
		if row, rest, other = r.elements.AppendElement(r.out[:0], contents, counted, r.limit); other == nil || !whole && errors.Is(other, io.ErrUnexpectedEOF) {
			err = other
		}
	}
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF) && !whole:
		return nil, b, errMore
	case err != nil:
		return nil, b, r.broken(fmt.Sprintf("row %d of a compact-array", r.given+1), err)
	}
	r.out, r.counted = row, counted
	used := len(contents) - len(rest)
	r.left -= used
	return axdr.Data(row[:len(row):len(row)]), b[used:], nil
}

// head reads what is in front of the rows.
func (r *rowCutter) head(b []byte) (rest []byte, err error) {
	if len(b) == 0 {
		return b, errMore
	}
	switch tag := axdr.Tag(b[0]); tag {
	case axdr.TagNull:
		rest = b[1:]
	case axdr.TagStructure: // a row that is in no array
		rest, r.count = b, 1
	case axdr.TagArray:
		r.count, rest, err = axdr.CutLength(b[1:])
	case axdr.TagCompactArray:
		r.compact = true
		if r.elements, rest, err = axdr.CutTypeDescription(b[1:]); err == nil {
			r.size, rest, err = axdr.CutLength(rest)
			r.left = r.size
		}
	default:
		return b, r.broken(fmt.Sprintf("expected an array, got %s", tag), nil)
	}
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return b, errMore
	case err != nil:
		return b, r.broken("number of rows", err)
	}
	r.begun = true
	return rest, nil
}
