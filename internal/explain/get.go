package explain

import (
	"fmt"
	"slices"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

func (x *explainer) getRequest(n *Node, o octets, c ctx) {
	q, err := xdlms.ParseGetRequest(o.b)
	if err != nil {
		x.wrong(n, o, err)
		return
	}
	n.Note = invoke(q.InvokeID)
	if q.Type == xdlms.GetNext {
		n.Value = "next"
		x.add(n, "block-number", fmt.Sprintf("%d", q.Block), o.from(3))
		return
	}
	n.Value = q.Type.String()
	at := 3
	if q.Type == xdlms.GetWithList {
		_, rest, _ := axdr.CutLength(o.b[at:])
		at = len(o.b) - len(rest)
	}
	for i, a := range q.Attributes {
		const size = 2 + 6 + 1
		node := x.attribute(n, a, o.cut(at, at+size))
		at += size + 1
		if q.Selections != nil && q.Selections[i] != nil {
			s := q.Selections[i]
			sel := o.cut(at, at+1+len(s.Parameters))
			at += len(sel.b)
			x.add(node, "access-selection", fmt.Sprintf("selector %d", s.Selector), sel).Note = selectorName(a.Class, s.Selector)
			x.add(node, "access-parameters", short(s.Parameters), sel.from(1))
			x.scan(sel.from(1))
		}
	}
	c.s.gets[q.InvokeID.ID()] = &pendingGet{kind: q.Type, attributes: slices.Clone(q.Attributes)}
}

func selectorName(class cosem.ClassID, selector uint8) string {
	switch {
	case class == cosem.ProfileGeneric && selector == cosem.SelectorRange:
		return "range"
	case class == cosem.ProfileGeneric && selector == cosem.SelectorEntry:
		return "entry"
	default:
		return ""
	}
}

// attribute adds a node with the name of an attribute.
func (x *explainer) attribute(parent *Node, a cosem.Attribute, o octets) *Node {
	n := x.add(parent, attributeName(a), fmt.Sprintf("class %d %s", a.Class, a.Class), o)
	n.Note = x.describe(a.Instance)
	return n
}

// attributeName is a code, and the attribute if it is not the value.
func attributeName(a cosem.Attribute) string {
	s := a.Instance.String()
	if a.ID == 2 {
		return s
	}
	s += fmt.Sprintf(" attribute %d", a.ID)
	if name := cosem.AttributeName(a.Class, a.ID); name != "" {
		s += " (" + name + ")"
	}
	return s
}

func (x *explainer) getResponse(n *Node, o octets, c ctx) {
	p, err := xdlms.ParseGetResponse(o.b)
	if err != nil {
		x.wrong(n, o, err)
		return
	}
	n.Note = invoke(p.InvokeID)
	q := c.s.gets[p.InvokeID.ID()]
	if q == nil {
		q = &pendingGet{}
		c.s.gets[p.InvokeID.ID()] = q
	}
	switch p.Type {
	case xdlms.GetNormal:
		n.Value = "normal"
		if p.Result != xdlms.Success {
			x.refused(n, q, 0, p.Result, o.from(3))
		} else {
			d, _ := o.find(p.Data, 0)
			x.result(n, q, 0, d, c)
		}
	case xdlms.GetWithList:
		n.Value = fmt.Sprintf("with-list of %d", p.Count)
		list, _ := o.find(p.List, 0)
		x.results(n, q, p.Count, list, c)
	default:
		n.Value = fmt.Sprintf("with-datablock, block %d", p.Block)
		if p.Last {
			n.Value += ", the last one"
		}
		if p.Result != xdlms.Success {
			x.refused(n, q, 0, p.Result, o.cut(len(o.b)-1, len(o.b)))
			return
		}
		raw, _ := o.find(p.Raw, 0)
		x.getBlock(n, q, p, raw, c)
	}
}

// getBlock joins a block of an answer, and explains what it completes.
func (x *explainer) getBlock(n *Node, q *pendingGet, p xdlms.GetResponse, raw octets, c ctx) {
	if len(raw.b) > 0 {
		x.add(n, "raw-data", hexText(raw.b), raw)
	}
	switch {
	case q.block != 0 && p.Block == q.block: // once more
		return
	case q.block != 0 && p.Block != q.block+1, q.block == 0 && p.Block > 1:
		if !q.lost {
			x.damaged(n, raw, 0, fmt.Sprintf("block %d came, block %d was expected: one is missing", p.Block, q.block+1))
		}
		q.lost = true
	default:
	}
	if len(q.raw.b)+len(raw.b) > maxAPDU {
		q.lost = true
	}
	q.block = p.Block
	if !q.lost {
		q.raw.add(raw)
	}
	if !p.Last {
		return
	}
	joined, lost := q.raw.take(), q.lost
	q.block, q.lost = 0, false
	if lost || len(joined.b) == 0 {
		return
	}
	node := x.add(n, "joined", fmt.Sprintf("%s from blocks", count(len(joined.b), "octet")), joined)
	x.searched(joined)
	if q.kind == xdlms.GetWithList {
		number, rest, err := xdlms.CutGetCount(joined.b)
		if err != nil {
			x.wrong(node, joined, err)
			return
		}
		x.results(node, q, number, joined.from(len(joined.b)-len(rest)), c)
		return
	}
	d, rest, err := axdr.Cut(joined.b)
	if err != nil {
		x.wrong(node, joined, err)
		return
	}
	x.result(node, q, 0, joined.cut(0, len(d)), c)
	if len(rest) > 0 {
		x.damaged(node, joined, len(d), fmt.Sprintf("%s behind the value", count(len(rest), "octet")))
	}
}

// results explains the results of a list.
func (x *explainer) results(n *Node, q *pendingGet, number int, list octets, c ctx) {
	if len(q.attributes) > 0 && len(q.attributes) != number {
		x.damaged(n, list, 0, fmt.Sprintf("%d results, %d attributes were asked for", number, len(q.attributes)))
	}
	for i := range number {
		d, res, rest, err := xdlms.CutGetResult(list.b)
		if err != nil {
			x.wrong(n, list, err)
			return
		}
		size := len(list.b) - len(rest)
		if res != xdlms.Success {
			x.refused(n, q, i, res, list.cut(0, size))
		} else {
			x.result(n, q, i, list.cut(size-len(d), size), c)
		}
		list = list.from(size)
		if x.full {
			return
		}
	}
	if len(list.b) > 0 {
		x.damaged(n, list, 0, fmt.Sprintf("%s behind the results", count(len(list.b), "octet")))
	}
}

// refused shows why an attribute has no value: nothing is wrong with the octets.
func (x *explainer) refused(n *Node, q *pendingGet, i int, res xdlms.DataAccessResult, o octets) {
	name := "data-access-result"
	if i < len(q.attributes) {
		name = attributeName(q.attributes[i])
	}
	x.add(n, name, res.String(), o).Note = fmt.Sprintf("data-access-result %d", res)
}

// result explains the value of an attribute that was asked for.
func (x *explainer) result(n *Node, q *pendingGet, i int, d octets, c ctx) {
	if i >= len(q.attributes) {
		x.unnamed(n, "value", d)
		return
	}
	x.attributeValue(n, q.attributes[i], d, c)
}

// attributeValue explains the value of an attribute.
func (x *explainer) attributeValue(n *Node, a cosem.Attribute, d octets, c ctx) {
	unit, has := c.s.units[a.Instance]
	if a.ID != 2 && (a.ID != 3 || a.Class != cosem.DemandRegister) {
		has = false
	}
	node := x.value(n, attributeName(a), a, axdr.Data(d.b), unit, has, d)
	if id, ok := cosem.ScalerAttribute(a.Class); ok && id == a.ID {
		if u, err := cosem.ParseScalerUnit(axdr.Data(d.b)); err == nil {
			node.Value = fmt.Sprintf("scaler %d, unit %s", u.Scaler, u.Unit)
			node.Note = fmt.Sprintf("%d, %d", u.Scaler, u.Unit)
			node.Children = nil
			if len(c.s.units) < mostKnown {
				c.s.units[a.Instance] = u
			}
		}
	}
	if a.Class == cosem.ProfileGeneric && a.ID == 3 {
		if list, err := cosem.ParseCaptureObjects(axdr.Data(d.b)); err == nil && len(c.s.columns) < mostKnown {
			c.s.columns[a.Instance] = list
			node.Children = nil
			for i, column := range list {
				child := x.add(node, fmt.Sprintf("column %d", i+1), column.String(), octets{})
				child.Note = x.describe(column.Instance)
			}
		}
	}
}
