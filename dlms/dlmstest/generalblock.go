package dlmstest

import (
	"bytes"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// generalHeader is what a block of general block transfer has around up to 64
// KiB of data, octets.
const generalHeader = 9

// generalBlocks is a general block transfer (Green Book Ed. 9, 9.4.6.13), from
// the first block of a request, or of an answer, until the next request.
type generalBlocks struct {
	in    []byte // the request, as far as it came in blocks
	whole bool   // it is being answered
	got   uint16 // number of the client's last block in order
	out   []byte // the answer that goes out in blocks; nil: none
	base  uint16 // number of the last block sent before its first one
}

// usesBlocks tells whether general block transfer is in use.
func (s *session) usesBlocks() bool {
	agreed := s.m.cfg.GeneralBlocks > 0 && s.conformance.Has(xdlms.ConformanceGeneralBlockTransfer)
	return s.associated && (agreed || s.m.faults.fixed().UngrantedBlocks)
}

// exchange answers one APDU, which may be a block. There may be others to send
// behind the answer: s.follow.
func (s *session) exchange(apdu []byte) []byte {
	s.follow = nil
	if len(apdu) > 0 && xdlms.APDUTag(apdu[0]) == xdlms.TagGeneralBlockTransfer && s.usesBlocks() {
		return s.generalBlock(apdu)
	}
	s.blocks = generalBlocks{}
	// How many blocks the client takes in a row it has not said yet.
	return s.divide(s.answer(apdu), 1)
}

// tooLong tells whether an APDU is longer than what the meter takes in one.
func (s *session) tooLong(apdu []byte) bool {
	return !s.blocks.whole && len(apdu) > s.m.cfg.MaxPDU
}

// divide gives an answer, or its first block if it is too long, or if its
// request came in blocks.
func (s *session) divide(reply []byte, window int) []byte {
	b := &s.blocks
	if len(reply) == 0 || !s.usesBlocks() {
		return reply
	}
	size := s.m.cfg.BlockSize
	fits := !b.whole && len(reply) <= s.limit && (size <= 0 || len(reply) <= size)
	switch xdlms.APDUTag(reply[0]) {
	case xdlms.TagAARE, xdlms.TagRLRE, xdlms.TagExceptionResponse:
		return reply
	default:
	}
	if fits && !s.m.faults.fixed().EndlessGeneral {
		return reply
	}
	b.out = bytes.Clone(reply)
	return s.stream(b.base+1, window)
}

// generalBlock handles a block from the client.
func (s *session) generalBlock(apdu []byte) []byte {
	g, rest, err := xdlms.CutGeneralBlock(apdu)
	if err != nil || len(rest) > 0 || len(apdu) > s.m.cfg.MaxPDU {
		return s.exception(xdlms.ServiceNotAllowed, xdlms.ServiceOtherReason)
	}
	b := &s.blocks
	switch {
	case g.Window == 0:
		return nil // unconfirmed: nothing that a client sends
	case len(g.Data) == 0:
		s.m.count(func(c *Counters) { c.GeneralAcks++ })
		b.got = max(b.got, g.Number)
		if b.out == nil {
			return nil
		}
		return s.stream(max(g.Ack, b.base)+1, int(g.Window))
	case g.Number == 1 && (b.out != nil || b.got > 1) && !bytes.HasPrefix(b.in, g.Data):
		*b = generalBlocks{}
	default:
	}
	switch {
	case g.Number == b.got+1 && len(b.in)+len(g.Data) <= maxRequest:
		b.in = append(b.in, g.Data...)
		b.got = g.Number
	case g.Number <= b.got && b.out != nil: // the answer was lost
		return s.stream(max(g.Ack, b.base)+1, int(g.Window))
	default:
		return s.acknowledgeBlock()
	}
	if !g.Last {
		if g.Streaming {
			return nil
		}
		return s.acknowledgeBlock()
	}
	b.whole = true
	reply := s.divide(s.answer(b.in), int(g.Window))
	b.whole = false
	return reply
}

// acknowledgeBlock is the answer to a block of a request that is not whole.
func (s *session) acknowledgeBlock() []byte {
	b := &s.blocks
	b.base++
	g := xdlms.GeneralBlock{Window: s.window(), Number: b.base, Ack: b.got}
	return g.Append(nil)
}

func (s *session) window() uint8 { return uint8(max(1, min(s.m.cfg.GeneralBlocks, xdlms.MaxWindow))) }

// stream gives the block of the answer with this number; those after it, as far
// as the client's window goes, follow.
func (s *session) stream(from uint16, window int) []byte {
	b := &s.blocks
	size := max(s.limit-generalHeader, 1)
	if s.m.cfg.BlockSize > 0 {
		size = min(size, s.m.cfg.BlockSize)
	}
	endless := s.m.faults.fixed().EndlessGeneral
	total := (len(b.out) + size - 1) / size
	var list [][]byte
	for n := range window {
		number := int(from) + n
		at := number - int(b.base) - 1
		if at >= total && !endless || number > 0xFFFF {
			break
		}
		g := xdlms.GeneralBlock{Window: s.window(), Number: uint16(number), Ack: b.got, Data: make([]byte, size)}
		if at < total {
			g.Data = b.out[at*size : min((at+1)*size, len(b.out))]
		}
		g.Last = at == total-1 && !endless
		g.Streaming = !g.Last && n < window-1
		list = append(list, g.Append(nil))
	}
	s.m.count(func(c *Counters) { c.GeneralBlocks += len(list) })
	list = s.m.faults.spoilBlocks(list, int(from))
	if len(list) == 0 {
		return nil
	}
	s.follow = list[1:]
	return list[0]
}

// spoilBlocks does to blocks, the first of which has the number from, what was
// ordered.
func (s *faultState) spoilBlocks(list [][]byte, from int) (out [][]byte) {
	const control, low, length = 1, 3, 6 // where they stand in a block
	for i, block := range list {
		number := from + i
		due := func(field func(f *Faults) *int) bool { return s.takeNumber(field, number) }
		if block[control]&0x80 != 0 && s.fixed().StreamingLast {
			block[control] |= 0x40
		}
		if due(func(f *Faults) *int { return &f.FalseBlock }) {
			block[low] += wrongBy
		}
		if due(func(f *Faults) *int { return &f.LongBlock }) && block[length] < 0x7F {
			block[length]++
		}
		if i+1 < len(list) && due(func(f *Faults) *int { return &f.SwapBlock }) {
			list[i], list[i+1] = list[i+1], list[i]
			block = list[i]
		}
		if due(func(f *Faults) *int { return &f.DoubleBlock }) {
			out = append(out, block)
		}
		if !due(func(f *Faults) *int { return &f.LoseBlock }) {
			out = append(out, block)
		}
	}
	return out
}

// takeNumber tells whether the fault that field selects is ordered for this
// number, and strikes it out.
func (s *faultState) takeNumber(field func(f *Faults) *int, number int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := field(&s.ord)
	if *n != number {
		return false
	}
	*n = 0
	return true
}
