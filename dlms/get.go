package dlms

import (
	"context"
	"errors"
	"fmt"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// The names of the services that read, in errors.
const (
	opGet  = "GET"
	opRead = "READ"
)

// Get reads one attribute (GET, clause 9.3.6), with selective access if sel is
// not nil. An answer in blocks is joined, up to ConnConfig.MaxAPDU octets. The
// Data is valid until the next call on the Association or its Conn.
//
// An *AccessError, *ExceptionError, *ServiceError or *ProtocolError concerns
// this attribute alone, unless Lost says that the association is over. With
// the wrapper a *TimeoutError leaves the association usable, too: should the
// answer still come, it is dropped.
func (a *Association) Get(ctx context.Context, at cosem.Attribute, sel *cosem.Selection) (axdr.Data, error) {
	end := a.c.watch(ctx)
	defer end()
	return a.get(ctx, at, sel)
}

func (a *Association) get(ctx context.Context, at cosem.Attribute, sel *cosem.Selection) (axdr.Data, error) {
	if a.short {
		return a.readOne(ctx, at, sel)
	}
	op := operation{name: opGet, attribute: at}
	answer, err := a.ask(ctx, op, a.normal(at, sel))
	if err != nil {
		return nil, err
	}
	switch {
	case answer.Result != xdlms.Success:
		return nil, &AccessError{Attribute: at, Result: answer.Result}
	case answer.Type == xdlms.GetNormal:
		return answer.Data, a.c.tooDeep(op, answer.Data)
	case answer.Type == xdlms.GetBlock:
		raw, err := a.join(ctx, op, ofGet(answer), a.nextGet)
		if err != nil {
			return nil, err
		}
		d, err := axdr.Parse(raw)
		if err != nil {
			return nil, &ProtocolError{Op: op.String(), Msg: "joined blocks", Err: err}
		}
		return d, a.c.tooDeep(op, d)
	default:
		return nil, &ProtocolError{Op: op.String(), Msg: fmt.Sprintf("asked for one attribute, the answer is a list of %d", answer.Count)}
	}
}

// normal prepares a.request for one attribute.
func (a *Association) normal(at cosem.Attribute, sel *cosem.Selection) *xdlms.GetRequest {
	a.single[0], a.choice[0] = at, sel
	a.request = xdlms.GetRequest{Type: xdlms.GetNormal, Attributes: a.single[:]}
	if sel != nil {
		a.request.Selections = a.choice[:]
	}
	return &a.request
}

// ask sends a request under a new invoke id and returns the answer. Priority is
// high and the service confirmed (C1h and the like), as in all published
// dialogs; meters without priorities ignore the bit.
func (a *Association) ask(ctx context.Context, op operation, q *xdlms.GetRequest) (xdlms.GetResponse, error) {
	q.InvokeID = xdlms.InvokeConfirmed | xdlms.InvokeHighPriority | xdlms.InvokeID(a.c.nextInvoke())
	return a.roundTrip(ctx, op, q, expectation{kind: wantGet, invoke: q.InvokeID.ID()})
}

// roundTrip sends a request and returns the answer, whose slices are valid
// until the next exchange.
func (a *Association) roundTrip(ctx context.Context, op operation, q *xdlms.GetRequest, e expectation) (xdlms.GetResponse, error) {
	if q.Selections != nil && !a.params.Conformance.Has(xdlms.ConformanceSelectiveAccess) {
		return xdlms.GetResponse{}, &ProtocolError{Op: op.String(), Msg: "the meter does not grant selective access"}
	}
	answer, err := a.transact(ctx, op, q, e, xdlms.TagGetResponse, q.Type == xdlms.GetWithList)
	if err != nil {
		return xdlms.GetResponse{}, err
	}
	response, err := xdlms.ParseGetResponse(answer)
	if err != nil {
		return xdlms.GetResponse{}, &ProtocolError{Op: op.String(), Msg: shown(answer), Err: err}
	}
	return response, nil
}

// transact sends a request and returns the APDU that answers it, which has the
// tag, valid until the next exchange.
func (a *Association) transact(ctx context.Context, op operation, q appender, e expectation, want xdlms.APDUTag, list bool) ([]byte, error) {
	if err := a.Lost(); err != nil {
		return nil, err
	}
	apdu, err := a.encode(op, q)
	if err != nil {
		return nil, err
	}
	e.secured, e.datagram = a.secured, a.c.cfg.Datagram
	if !a.blocked(apdu) { // what is repeated of blocks is a block, and they are not ciphered
		e.again = a.anew(op, q)
	}
	answer, err := a.converse(ctx, op, apdu, e)
	if err != nil {
		if a.short && a.c.cfg.Framing == Wrapper && a.c.broken == nil {
			a.c.broken = fmt.Errorf("a READ was not answered on this connection (%w)", err)
		}
		if !a.c.link.open() || a.c.unproven && !a.c.cfg.Datagram && ctx.Err() == nil {
			a.lost = err
		}
		return nil, err
	}
	a.c.unproven = false
	if answer, err = a.unprotect(op, answer); err != nil {
		a.lost = err // never on below what was agreed
		return nil, err
	}
	switch tag := xdlms.APDUTag(answer[0]); tag {
	case want:
		return answer, nil
	case xdlms.TagExceptionResponse, xdlms.TagConfirmedServiceError:
		return nil, a.refused(list, errorAPDU(op.String(), answer))
	default:
		return nil, &ProtocolError{Op: op.String(), Msg: fmt.Sprintf("expected a %s, got %s: %s", want, tag, shown(answer))}
	}
}

// refused looks at an error APDU. One that says that there is no association
// ends ours; not in answer to a list, which a meter may refuse in the same
// words: then the single reads that follow will tell. An invocation counter that
// the meter does not take ends it too: those that follow are no better.
func (a *Association) refused(list bool, err error) error {
	var exception *ExceptionError
	if !errors.As(err, &exception) {
		return err
	}
	if exception.lost() && !list || a.secured != nil && exception.Response.Service == xdlms.InvocationCounterError {
		a.lost = err
	}
	return err
}

// appender is a request.
type appender interface {
	Append(b []byte) ([]byte, error)
}

// encode encodes a request and checks that it may be sent: only an AARQ may be
// segmented, and only a meter that grants it takes a request in blocks.
func (a *Association) encode(op operation, q appender) ([]byte, error) {
	apdu, err := q.Append(a.apdu[:0])
	if err != nil {
		return nil, &ProtocolError{Op: op.String(), Err: err}
	}
	a.apdu = apdu
	if a.secured != nil {
		if apdu, err = a.secured.seal(apdu); err != nil {
			return nil, &SecurityError{Op: op.String(), Err: err}
		}
	}
	if a.blocked(apdu) {
		return apdu, nil
	}
	if limit := a.params.MaxPDU; limit > 0 && len(apdu) > limit {
		return nil, &RequestSizeError{Op: op.String(), Octets: len(apdu), Limit: limit}
	}
	if room := a.c.link.room(); len(apdu) > room && !a.c.cfg.SegmentRequests {
		return nil, &RequestSizeError{Op: op.String(), Octets: len(apdu), Limit: room, Frame: true}
	}
	return apdu, nil
}

// datablock is a part of an answer, or why there is none.
type datablock struct {
	number uint32
	last   bool
	raw    []byte
	result xdlms.DataAccessResult
}

// ofGet is the block in an answer to GET.
func ofGet(p xdlms.GetResponse) datablock {
	return datablock{number: p.Block, last: p.Last, raw: p.Raw, result: p.Result}
}

// nextGet asks for the block after acknowledged, under the same invoke id.
func (a *Association) nextGet(ctx context.Context, op operation, acknowledged uint32) (datablock, error) {
	invoke := a.request.InvokeID
	a.request = xdlms.GetRequest{Type: xdlms.GetNext, InvokeID: invoke, Block: acknowledged}
	p, err := a.roundTrip(ctx, op, &a.request, expectation{
		kind: wantGet, invoke: invoke.ID(), block: acknowledged, copies: a.c.cfg.Datagram,
	})
	switch {
	case err != nil:
		return datablock{}, err
	case p.Type == xdlms.GetNormal && p.Result != xdlms.Success: // some meters end a transfer so
	case p.Type != xdlms.GetBlock:
		return datablock{}, &ProtocolError{Op: op.String(), Msg: fmt.Sprintf("expected block %d, got a get-response %s", acknowledged+1, p.Type)}
	default:
	}
	return ofGet(p), nil
}

// follower asks for the block after the one acknowledged.
type follower func(ctx context.Context, op operation, acknowledged uint32) (datablock, error)

// join fetches the blocks that follow first and returns the raw data of all,
// valid until the next call.
func (a *Association) join(ctx context.Context, op operation, first datablock, next follower) ([]byte, error) {
	if cap(a.joined) > keepJoined {
		a.joined = nil
	}
	a.joined = a.joined[:0]
	err := a.blocks(ctx, op, first, next, func(raw []byte, _ bool) error {
		if len(a.joined)+len(raw) > a.c.cfg.MaxAPDU {
			return &ProtocolError{Op: op.String(), Msg: fmt.Sprintf("the blocks hold more than %d octets", a.c.cfg.MaxAPDU)}
		}
		a.joined = append(a.joined, raw...)
		return nil
	})
	return a.joined, err
}

// keepJoined is how much room for joined blocks outlives an answer.
const keepJoined = 64 << 10

// blocks hands the raw data of each block to take: of first, and of those that
// are then asked for (clause 9.3.6, block transfer). The numbers begin with 1
// (some meters: 0) and count up by one. A block that comes again is
// acknowledged once more, for our acknowledgement may have been lost; over UDP,
// where such copies are usual and come in any order, it is dropped. An empty block is legal.
func (a *Association) blocks(ctx context.Context, op operation, first datablock, next follower, take func(raw []byte, last bool) error) error {
	if first.number > 1 && first.result == xdlms.Success {
		return &ProtocolError{Op: op.String(), Msg: fmt.Sprintf("the first block has number %d, expected 1 or 0", first.number)}
	}
	block, again := first, false
	expected := first.number
	for n := 1; ; {
		switch {
		case block.result != xdlms.Success:
			return &AccessError{Attribute: op.attribute, Result: block.result}
		case block.number == expected:
			if err := take(block.raw, block.last); err != nil {
				return err
			}
			if block.last {
				return nil
			}
			if n++; n > a.c.cfg.MaxBlocks {
				return &ProtocolError{Op: op.String(), Msg: fmt.Sprintf("more than %d blocks", a.c.cfg.MaxBlocks)}
			}
			expected, again = expected+1, false
		case block.number+1 == expected && !again:
			again = true
		default:
			return &ProtocolError{Op: op.String(), Msg: fmt.Sprintf("expected block %d, got block %d", expected, block.number)}
		}
		op.block, op.next = expected-1, true
		var err error
		if block, err = next(ctx, op, expected-1); err != nil {
			return err
		}
	}
}
