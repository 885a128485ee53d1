package explain

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/push"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

func (x *explainer) dataNotification(n *Node, o octets, c ctx) {
	p, err := xdlms.ParseDataNotification(o.b)
	if err != nil {
		x.wrong(n, o, err)
		return
	}
	n.Note = longInvoke(p.InvokeID)
	x.time(n, "date-time", p.Time, o)
	x.body(n, o.from(len(o.b)-len(p.Body)), c)
}

func (x *explainer) eventNotification(n *Node, o octets, c ctx) {
	p, err := xdlms.ParseEventNotification(o.b)
	if err != nil {
		x.wrong(n, o, err)
		return
	}
	x.time(n, "time", p.Time, o)
	d, _ := o.find(p.Value, 0)
	x.attributeValue(n, p.Attribute, d, c)
}

// body explains the body of a push: a table of its values.
func (x *explainer) body(n *Node, o octets, _ ctx) {
	table := x.add(n, "notification-body", count(len(o.b), "octet"), o)
	at := places{o: o}
	x.pushed = true
	entry := func(e *push.Entry) bool {
		x.entry(table, e, at.find(e.Value))
		return !x.full
	}
	shape, err := x.mapper.Map(o.b, entry)
	if d, rest, cut := axdr.Cut(o.b); err != nil && cut == nil && len(rest) > 0 {
		x.damaged(table, o, len(d), fmt.Sprintf("%s behind the end of the body", count(len(rest), "octet")))
		shape, err = x.mapper.Map(d, entry)
	}
	x.pushed = false
	x.scan(o)
	switch {
	case err != nil:
		i, text := errorAt(errors.Unwrap(err))
		x.damaged(table, o, i, text)
	case shape.Values == 0:
		table.Note = "no values"
	default:
		table.Note = count(shape.Values, "value")
		if shape.Unnamed > 0 {
			table.Note += fmt.Sprintf(", %d of them without a name", shape.Unnamed)
		}
	}
	if shape.Repaired {
		table.Note += "; not A-XDR by the standard, but a form that meters send"
	}
	if shape.List != nil {
		table.Note += "; named by a list"
	}
	if x.opt.Raw && err == nil {
		d, _, err := axdr.Cut(o.b)
		if err == nil {
			x.raw(table, d, o.cut(0, len(d)))
		}
	}
}

// places finds the octets of the values of a body, which come in their order.
type places struct {
	o         octets
	from      int
	elsewhere bool // the values are not views of the body: it was repaired or expanded
}

// find returns where a value stands. What is elsewhere is looked for among the
// octets that follow the value before.
func (p *places) find(d axdr.Data) (found octets) {
	const least, window = 4, 256
	if !p.elsewhere {
		if found, p.from = p.o.find(d, p.from); found.at != nil || p.o.at == nil {
			return found
		}
		p.elsewhere = true
	}
	found = octets{b: d}
	if len(d) < least || p.o.at == nil {
		return found
	}
	near := p.o.cut(p.from, p.from+len(d)+window)
	if i := bytes.Index(near.b, d); i >= 0 {
		p.from += i + len(d)
		return near.cut(i, i+len(d))
	}
	return found
}

// entry adds a value of a push.
func (x *explainer) entry(table *Node, e *push.Entry, at octets) {
	unit, has := e.Unit, e.HasUnit
	if e.Item != nil && !has {
		unit, has = e.Item.Unit, e.Item.HasUnit
	}
	name := e.Label()
	a := cosem.Attribute{Class: e.Class, Instance: e.Code, ID: e.Attribute}
	if e.Named {
		name = attributeName(a)
		if e.Attribute != 2 && e.Class == 0 {
			a.Class = cosem.GuessClass(e.Code)
			name = attributeName(a)
		}
		if e.Index > 0 {
			name += fmt.Sprintf(" element %d", e.Index)
		}
	}
	if e.Row > 0 {
		name += fmt.Sprintf(" row %d column %d", e.Row, e.Column)
	}
	var node *Node
	if e.Named {
		node = x.value(table, name, a, e.Value, unit, has, at)
	} else {
		node = x.unnamed(table, name, at)
		node.Reading.Index = name
		if has {
			x.present(node, cosem.Attribute{}, e.Value, unit, has)
		}
	}
	node.Reading.Class = int(e.Class)
	if t, ok := e.Time.DateTime(); ok {
		node.Reading.Time = t.String()
		node.Note += ", " + t.String()
	}
}
