package dlmstest

import (
	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

const (
	blockHeader = 9         // octets of a block before the length of its raw data
	firstBlock  = 1         // number of the first block of a transfer
	wrongBy     = 7         // how far off a false block number is
	maxNested   = 1_000_000 // arrays to order
)

// transfer is a GET whose answer goes out in blocks (Green Book Ed. 9, 9.3.6).
type transfer struct {
	active  bool
	endless bool
	read    bool // of a READ
	id      xdlms.InvokeID
	body    []byte // all of it: one Data, or the count and results of a list
	from    int    // start of the block last sent
	to      int    // its end
	block   uint32 // its number
	last    bool   // it was the last one
}

// get answers a GET-Request of any kind.
func (s *session) get(apdu []byte) []byte {
	switch {
	case !s.associated:
		return s.exception(xdlms.ServiceNotAllowed, xdlms.ServiceNotSupported)
	case s.tooLong(apdu):
		return s.exception(xdlms.ServiceNotAllowed, xdlms.PDUTooLong)
	}
	q := &s.request
	if err := q.Parse(apdu); err != nil {
		return s.exception(xdlms.ServiceNotAllowed, xdlms.ServiceOtherReason)
	}
	var reply []byte
	switch q.Type {
	case xdlms.GetNormal:
		reply = s.getNormal(q)
	case xdlms.GetNext:
		reply = s.getNext(q)
	default:
		reply = s.getList(q)
	}
	return s.falsify(reply)
}

// getNormal reads one attribute.
func (s *session) getNormal(q *xdlms.GetRequest) []byte {
	s.m.count(func(c *Counters) { c.Gets++; c.Items++ })
	s.transfer = transfer{}
	value, res := s.read(q.Attributes[0], s.selection(q, 0), s.value[:0])
	if res != xdlms.Success {
		s.reply = xdlms.AppendGetResponseError(s.reply[:0], q.InvokeID, res)
		return s.reply
	}
	s.value = value
	s.reply = xdlms.AppendGetResponseNormal(s.reply[:0], q.InvokeID, value)
	return s.inBlocks(q.InvokeID, value)
}

// refuseList is the answer to a list of n that the meter does not take, else nil.
func (s *session) refuseList(n int) []byte {
	switch limit := s.m.cfg.ListMax; {
	case s.m.cfg.NoLists || !s.conformance.Has(xdlms.ConformanceMultipleReferences):
		return s.exception(xdlms.ServiceNotAllowed, xdlms.ServiceNotSupported)
	case limit > 0 && n > limit:
		return s.exception(xdlms.ServiceNotAllowed, xdlms.OperationNotPossible)
	default:
		return nil
	}
}

// getList reads several attributes.
func (s *session) getList(q *xdlms.GetRequest) []byte {
	n := len(q.Attributes)
	s.m.count(func(c *Counters) { c.Lists++; c.Items += n })
	s.transfer = transfer{}
	if refusal := s.refuseList(n); refusal != nil {
		return refusal
	}
	if s.m.faults.take(func(f *Faults) *int { return &f.SingleForm }) {
		s.reply = xdlms.AppendGetResponseError(s.reply[:0], q.InvokeID, xdlms.OtherReason)
		return s.reply
	}
	if n > 1 && s.m.faults.take(func(f *Faults) *int { return &f.ShortLists }) {
		n--
	}
	count := n
	if s.m.faults.take(func(f *Faults) *int { return &f.LongCount }) {
		count++
	}
	body := axdr.AppendLength(s.value[:0], count)
	for i := range n {
		start := len(body)
		value, res := s.read(q.Attributes[i], s.selection(q, i), append(body, 0))
		if res != xdlms.Success {
			value = xdlms.AppendGetResult(body[:start], nil, res)
		}
		body = value
	}
	s.value = body
	s.reply = xdlms.AppendGetResponseList(s.reply[:0], q.InvokeID, count)
	s.reply = append(s.reply, body[len(axdr.AppendLength(nil, count)):]...)
	return s.inBlocks(q.InvokeID, body)
}

// selection is the selective access of attribute i of a request.
func (s *session) selection(q *xdlms.GetRequest, i int) *cosem.Selection {
	if q.Selections == nil || !s.conformance.Has(xdlms.ConformanceSelectiveAccess) {
		return nil
	}
	return q.Selections[i]
}

// read appends the value of an attribute.
func (s *session) read(at cosem.Attribute, sel *cosem.Selection, b []byte) ([]byte, xdlms.DataAccessResult) {
	if s.m.faults.take(func(f *Faults) *int { return &f.TemporaryErrors }) {
		return b, xdlms.TemporaryFailure
	}
	if s.m.faults.take(func(f *Faults) *int { return &f.LongValue }) {
		return append(b, byte(axdr.TagOctetString), 0x82, 0x7f, 0xff, 0, 1, 2), xdlms.Success
	}
	if n := min(s.m.faults.fixed().NestedArrays, maxNested); n > 0 {
		for range n {
			b = axdr.AppendArray(b, 1)
		}
		return axdr.AppendNull(b), xdlms.Success
	}
	if s.m.secured && at.Instance == CounterObject {
		return s.m.readCounter(at, b)
	}
	if s.objects == nil {
		return b, xdlms.ObjectUndefined
	}
	return s.objects.Get(s.client, at, sel, b)
}

// inBlocks gives the answer that stands in s.reply, or the first block of its
// body if it is too long.
func (s *session) inBlocks(id xdlms.InvokeID, body []byte) []byte {
	return s.orBlocks(transfer{id: id}, body)
}

func (s *session) orBlocks(t transfer, body []byte) []byte {
	fixed := s.m.faults.fixed()
	fits := len(s.reply) <= s.room() && (s.m.cfg.BlockSize <= 0 || len(body) <= s.m.cfg.BlockSize)
	if (fits || s.usesBlocks()) && !fixed.EndlessBlocks {
		return s.reply
	}
	if !s.conformance.Has(xdlms.ConformanceBlockTransferWithGetOrRead) {
		return s.exception(xdlms.ServiceNotAllowed, xdlms.PDUTooLong)
	}
	t.active, t.endless, t.block = true, fixed.EndlessBlocks, firstBlock-1
	s.transfer = t
	if fixed.FirstBlockZero {
		s.transfer.block--
	}
	if s.transfer.endless {
		body = append(body[:0], byte(axdr.TagArray), 0x84, 0x7f, 0xff, 0xff, 0xff)
	}
	s.transfer.body = append([]byte(nil), body...)
	return s.nextBlock()
}

// getNext sends the block after the one the client has received, or the same
// one once more.
func (s *session) getNext(q *xdlms.GetRequest) []byte {
	s.m.count(func(c *Counters) { c.Nexts++ })
	t := &s.transfer
	switch {
	case !t.active:
		return s.blockError(q, xdlms.NoLongGetInProgress)
	case q.InvokeID.ID() != t.id.ID():
		*t = transfer{}
		return s.blockError(q, xdlms.LongGetAborted)
	case q.Block == t.block && !t.last:
		return s.nextBlock()
	case q.Block+1 == t.block:
		return s.sendBlock()
	default:
		*t = transfer{}
		return s.blockError(q, xdlms.DataBlockNumberInvalid)
	}
}

// blockError ends a transfer by an access result.
func (s *session) blockError(q *xdlms.GetRequest, res xdlms.DataAccessResult) []byte {
	s.reply = xdlms.AppendGetResponseBlockError(s.reply[:0], q.InvokeID, true, q.Block, res)
	return s.reply
}

// nextBlock sends the next block of a transfer.
func (s *session) nextBlock() []byte {
	t := &s.transfer
	t.block++
	t.from = t.to
	if !s.m.faults.take(func(f *Faults) *int { return &f.EmptyBlocks }) {
		t.to = min(t.from+s.blockSize(), len(t.body))
		if t.endless {
			t.from, t.to = 0, s.blockSize()
			if len(t.body) < t.to { // null-data for ever
				t.body = append(t.body, make([]byte, t.to-len(t.body))...)
			}
		}
	}
	t.last = !t.endless && t.to == len(t.body)
	reply := s.sendBlock()
	if t.endless {
		clear(t.body)
	}
	return reply
}

// sendBlock encodes the current block.
func (s *session) sendBlock() []byte {
	t := &s.transfer
	number := t.block
	if s.m.faults.take(func(f *Faults) *int { return &f.WrongBlock }) {
		number += wrongBy
	}
	if t.read {
		p := xdlms.ReadResult{Choice: xdlms.ReadBlock, Last: t.last, Block: uint16(number), Raw: t.body[t.from:t.to]}
		s.reply = p.Append(xdlms.AppendReadResponse(s.reply[:0], 1))
		return s.reply
	}
	s.reply = xdlms.AppendGetResponseBlock(s.reply[:0], t.id, t.last, number, t.body[t.from:t.to])
	return s.reply
}

// blockSize is the octets of raw data that fit one block.
func (s *session) blockSize() int {
	room := withoutLength(s.room() - blockHeader)
	if s.m.cfg.BlockSize > 0 {
		room = min(room, s.m.cfg.BlockSize)
	}
	return max(room, 1)
}

// room is the octets of the longest answer to the request at hand.
func (s *session) room() int {
	if s.envelope == nil {
		return s.limit
	}
	return s.envelope.room(s.limit)
}

// withoutLength is how many octets fit into n together with their length, of 1
// to 3 octets.
func withoutLength(n int) int {
	switch {
	case n-1 <= 0x7f:
		return n - 1
	case n-2 <= 0xff:
		return n - 2
	default:
		return n - 3
	}
}

// falsify does to the APDU of an answer to GET what was ordered.
func (s *session) falsify(reply []byte) []byte {
	const invokeID = 2 // where it stands
	if len(reply) <= invokeID || xdlms.APDUTag(reply[0]) != xdlms.TagGetResponse {
		return reply
	}
	if s.m.faults.take(func(f *Faults) *int { return &f.WrongInvokeID }) {
		reply[invokeID] = withID(reply[invokeID], 1)
	}
	if s.m.faults.fixed().WrongPriority {
		reply[invokeID] ^= byte(xdlms.InvokeConfirmed | xdlms.InvokeHighPriority)
	}
	return reply
}

// withID is an invoke-id-and-priority whose number is by further on.
func withID(octet byte, by int) byte {
	return octet&^0x0f | byte(int(octet)+by)&0x0f
}

// stale is a copy of an answer to GET for the invoke-id before, nil of another
// APDU.
func stale(reply []byte) []byte {
	const header = 3
	if len(reply) < header || xdlms.APDUTag(reply[0]) != xdlms.TagGetResponse {
		return nil
	}
	old := append([]byte(nil), reply...)
	old[header-1] = withID(old[header-1], -1)
	return old
}

// faulty tells whether faults concern an APDU: a GET-Request or ReadRequest,
// which a ciphered one is taken for once the client has proved itself.
func (s *session) faulty(apdu []byte) bool {
	if s.m.faults.fixed().FromAssociation {
		return true
	}
	if len(apdu) == 0 || s.sec.pending {
		return false
	}
	tag := xdlms.APDUTag(apdu[0])
	return tag == xdlms.TagGetRequest || tag == xdlms.TagReadRequest || tag == xdlms.TagGeneralBlockTransfer || tag.Ciphered()
}
