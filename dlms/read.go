package dlms

import (
	"context"
	"fmt"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

const (
	readHeader = 2 // octets of a READ in front of its variables, up to 127 of them
	readItem   = 3 // octets of a variable: choice and name
)

// Objects that every meter with short-name referencing has under a name of the
// standard, in its list or not.
var (
	associationSN = cosem.Attribute{Class: cosem.AssociationSN, Instance: obis.Code{0, 0, 40, 0, 0, 255}, ID: 2}
	reservedNames = [...]cosem.ShortName{
		{Base: cosem.BaseAssociationSN, Class: cosem.AssociationSN, Instance: associationSN.Instance},
		{Base: cosem.BaseSAPAssignment, Class: cosem.SAPAssignment, Instance: obis.Code{0, 0, 41, 0, 0, 255}},
		{Base: cosem.BaseLogicalDeviceName, Class: cosem.Data, Instance: obis.Code{0, 0, 42, 0, 0, 255}},
	}
)

// ReadNames reads which objects the meter has, and under which names: the object
// list at FA00h (Blue Book Ed. 13, clause 4.4.3). From then on their attributes
// can be read. Elements that cannot be read are left out.
func (a *Association) ReadNames(ctx context.Context) (cosem.ShortNames, error) {
	var list []cosem.ShortName
	err := a.GetRows(ctx, associationSN, nil, func(d axdr.Data) error {
		if n, err := cosem.ParseShortName(d); err == nil {
			list = append(list, n)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, &ProtocolError{Op: operation{name: opRead, attribute: associationSN}.String(), Msg: "the object list is empty"}
	}
	a.names = cosem.PackShortNames(list)
	return a.names, nil
}

// SetNames says which objects the meter has.
func (a *Association) SetNames(names cosem.ShortNames) { a.names = names }

// variable is how an attribute is asked for.
func (a *Association) variable(at cosem.Attribute, sel *cosem.Selection) (v xdlms.VariableAccess, err error) {
	name, ok := a.names.Name(at)
	for i := range reservedNames {
		if n := &reservedNames[i]; !ok && n.Class == at.Class && n.Instance == at.Instance {
			name, ok = n.Attribute(at.ID)
		}
	}
	switch {
	case !ok:
		return v, &AccessError{Attribute: at, Result: xdlms.ObjectUndefined, Unlisted: true}
	case sel == nil:
		return xdlms.VariableAccess{Choice: xdlms.VariableName, Name: name}, nil
	case !a.params.Conformance.Has(xdlms.ConformanceParameterizedAccess):
		return v, &ProtocolError{Op: operation{name: opRead, attribute: at}.String(), Msg: "the meter does not grant parameterized access"}
	default:
		return xdlms.VariableAccess{Choice: xdlms.ParameterizedAccess, Name: name, Selector: sel.Selector, Parameter: sel.Parameters}, nil
	}
}

// askRead sends a.read (clause 9.3.14) and returns the number of results in the
// answer, and the results, valid until the next exchange.
func (a *Association) askRead(ctx context.Context, op operation) (count int, results []byte, err error) {
	answer, err := a.transact(ctx, op, &a.read, expectation{kind: wantRead}, xdlms.TagReadResponse, len(a.read.Accesses) > 1)
	if err != nil {
		return 0, nil, err
	}
	count, results, err = xdlms.ParseReadResponse(answer)
	if err != nil {
		return 0, nil, &ProtocolError{Op: op.String(), Msg: shown(answer), Err: err}
	}
	return count, results, nil
}

// askVariable reads one attribute. The result is a value, a reason, or a block.
func (a *Association) askVariable(ctx context.Context, op operation, v xdlms.VariableAccess) (p xdlms.ReadResult, err error) {
	a.read.Accesses = append(a.read.Accesses[:0], v)
	count, results, err := a.askRead(ctx, op)
	if err != nil {
		return p, err
	}
	if count != 1 {
		return p, &ProtocolError{Op: op.String(), Msg: fmt.Sprintf("asked for one variable, the answer has %s", plural(count, "result"))}
	}
	p, rest, err := xdlms.CutReadResult(results)
	switch {
	case err != nil:
		return p, &ProtocolError{Op: op.String(), Msg: shown(results), Err: err}
	case len(rest) > 0:
		return p, &ProtocolError{Op: op.String(), Msg: octets(len(rest)) + " behind the result"}
	case p.Choice == xdlms.ReadBlockNumber:
		return p, &ProtocolError{Op: op.String(), Msg: "the answer is that to a part of a request"}
	default:
		return p, nil
	}
}

// ofRead is the block in an answer to READ.
func ofRead(p xdlms.ReadResult) datablock {
	return datablock{number: uint32(p.Block), last: p.Last, raw: p.Raw, result: p.Error}
}

// nextRead asks for the block after acknowledged.
func (a *Association) nextRead(ctx context.Context, op operation, acknowledged uint32) (datablock, error) {
	p, err := a.askVariable(ctx, op, xdlms.VariableAccess{Choice: xdlms.BlockNumberAccess, Block: uint16(acknowledged)})
	switch {
	case err != nil:
		return datablock{}, err
	case p.Choice == xdlms.ReadData:
		return datablock{}, &ProtocolError{Op: op.String(), Msg: fmt.Sprintf("expected block %d, got a value", acknowledged+1)}
	default:
		return ofRead(p), nil
	}
}

// readOne is get in short-name referencing.
func (a *Association) readOne(ctx context.Context, at cosem.Attribute, sel *cosem.Selection) (axdr.Data, error) {
	op := operation{name: opRead, attribute: at}
	v, err := a.variable(at, sel)
	if err != nil {
		return nil, err
	}
	p, err := a.askVariable(ctx, op, v)
	if err != nil {
		return nil, err
	}
	if p.Choice == xdlms.ReadBlock {
		raw, err := a.join(ctx, op, ofRead(p), a.nextRead)
		if err != nil {
			return nil, err
		}
		results, err := joinedResults(raw, 1)
		if err != nil {
			return nil, &ProtocolError{Op: op.String(), Msg: "joined blocks", Err: err}
		}
		p = results[0]
	}
	if p.Choice == xdlms.ReadRefused {
		return nil, &AccessError{Attribute: at, Result: p.Error}
	}
	return p.Data, a.c.tooDeep(op, p.Data)
}

// joinedResults reads the results that came in blocks: the body of a
// read-response. There are meters that leave out the count, or even the choice
// of the first result.
func joinedResults(raw []byte, want int) ([]xdlms.ReadResult, error) {
	count, rest, err := xdlms.CutReadCount(raw)
	if err == nil && count != want {
		err = &listShapeError{plural(count, "result") + " in the answer"}
	}
	var list []xdlms.ReadResult
	if err == nil {
		list, err = cutResults(nil, rest, want)
	}
	if err == nil {
		return list, nil
	}
	if list, bare := cutResults(nil, raw, want); bare == nil {
		return list, nil
	}
	if d, rest, bare := axdr.Cut(raw); bare == nil {
		if list, bare := cutResults([]xdlms.ReadResult{{Data: d}}, rest, want); bare == nil {
			return list, nil
		}
	}
	return nil, err
}

// cutResults appends results until there are so many, which have to be all.
func cutResults(list []xdlms.ReadResult, b []byte, want int) ([]xdlms.ReadResult, error) {
	for len(list) < want {
		p, rest, err := xdlms.CutReadResult(b)
		if err != nil {
			return nil, err
		}
		if p.Choice != xdlms.ReadData && p.Choice != xdlms.ReadRefused {
			return nil, &listShapeError{"a block among the results"}
		}
		list, b = append(list, p), rest
	}
	if len(b) > 0 {
		return nil, &listShapeError{octets(len(b)) + " behind the last result"}
	}
	return list, nil
}

// readList is list in short-name referencing. What has no name is not asked for.
func (r *listReader) readList(ctx context.Context, ats []cosem.Attribute) error {
	a := r.a
	op := operation{name: opRead, count: len(ats)}
	a.results = a.results[:0]
	a.read.Accesses = a.read.Accesses[:0]
	for _, at := range ats {
		v, err := a.variable(at, nil)
		if err != nil {
			a.results = append(a.results, listResult{result: xdlms.ObjectUndefined, unlisted: true})
			continue
		}
		a.read.Accesses = append(a.read.Accesses, v)
		a.results = append(a.results, listResult{})
	}
	asked := len(a.read.Accesses)
	if asked == 0 {
		return nil
	}
	count, body, err := a.askRead(ctx, op)
	if err != nil {
		return err
	}
	results := make([]xdlms.ReadResult, 0, asked)
	for range min(count, asked) {
		var p xdlms.ReadResult
		if p, body, err = xdlms.CutReadResult(body); err != nil {
			return &ProtocolError{Op: op.String(), Msg: fmt.Sprintf("result %d", len(results)), Err: err}
		}
		results = append(results, p)
	}
	switch {
	case len(body) > 0 && count == asked:
		return &ProtocolError{Op: op.String(), Msg: octets(len(body)) + " behind the last result"}
	case count == 1 && results[0].Choice == xdlms.ReadBlock:
		raw, err := a.join(ctx, op, ofRead(results[0]), a.nextRead)
		if err != nil {
			return err
		}
		if results, err = joinedResults(raw, asked); err != nil {
			return &ProtocolError{Op: op.String(), Msg: "joined blocks", Err: err}
		}
	case count != asked:
		return &ProtocolError{Op: op.String(), Err: &listShapeError{plural(count, "result") + " in the answer"}}
	}
	next := 0
	for i := range a.results {
		to := &a.results[i]
		if to.unlisted {
			continue
		}
		switch p := &results[next]; p.Choice {
		case xdlms.ReadData:
			to.data = p.Data
		case xdlms.ReadRefused:
			to.result = p.Error
		default:
			return &ProtocolError{Op: op.String(), Err: &listShapeError{"a block among the results"}}
		}
		next++
	}
	return nil
}

// readRows is GetRows in short-name referencing.
func (a *Association) readRows(ctx context.Context, at cosem.Attribute, sel *cosem.Selection, row func(axdr.Data) error) error {
	op := operation{name: opRead, attribute: at}
	v, err := a.variable(at, sel)
	if err != nil {
		return err
	}
	p, err := a.askVariable(ctx, op, v)
	if err != nil {
		return err
	}
	cutter := rowCutter{c: a.c, op: op, limit: a.c.cfg.MaxAPDU, row: row}
	switch p.Choice {
	case xdlms.ReadRefused:
		return &AccessError{Attribute: at, Result: p.Error}
	case xdlms.ReadData:
		return cutter.take(p.Data, true)
	default:
		head := readBody{at: at, take: cutter.take}
		return a.cutBlocks(ctx, op, ofRead(p), a.nextRead, &cutter, head.pass)
	}
}

// readBody takes the count and the choice off the front of a read-response that
// comes in blocks, where they are.
type readBody struct {
	at    cosem.Attribute
	take  func(raw []byte, last bool) error
	front []byte // while it is too short to tell
	done  bool
}

// longestRefusal is the octets of the body of a read-response with a reason.
const longestRefusal = 3

func (r *readBody) pass(raw []byte, last bool) error {
	if r.done {
		return r.take(raw, last)
	}
	if len(r.front) > 0 {
		raw = append(r.front, raw...)
	}
	if len(raw) <= longestRefusal && !last {
		r.front = append([]byte(nil), raw...)
		return nil
	}
	r.done = true
	switch {
	case len(raw) == longestRefusal && last && raw[0] == 1 && raw[1] == byte(xdlms.ReadRefused):
		return &AccessError{Attribute: r.at, Result: xdlms.DataAccessResult(raw[2])}
	case len(raw) > 2 && raw[0] == 1 && raw[1] == byte(xdlms.ReadData):
		raw = raw[2:]
	case len(raw) > 1 && raw[0] == byte(xdlms.ReadData):
		raw = raw[1:]
	default:
	}
	return r.take(raw, last)
}
