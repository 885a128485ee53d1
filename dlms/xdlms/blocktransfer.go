package xdlms

import (
	"fmt"
)

// GeneralBlock is General-Block-Transfer: one block of an APDU (Green Book Ed. 9, 9.3.5 and 9.4.6.13).
type GeneralBlock struct {
	Last      bool
	Streaming bool
	Window    uint8  // blocks that the sender can take in a row; 0: unconfirmed
	Number    uint16 // from 1
	Ack       uint16 // number of the last block received
	Data      []byte // a view
}

const (
	blockLast      = 0x80
	blockStreaming = 0x40
	blockWindow    = 0x3F
)

// CutGeneralBlock takes a block off the front of b and returns what follows it.
func CutGeneralBlock(b []byte) (g GeneralBlock, rest []byte, err error) {
	r := newReader(b, TagGeneralBlockTransfer)
	control := r.u8("block-control")
	g.Last, g.Streaming, g.Window = control&blockLast != 0, control&blockStreaming != 0, control&blockWindow
	g.Number = r.u16("block-number")
	g.Ack = r.u16("block-number-ack")
	g.Data = r.octets(r.length("block-data"), "block-data")
	if r.err != nil {
		return GeneralBlock{}, b, r.err
	}
	return g, r.b, nil
}

// Append appends the block.
func (g *GeneralBlock) Append(b []byte) []byte {
	control := g.Window & blockWindow
	if g.Last {
		control |= blockLast
	}
	if g.Streaming {
		control |= blockStreaming
	}
	b = append(b, uint8(TagGeneralBlockTransfer), control)
	return appendOctets(appendU16(appendU16(b, g.Number), g.Ack), g.Data)
}

// BlockError is a block that does not follow the one before: what was joined so far is lost.
type BlockError struct {
	Got, Want uint16
	Size      int // octets that were joined, if it is about their number; then Got and Want are 0
}

// Error says what came and what was expected.
func (e *BlockError) Error() string {
	if e.Size > 0 {
		return fmt.Sprintf("general-block-transfer: more than %d octets", e.Size)
	}
	return fmt.Sprintf("general-block-transfer: block %d came, block %d was expected: what was lost cannot be asked for in a push", e.Got, e.Want)
}

// Blocks joins the blocks of a push, which nobody answers. The zero value is ready but for Max.
type Blocks struct {
	Max  int // octets of the joined APDU
	buf  []byte
	last uint16 // number of the last block joined; 0: none
}

// Add joins a block. Block 1 begins anew, whatever was before. A block that was joined already is passed over; after a
// *BlockError all are, until a block 1. The block that is marked as the last ends the APDU, whether it is marked as
// streaming or not; the APDU is valid until the next call.
func (j *Blocks) Add(g GeneralBlock) (apdu []byte, err error) {
	switch {
	case g.Number == 1:
		j.buf, j.last = j.buf[:0], 0
	case j.last == 0:
		return nil, &BlockError{Got: g.Number, Want: 1}
	case g.Number == j.last, g.Number == 0 || g.Number < j.last:
		return nil, nil
	case g.Number != j.last+1:
		want := j.last + 1
		j.Reset()
		return nil, &BlockError{Got: g.Number, Want: want}
	default:
	}
	if len(j.buf)+len(g.Data) > j.Max {
		j.Reset()
		return nil, &BlockError{Size: j.Max}
	}
	j.buf, j.last = append(j.buf, g.Data...), g.Number
	if !g.Last {
		return nil, nil
	}
	j.last = 0
	return j.buf, nil
}

// Reset forgets what was joined. It reports whether there was something.
func (j *Blocks) Reset() bool {
	was := j.last != 0
	j.buf, j.last = j.buf[:0], 0
	return was
}

// Joined returns what is joined so far, valid until the next call of Add. A
// message that tells its own length may be complete although its last block is
// not marked as such: some senders forget it.
func (j *Blocks) Joined() []byte { return j.buf }

// Complete takes what is joined for the whole message. An empty last block may
// still come.
func (j *Blocks) Complete() { j.last = 0 }

// Pending reports whether there are blocks that wait for others.
func (j *Blocks) Pending() bool { return j.last != 0 }

// Held returns how many octets of memory it holds.
func (j *Blocks) Held() int { return cap(j.buf) }
