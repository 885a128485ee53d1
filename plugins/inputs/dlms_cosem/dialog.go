package dlms_cosem

import (
	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/hdlc"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/push"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// dialog pairs what another client asks with what the meter answers, on a line
// that both are heard on: by their addresses and the invoke id, which READ does
// not have, but only one of it is under way between two stations. Answers alone
// are matched to the items of the request only if it says so (assume_order).
type dialog struct {
	asked map[pairing]*asked
	units map[unitKey]cosem.ScalerUnit // heard as attributes of their own
	blind map[hdlc.Address]int         // next item, of answers alone
}

// pairing is a question: who asks whom, and its number.
type pairing struct {
	client, server hdlc.Address
	id             uint8
}

type asked struct {
	attributes []cosem.Attribute
	names      []uint16 // of READ, in place of attributes
	selected   bool
	blocks     []byte // of the answer, so far
	next       uint32
}

type unitKey struct {
	server hdlc.Address
	at     cosem.Attribute
}

// mostAsked bounds the questions without an answer, mostBlocks the octets of an
// answer in blocks.
const (
	mostAsked  = 256
	mostUnits  = 10_000
	mostBlocks = 1 << 20
)

// invoke is the number of a question.
func invoke(id xdlms.InvokeID) uint8 { return uint8(id) & 0x0F }

// take takes an APDU of a dialogue. It reports whether values were added to the
// ear's entries.
func (g *dialog) take(e *ear, m dlms.Message, apdu []byte) bool {
	if g.asked == nil || len(g.asked) > mostAsked {
		g.asked = map[pairing]*asked{}
	}
	if g.units == nil || len(g.units) > mostUnits {
		g.units = map[unitKey]cosem.ScalerUnit{}
	}
	switch xdlms.APDUTag(apdu[0]) {
	case xdlms.TagGetRequest:
		q, err := xdlms.ParseGetRequest(apdu)
		if err == nil && q.Type != xdlms.GetNext {
			g.asked[pairing{m.From, m.To, invoke(q.InvokeID)}] = &asked{attributes: q.Attributes, selected: q.Selections != nil}
		}
		return false
	case xdlms.TagGetResponse:
		p, err := xdlms.ParseGetResponse(apdu)
		return err == nil && g.answer(e, m, &p)
	case xdlms.TagReadRequest:
		q, err := xdlms.ParseReadRequest(apdu)
		if err == nil {
			g.read(pairing{m.From, m.To, noInvoke}, &q)
		}
		return false
	case xdlms.TagReadResponse:
		return g.readAnswer(e, pairing{m.To, m.From, noInvoke}, apdu)
	default:
		return false
	}
}

// noInvoke is in the place of the invoke id that READ does not have.
const noInvoke = 0xFF

// read takes note of the variables that are read, by their short names. What is
// read with a selector is something else than the whole, and is left out, as
// what comes in blocks is.
func (g *dialog) read(key pairing, q *xdlms.ReadRequest) {
	x := &asked{}
	for i := range q.Accesses {
		if q.Accesses[i].Choice != xdlms.VariableName {
			delete(g.asked, key)
			return
		}
		x.names = append(x.names, q.Accesses[i].Name)
	}
	g.asked[key] = x
}

// readAnswer pairs the answer to a READ with its variables.
func (g *dialog) readAnswer(e *ear, key pairing, apdu []byte) bool {
	q := g.asked[key]
	delete(g.asked, key)
	n, results, err := xdlms.ParseReadResponse(apdu)
	if q == nil || err != nil || n != len(q.names) {
		return false
	}
	for _, name := range q.names {
		var p xdlms.ReadResult
		if p, results, err = xdlms.CutReadResult(results); err != nil {
			return true
		}
		if p.Choice == xdlms.ReadData {
			e.addByName(name, p.Data)
		}
	}
	return true
}

// answer pairs an answer with its question.
func (g *dialog) answer(e *ear, m dlms.Message, p *xdlms.GetResponse) bool {
	key := pairing{m.To, m.From, invoke(p.InvokeID)}
	q := g.asked[key]
	if q == nil {
		return g.blindly(e, m, p)
	}
	if p.Type != xdlms.GetBlock {
		delete(g.asked, key)
	}
	switch p.Type {
	case xdlms.GetNormal:
		g.value(e, m.From, q, 0, p.Data, p.Result)
	case xdlms.GetWithList:
		g.results(e, m.From, q, p.Count, p.List)
	case xdlms.GetBlock:
		return g.block(e, m.From, key, q, p)
	}
	return true
}

// block joins the blocks of an answer.
func (g *dialog) block(e *ear, server hdlc.Address, key pairing, q *asked, p *xdlms.GetResponse) bool {
	switch {
	case p.Result != xdlms.Success, len(q.blocks)+len(p.Raw) > mostBlocks:
		delete(g.asked, key)
		return false
	case q.next != 0 && p.Block+1 == q.next:
		return false // once more
	case q.next != 0 && p.Block != q.next:
		delete(g.asked, key)
		return false
	default:
	}
	q.blocks, q.next = append(q.blocks, p.Raw...), p.Block+1
	if !p.Last {
		return false
	}
	delete(g.asked, key)
	if len(q.attributes) == 1 {
		if d, err := axdr.Parse(q.blocks); err == nil {
			g.value(e, server, q, 0, d, xdlms.Success)
		}
		return true
	}
	n, rest, err := xdlms.CutGetCount(q.blocks)
	if err == nil {
		g.results(e, server, q, n, rest)
	}
	return true
}

// results takes the answers to a list.
func (g *dialog) results(e *ear, server hdlc.Address, q *asked, n int, results []byte) {
	if n != len(q.attributes) {
		return
	}
	for i := range n {
		d, res, rest, err := xdlms.CutGetResult(results)
		if err != nil {
			return
		}
		g.value(e, server, q, i, d, res)
		results = rest
	}
}

// value takes the answer to one attribute. Scalers and units are kept for the
// values that they belong to.
func (g *dialog) value(e *ear, server hdlc.Address, q *asked, i int, d axdr.Data, res xdlms.DataAccessResult) {
	at := q.attributes[i]
	if res != xdlms.Success || q.selected {
		return
	}
	if id, ok := cosem.ScalerAttribute(at.Class); ok && id == at.ID {
		if u, err := cosem.ParseScalerUnit(d); err == nil {
			g.units[unitKey{server, cosem.Attribute{Class: at.Class, Instance: at.Instance, ID: 2}}] = u
		}
		return
	}
	x := push.Entry{Named: true, Code: at.Instance, Class: at.Class, Attribute: at.ID, Value: d}
	if valueAttribute(at.Class, at.ID) {
		x.Unit, x.HasUnit = g.units[unitKey{server, cosem.Attribute{Class: at.Class, Instance: at.Instance, ID: 2}}]
	}
	e.add(&x)
}

// blindly gives answers that no question was heard of to the items of the
// request that assumes their order, one after the other.
func (g *dialog) blindly(e *ear, m dlms.Message, p *xdlms.GetResponse) bool {
	var r *request
	for _, c := range e.l.passive {
		if c.assumeOrder && len(c.items) > 0 {
			r = c
			break
		}
	}
	if r == nil {
		return false
	}
	if g.blind == nil || len(g.blind) > mostAsked {
		g.blind = map[hdlc.Address]int{}
	}
	give := func(d axdr.Data, res xdlms.DataAccessResult) {
		it := r.items[g.blind[m.From]%len(r.items)]
		g.blind[m.From]++
		if res == xdlms.Success {
			e.add(&push.Entry{Named: true, Code: it.obis, Class: it.class, Attribute: it.id, Value: d})
		}
	}
	switch p.Type {
	case xdlms.GetNormal:
		give(p.Data, p.Result)
	case xdlms.GetWithList:
		results := p.List
		for range p.Count {
			d, res, rest, err := xdlms.CutGetResult(results)
			if err != nil {
				return true
			}
			give(d, res)
			results = rest
		}
	default:
		return false
	}
	return true
}
