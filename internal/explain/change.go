package explain

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// The services by which a client changes something are only shown: an ACTION is
// part of each association with high level security, a SET may be in a dialog of
// another client. Of these the forms without blocks and lists are taken apart.

const (
	changeNormal  = 1
	changeHead    = 3 // tag, type, invoke-id-and-priority
	descriptorEnd = changeHead + 2 + 6 + 1
)

// otherForm shows a form that is not taken apart. It reports false if it is one
// that is.
func (x *explainer) otherForm(n *Node, o octets) bool {
	if len(o.b) < changeHead || o.b[1] == changeNormal {
		return false
	}
	n.Value = fmt.Sprintf("type %d", o.b[1])
	n.Note = invoke(xdlms.InvokeID(o.b[2]))
	x.add(n, "octets", hidden(o.b), o)
	return true
}

// replyToHLS is the method of an association by which both sides prove who they are.
const replyToHLS = 1

func (x *explainer) actionRequest(n *Node, o octets, c ctx) {
	if x.otherForm(n, o) {
		return
	}
	q, err := xdlms.ParseActionRequest(o.b)
	if err != nil {
		x.wrong(n, o, err)
		return
	}
	n.Value, n.Note = "normal", invoke(q.InvokeID)
	c.s.secret = q.Method == replyToHLS && (q.Class == cosem.AssociationLN || q.Class == cosem.AssociationSN)
	node := x.attribute(n, cosem.Attribute{Class: q.Class, Instance: q.Instance, ID: q.Method}, o.cut(changeHead, descriptorEnd))
	node.Name = fmt.Sprintf("%s method %d", q.Instance, q.Method)
	if c.s.secret {
		node.Name += " (reply_to_HLS_authentication)"
	}
	at, _ := o.find(q.Parameter, 0)
	x.changeData(n, q.Parameter, at, q.Class == cosem.SecuritySetup, c.s.secret)
}

func (x *explainer) actionResponse(n *Node, o octets, c ctx) {
	if x.otherForm(n, o) {
		return
	}
	p, err := xdlms.ParseActionResponse(o.b)
	if err != nil {
		x.wrong(n, o, err)
		return
	}
	n.Value, n.Note = "normal", invoke(p.InvokeID)
	x.add(n, "result", p.Result.String(), o.cut(changeHead, changeHead+1)).Note = fmt.Sprintf("%d", p.Result)
	if p.HasReturn && p.ReturnError != xdlms.Success {
		x.add(n, "data-access-result", p.ReturnError.String(), octets{}).Note = fmt.Sprintf("%d", p.ReturnError)
	}
	at, _ := o.find(p.Return, 0)
	x.changeData(n, p.Return, at, false, c.s.secret)
	c.s.secret = false
}

// cutSetRequest takes a set-request-normal off the front of b. The error may be
// a *axdr.SyntaxError about rest.
func cutSetRequest(b []byte) (a cosem.Attribute, d axdr.Data, rest []byte, err error) {
	if len(b) <= descriptorEnd {
		return a, nil, b[len(b):], io.ErrUnexpectedEOF
	}
	object := b[changeHead:]
	a = cosem.Attribute{Class: cosem.ClassID(binary.BigEndian.Uint16(object)), Instance: obis.Code(object[2:8]), ID: int8(object[8])}
	selective, rest := b[descriptorEnd] == 1, b[descriptorEnd+1:]
	if selective {
		if len(rest) == 0 {
			return a, nil, rest, io.ErrUnexpectedEOF
		}
		if _, rest, err = axdr.Cut(rest[1:]); err != nil {
			return a, nil, rest, err
		}
	}
	d, rest, err = axdr.Cut(rest)
	return a, d, rest, err
}

func (x *explainer) setRequest(n *Node, o octets, _ ctx) {
	if x.otherForm(n, o) {
		return
	}
	a, d, rest, err := cutSetRequest(o.b)
	if err != nil {
		i, text := errorAt(err)
		x.damaged(n, o, len(o.b)-len(rest)+i, text)
		return
	}
	n.Value, n.Note = "normal", invoke(xdlms.InvokeID(o.b[2]))
	x.attribute(n, a, o.cut(changeHead, descriptorEnd))
	at, _ := o.find(d, descriptorEnd)
	secret := a.Class == cosem.AssociationLN && a.ID == attributeSecret || a.Class == cosem.SecuritySetup
	x.changeData(n, d, at, secret, false)
	x.leftOver(n, o, len(o.b)-len(rest))
}

// setResponseOctets is how long a set-response-normal is.
const setResponseOctets = 4

func (x *explainer) setResponse(n *Node, o octets, _ ctx) {
	if x.otherForm(n, o) {
		return
	}
	if len(o.b) < setResponseOctets {
		x.damaged(n, o, len(o.b), "result: the octets end too early")
		return
	}
	n.Value, n.Note = "normal", invoke(xdlms.InvokeID(o.b[2]))
	r := xdlms.DataAccessResult(o.b[changeHead])
	x.add(n, "result", r.String(), o.cut(changeHead, setResponseOctets)).Note = fmt.Sprintf("%d", r)
	x.leftOver(n, o, setResponseOctets)
}

// leftOver tells of octets behind the end of an APDU.
func (x *explainer) leftOver(n *Node, o octets, end int) {
	if end < len(o.b) {
		x.damaged(n, o, end, fmt.Sprintf("octets left over: %d", len(o.b)-end))
	}
}

// changeData shows the parameters of a change, or what came back. Passwords and
// keys are not shown; what proves who somebody is, is secret only for others.
func (x *explainer) changeData(n *Node, d axdr.Data, o octets, hide, secret bool) {
	switch {
	case len(d) == 0:
		return
	case hide:
		x.add(n, "data", hidden(d), o)
	default:
		x.unnamed(n, "data", o)
	}
	if hide || secret {
		x.markLeaves(d, o)
	}
}

// markLeaves notes the octets of all strings in a value as secret.
func (x *explainer) markLeaves(d axdr.Data, o octets) {
	if x.findings == nil {
		return
	}
	if b, ok := d.Octets(); ok {
		at, _ := o.find(b, 0)
		x.markOctets(secretValue, at)
	}
	at := 0
	for e := range d.All() {
		var found octets
		found, at = o.find(e, at)
		x.markLeaves(e, found)
	}
}
