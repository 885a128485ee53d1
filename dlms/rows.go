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
	mine  error  // what row returned
}

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
	rest, err := r.cut(b)
	switch {
	case r.mine != nil:
		return r.mine // whatever it wraps
	case err == nil && len(rest) > 0 && r.given == r.count && r.begun:
		return r.broken(octets(len(rest))+" behind the last row", nil)
	case err == nil && last && r.given < r.count:
		return r.broken(fmt.Sprintf("%s announced, %d came", plural(r.count, "row"), r.given), io.ErrUnexpectedEOF)
	case errors.Is(err, io.ErrUnexpectedEOF) && last:
		return r.broken(fmt.Sprintf("%s announced, the answer ends within number %d", plural(r.count, "row"), r.given+1), err)
	case errors.Is(err, io.ErrUnexpectedEOF):
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

// cut gives the whole elements at the front of b to row and returns the rest. An
// error that wraps io.ErrUnexpectedEOF means that more octets are needed.
func (r *rowCutter) cut(b []byte) ([]byte, error) {
	if !r.begun {
		rest, err := r.head(b)
		if err != nil {
			return rest, err
		}
		b = rest
	}
	for r.given < r.count {
		if len(b) == 0 {
			return b, nil
		}
		d, rest, err := axdr.Cut(b)
		if err != nil {
			if errors.Is(err, io.ErrUnexpectedEOF) {
				return b, err
			}
			return b, r.broken(fmt.Sprintf("row %d", r.given+1), err)
		}
		b = rest
		r.given++
		if err := r.c.tooDeep(r.op, d); err != nil {
			return b, err
		}
		if r.mine = r.row(d); r.mine != nil {
			return b, nil
		}
	}
	return b, nil
}

// head reads the head of the array.
func (r *rowCutter) head(b []byte) ([]byte, error) {
	if len(b) == 0 {
		return b, io.ErrUnexpectedEOF
	}
	switch tag := axdr.Tag(b[0]); tag {
	case axdr.TagNull:
		r.begun = true
		return b[1:], nil
	case axdr.TagArray:
		n, rest, err := axdr.CutLength(b[1:])
		switch {
		case errors.Is(err, io.ErrUnexpectedEOF):
			return b, err
		case err != nil:
			return b, r.broken("number of rows", err)
		}
		r.begun, r.count = true, n
		return rest, nil
	default:
		return b, r.broken(fmt.Sprintf("expected an array, got %s", tag), nil)
	}
}
