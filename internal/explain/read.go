package explain

import (
	"bytes"
	"fmt"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

func (x *explainer) readRequest(n *Node, o octets, c ctx) {
	q, err := xdlms.ParseReadRequest(o.b)
	if err != nil {
		x.wrong(n, o, err)
		return
	}
	c.s.secret = false
	pending := &pendingRead{}
	for _, a := range q.Accesses {
		switch a.Choice {
		case xdlms.VariableName:
			pending.names = append(pending.names, a.Name)
			x.add(n, "variable-name", fmt.Sprintf("%04X", a.Name), octets{})
		case xdlms.ParameterizedAccess:
			pending.names = append(pending.names, a.Name)
			node := x.add(n, "parameterized-access", fmt.Sprintf("%04X, selector %d", a.Name, a.Selector), octets{})
			d, _ := o.find(a.Parameter, 0)
			if secret, ok := a.Parameter.Octets(); ok && len(secret) > 0 { // reply_to_HLS_authentication
				at, _ := d.find(secret, 0)
				x.markOctets(secretValue, at)
				c.s.secret = true
			}
			x.add(node, "parameter", short(a.Parameter), d)
		case xdlms.BlockNumberAccess:
			x.add(n, "block-number-access", fmt.Sprintf("block %d", a.Block), octets{})
			pending = nil
		default:
			raw, _ := o.find(a.Raw, 0)
			x.add(n, "read-data-block-access", fmt.Sprintf("block %d", a.Block), raw).Note = count(len(a.Raw), "octet")
			pending = nil
		}
		if pending == nil {
			return // of the request before
		}
	}
	c.s.read = pending
}

func (x *explainer) readResponse(n *Node, o octets, c ctx) {
	number, rest, err := xdlms.ParseReadResponse(o.b)
	if err != nil {
		x.wrong(n, o, err)
		return
	}
	q := c.s.read
	if q == nil {
		q = &pendingRead{}
		c.s.read = q
	}
	x.readResults(n, q, number, o.from(len(o.b)-len(rest)), c, true)
}

// readResults explains the results of a read. whole says that they came in the
// response itself, and may be a block.
func (x *explainer) readResults(n *Node, q *pendingRead, number int, list octets, c ctx, whole bool) {
	for i := range number {
		p, rest, err := xdlms.CutReadResult(list.b)
		if err != nil {
			x.wrong(n, list, err)
			return
		}
		o := list.cut(0, len(list.b)-len(rest))
		list = list.from(len(o.b))
		name := "value"
		if i < len(q.names) {
			name = fmt.Sprintf("%04X", q.names[i])
		}
		switch {
		case p.Choice == xdlms.ReadData:
			d := o.from(len(o.b) - len(p.Data))
			if c.s.secret {
				x.markLeaves(axdr.Data(d.b), d)
			}
			x.unnamed(n, name, d)
		case p.Choice == xdlms.ReadRefused:
			x.add(n, name, p.Error.String(), o).Note = fmt.Sprintf("data-access-error %d", p.Error)
		case p.Choice == xdlms.ReadBlock && whole:
			raw, _ := o.find(p.Raw, 0)
			x.readBlock(n, q, p, raw, c)
		default:
			x.add(n, "block-number", fmt.Sprintf("%d", p.Block), o)
		}
		if x.full {
			return
		}
	}
	if len(list.b) > 0 {
		x.damaged(n, list, 0, fmt.Sprintf("%s behind the results", count(len(list.b), "octet")))
	}
}

// readBlock joins a block of an answer, and explains what it completes.
func (x *explainer) readBlock(n *Node, q *pendingRead, p xdlms.ReadResult, raw octets, c ctx) {
	text := fmt.Sprintf("%d", p.Block)
	if p.Last {
		text += ", the last one"
	}
	node := x.add(n, "data-block-result", "block "+text, raw)
	node.Note = hexText(p.Raw)
	if q.block != 0 && p.Block == q.block || len(q.raw.b)+len(raw.b) > maxAPDU {
		return
	}
	if p.Block != q.block+1 {
		x.damaged(n, raw, 0, fmt.Sprintf("block %d came, block %d was expected: one is missing", p.Block, q.block+1))
		q.raw, q.block = gather{}, p.Block
		return
	}
	q.block = p.Block
	q.raw.add(raw)
	if !p.Last {
		return
	}
	joined := q.raw.take()
	q.block = 0
	node = x.add(n, "joined", fmt.Sprintf("%s from blocks", count(len(joined.b), "octet")), joined)
	x.searched(joined)
	number, rest, err := xdlms.CutReadCount(joined.b)
	if err != nil {
		x.wrong(node, joined, err)
		return
	}
	x.readResults(node, q, number, joined.from(len(joined.b)-len(rest)), c, false)
}

// informationReport explains information-report, the push of short names.
func (x *explainer) informationReport(n *Node, o octets, _ ctx) {
	r, err := xdlms.ParseInformationReport(o.b)
	if err != nil {
		x.wrong(n, o, err)
		return
	}
	x.time(n, "current-time", r.Time, o)
	at := 0
	for i, name := range r.Names {
		var d octets
		d, at = o.find(r.Values[i], at)
		x.unnamed(n, fmt.Sprintf("%04X", name), d)
	}
}

// time adds a date-time, if there is one.
func (x *explainer) time(n *Node, name string, b []byte, o octets) {
	if len(b) == 0 {
		return
	}
	at, _ := o.find(b, 0)
	if t, ok := axdr.ParseDateTime(b); ok && !bytes.Equal(b, make([]byte, len(b))) {
		x.add(n, name, t.String(), at)
		return
	}
	x.add(n, name, hexText(b), at)
}
