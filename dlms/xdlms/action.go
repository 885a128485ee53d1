package xdlms

import (
	"errors"
	"fmt"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
)

// actionNormal is the one kind of ACTION there is here: one method, without blocks.
const actionNormal = 1

// ActionRequest is Action-Request-Normal: one method of one object is invoked (Green Book Ed. 9, 9.3.6, The ACTION
// service, and 9.5).
type ActionRequest struct {
	InvokeID InvokeID
	Class    cosem.ClassID
	Instance obis.Code
	Method   int8
	// Parameter is the method's parameter, one encoded Data; nil: none. In a parsed request it is a view.
	Parameter axdr.Data
}

// Append appends the encoded request to b. It fails for a parameter without octets that is not nil.
func (q *ActionRequest) Append(b []byte) ([]byte, error) {
	if q.Parameter != nil && len(q.Parameter) == 0 {
		return nil, errors.New("action-request with an empty parameter")
	}
	b = append(b, uint8(TagActionRequest), actionNormal, uint8(q.InvokeID))
	b = appendU16(b, uint16(q.Class))
	b = append(b, q.Instance[:]...)
	b = append(b, uint8(q.Method))
	if q.Parameter == nil {
		return append(b, 0), nil
	}
	return append(append(b, 1), q.Parameter...), nil
}

// ParseActionRequest decodes a request that fills b. It does not allocate. The error is a *SyntaxError.
func ParseActionRequest(b []byte) (ActionRequest, error) {
	const what = "method-descriptor"
	r := newReader(b, TagActionRequest)
	r.actionType()
	q := ActionRequest{InvokeID: InvokeID(r.u8("invoke-id-and-priority")), Class: cosem.ClassID(r.u16(what))}
	copy(q.Instance[:], r.octets(len(q.Instance), what))
	q.Method = int8(r.u8(what))
	if r.flag("method-invocation-parameters") {
		q.Parameter = r.data("method-invocation-parameters")
	}
	if err := r.end(); err != nil {
		return ActionRequest{}, err
	}
	return q, nil
}

// actionType reads the choice inside Action-Request and Action-Response, of which the normal one only is known.
func (r *reader) actionType() {
	if t := r.u8("type"); r.err == nil && t != actionNormal {
		r.failAt(1, fmt.Sprintf("type %d", t), nil)
	}
}

// ActionResponse is Action-Response-Normal: how a method has ended and what it has returned (Green Book Ed. 9, 9.3.6,
// The ACTION service, and 9.5).
type ActionResponse struct {
	InvokeID InvokeID
	Result   ActionResult
	// Return is what the method returned, one encoded Data, when HasReturn is set and ReturnError is Success. In a
	// parsed response it is a view.
	Return axdr.Data
	// ReturnError is why there is nothing to return, when HasReturn is set.
	ReturnError DataAccessResult
	HasReturn   bool
}

// Append appends the encoded response to b. It fails when the fields do not fit together.
func (p *ActionResponse) Append(b []byte) ([]byte, error) {
	b = append(b, uint8(TagActionResponse), actionNormal, uint8(p.InvokeID), uint8(p.Result))
	switch {
	case !p.HasReturn && len(p.Return) == 0 && p.ReturnError == Success:
		return append(b, 0), nil
	case !p.HasReturn:
		return nil, errors.New("action-response with return parameters that are not there")
	case (len(p.Return) == 0) == (p.ReturnError == Success):
		return nil, fmt.Errorf("action-response with %d octets of return parameters and %s", len(p.Return), p.ReturnError)
	default:
		return AppendGetResult(append(b, 1), p.Return, p.ReturnError), nil
	}
}

// ParseActionResponse decodes a response that fills b. It does not allocate. The error is a *SyntaxError.
//
// Meters leave octets out: the flag of the return parameters, when there are none, and the choice between data and
// error in front of an octet-string. Both are read as what they stand for.
func ParseActionResponse(b []byte) (ActionResponse, error) {
	const what = "return-parameters"
	r := newReader(b, TagActionResponse)
	r.actionType()
	p := ActionResponse{InvokeID: InvokeID(r.u8("invoke-id-and-priority")), Result: ActionResult(r.u8("result"))}
	switch {
	case r.err == nil && len(r.b) == 0:
	case !r.flag(what):
	case len(r.b) > 0 && r.b[0] == uint8(axdr.TagOctetString):
		p.Return, p.HasReturn = r.data(what), true
	default:
		p.Return, p.ReturnError = r.result()
		p.HasReturn = true
	}
	if err := r.end(); err != nil {
		return ActionResponse{}, err
	}
	return p, nil
}

// ActionResult is Action-Result: why a method could not be invoked (Green Book Ed. 9, 9.5).
type ActionResult uint8

// The action results. The numbers are those of DataAccessResult, but for 15 and 16.
const (
	ActionSuccess                 ActionResult = 0
	ActionHardwareFault           ActionResult = 1
	ActionTemporaryFailure        ActionResult = 2
	ActionReadWriteDenied         ActionResult = 3
	ActionObjectUndefined         ActionResult = 4
	ActionObjectClassInconsistent ActionResult = 9
	ActionObjectUnavailable       ActionResult = 11
	ActionTypeUnmatched           ActionResult = 12
	ActionScopeOfAccessViolated   ActionResult = 13
	ActionDataBlockUnavailable    ActionResult = 14
	ActionLongActionAborted       ActionResult = 15
	ActionNoLongActionInProgress  ActionResult = 16
	ActionOtherReason             ActionResult = 250
)

var actionResultNames = [...]string{
	ActionSuccess:                 "success",
	ActionHardwareFault:           "hardware-fault",
	ActionTemporaryFailure:        "temporary-failure",
	ActionReadWriteDenied:         "read-write-denied",
	ActionObjectUndefined:         "object-undefined",
	ActionObjectClassInconsistent: "object-class-inconsistent",
	ActionObjectUnavailable:       "object-unavailable",
	ActionTypeUnmatched:           "type-unmatched",
	ActionScopeOfAccessViolated:   "scope-of-access-violated",
	ActionDataBlockUnavailable:    "data-block-unavailable",
	ActionLongActionAborted:       "long-action-aborted",
	ActionNoLongActionInProgress:  "no-long-action-in-progress",
	ActionOtherReason:             "other-reason",
}

// String gives the standard's name: "object-undefined".
func (r ActionResult) String() string { return name(actionResultNames[:], uint8(r)) }
