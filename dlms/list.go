package dlms

import (
	"context"
	"errors"
	"fmt"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

const (
	listHeader     = 4   // octets of a GET with list in front of its items, up to 127 of them
	listItem       = 10  // octets of an item: class, logical name, attribute, no selection
	expectedResult = 32  // octets that a result is expected to have, where the answer has to fit a PDU
	listMost       = 127 // items in a list: the count stays one octet
	listTrials     = 2   // answers in a row that are none to a list, after which lists are given up
)

// GetList reads attributes, many in one message where the meter grants lists
// (multiple-references): as many as fit one information field and the meter's
// PDU, and whose answer is likely to fit ours if it cannot come in blocks.
// Where a list is not answered as such, its attributes are read one by one.
//
// each is called exactly once for each attribute, in order, with its value,
// valid during the call, or with why there is none: an *AccessError, or
// another error that says why it could not be read. The error returned says
// that the association or link is lost, that the meter has left two requests
// in a row without an answer, or ctx done; the attributes not read by then have
// got it as theirs. each must not use the Association.
func (a *Association) GetList(ctx context.Context, ats []cosem.Attribute, each func(i int, d axdr.Data, err error)) error {
	end := a.c.watch(ctx)
	defer end()
	r := listReader{a: a, ats: ats, each: each, resumed: a.c.unproven}
	for r.next < len(ats) {
		if err := r.step(ctx); err != nil {
			for ; r.next < len(ats); r.next++ {
				each(r.next, nil, err)
			}
			return err
		}
	}
	return nil
}

// listReader is one GetList in progress.
type listReader struct {
	a      *Association
	ats    []cosem.Attribute
	each   func(i int, d axdr.Data, err error)
	next   int  // the first attribute that each has not been called for
	silent bool // the single read before was not answered

	unanswered int  // single reads that gave neither a value nor a refusal
	resumed    bool // the association had been idle: silence may have other reasons than lists
}

// step reads the next list, or one attribute.
func (r *listReader) step(ctx context.Context) error {
	if err := r.a.Lost(); err != nil {
		return err
	}
	n := min(r.a.listSize(), len(r.ats)-r.next)
	if n < 2 {
		return r.one(ctx)
	}
	read := r.list
	if r.a.short {
		read = r.readList
	}
	err := read(ctx, r.ats[r.next:r.next+n])
	if err == nil {
		r.a.listFailures = 0
		r.a.c.listAnswered()
		r.give()
		return nil
	}
	learns := teaches(err)
	if lost := r.a.Lost(); lost != nil {
		if learns == lessonSilence && ctx.Err() == nil && !r.resumed {
			r.a.c.listSilenced(n)
		}
		return lost
	}
	if ctx.Err() != nil {
		return err
	}
	if r.a.listFailures++; r.a.listFailures >= listTrials {
		r.a.noLists = true // whatever it is: not in this association
	}
	r.unanswered = 0
	for range n {
		if err := r.one(ctx); err != nil {
			return err
		}
	}
	if r.unanswered == 0 {
		r.a.c.learnList(learns, n)
	}
	return nil
}

// give hands out what a list has brought.
func (r *listReader) give() {
	for i, result := range r.a.results {
		at := r.next
		r.next++
		d, err := r.a.results[i].data, error(nil)
		if result.result != xdlms.Success {
			d, err = nil, &AccessError{Attribute: r.ats[at], Result: result.result, Unlisted: result.unlisted}
		} else if err = r.a.c.tooDeep(operation{name: opGet, attribute: r.ats[at]}, d); err != nil {
			d = nil
		}
		r.each(at, d, err)
	}
}

// one reads the next attribute singly. An attribute that a meter never answers
// does not cost the others: only the second silence in a row does.
func (r *listReader) one(ctx context.Context) error {
	at := r.ats[r.next]
	d, err := r.a.get(ctx, at, nil)
	var timeout *TimeoutError
	silent := errors.As(err, &timeout)
	if err != nil && (r.a.Lost() != nil || ctx.Err() != nil) {
		if silent && !r.resumed && ctx.Err() == nil {
			r.a.c.listSilenced(1)
		}
		return err
	}
	var access *AccessError
	if err != nil && !errors.As(err, &access) {
		r.unanswered++
	} else {
		r.a.c.listAnswered()
	}
	if silent && r.silent {
		return err
	}
	r.silent = silent
	i := r.next
	r.next++
	r.each(i, d, err)
	return nil
}

// listSize is how many attributes the next list may have; less than 2: none.
func (a *Association) listSize() int {
	if a.noLists || !a.params.Conformance.Has(xdlms.ConformanceMultipleReferences) {
		return 1
	}
	room := a.c.link.room()
	if a.params.MaxPDU > 0 {
		room = min(room, a.params.MaxPDU)
	}
	if a.secured != nil {
		room -= a.secured.overhead()
	}
	header, item := listHeader, listItem
	if a.short {
		header, item = readHeader, readItem
	}
	n := min((room-header)/item, listMost)
	if limit := a.c.listLimit(); limit > 0 {
		n = min(n, limit)
	}
	inBlocks := xdlms.ConformanceBlockTransferWithGetOrRead | xdlms.ConformanceGeneralBlockTransfer
	if a.maxPDU > 0 && a.params.Conformance&inBlocks == 0 {
		n = min(n, (a.maxPDU-listHeader)/expectedResult)
	}
	return n
}

// list reads a list into a.results. Nothing is given out before the whole
// answer has been found well-formed: one that lies about its count could have
// values that belong to other attributes.
func (r *listReader) list(ctx context.Context, ats []cosem.Attribute) error {
	a := r.a
	op := operation{name: opGet, count: len(ats)}
	answer, err := a.askList(ctx, op, ats)
	var timeout *TimeoutError
	if errors.As(err, &timeout) && a.Lost() == nil && a.c.cfg.Framing == Wrapper && !a.c.cfg.Datagram && timeout.Err == nil && timeout.Received == 0 {
		// Over TCP nothing was repeated yet. Two silences are needed to blame the list.
		a.c.stats.Retries++
		answer, err = a.askList(ctx, op, ats)
	}
	if err != nil {
		return err
	}
	count, body := answer.Count, answer.List
	switch answer.Type {
	case xdlms.GetWithList:
	case xdlms.GetBlock:
		joined, err := a.join(ctx, op, ofGet(answer), a.nextGet)
		if err != nil {
			return err
		}
		if count, body, err = xdlms.CutGetCount(joined); err != nil {
			return &ProtocolError{Op: op.String(), Msg: "joined blocks", Err: err}
		}
	default:
		return &ProtocolError{Op: op.String(), Err: &listShapeError{fmt.Sprintf("the answer is that to a single attribute (%s)", answer.Result)}}
	}
	if count != len(ats) {
		return &ProtocolError{Op: op.String(), Err: &listShapeError{plural(count, "result") + " in the answer"}}
	}
	a.results = a.results[:0]
	for range count {
		var result listResult
		if result.data, result.result, body, err = xdlms.CutGetResult(body); err != nil {
			return &ProtocolError{Op: op.String(), Msg: fmt.Sprintf("result %d", len(a.results)), Err: err}
		}
		a.results = append(a.results, result)
	}
	if len(body) > 0 {
		return &ProtocolError{Op: op.String(), Msg: octets(len(body)) + " behind the last result"}
	}
	return nil
}

func (a *Association) askList(ctx context.Context, op operation, ats []cosem.Attribute) (xdlms.GetResponse, error) {
	a.request = xdlms.GetRequest{Type: xdlms.GetWithList, Attributes: ats}
	return a.ask(ctx, op, &a.request)
}
