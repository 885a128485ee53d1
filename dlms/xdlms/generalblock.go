package xdlms

import (
	"bytes"
	"fmt"
	"math"
)

// BlockTransfer is the client's side of general block transfer in its confirmed
// form (Green Book Ed. 9, 9.4.6.13): it joins the blocks of an answer and, after
// Begin, cuts a request into blocks. It neither sends nor waits: its owner gives
// what comes to Receive, sends what Append gives when it is our turn, and calls
// Silence when nothing more comes.
//
// Window, Max, MaxBlocks and Retries are set before the first call of Reset or Begin.
type BlockTransfer struct {
	Window    uint8 // blocks that the meter may send in a row, 1 to MaxWindow
	Max       int   // octets of the joined answer
	MaxBlocks int   // blocks of it
	Retries   int   // turns in a row that may bring nothing

	request []byte // what is sent in blocks; empty: nothing
	size    int    // octets of a block of it
	total   uint16 // blocks of it
	taken   uint16 // those that the meter has
	number  uint16 // of our last APDU

	buf      []byte
	ends     []int  // where block n ends in buf, at n-1: all blocks so far without a gap
	told     uint16 // the acknowledgement in our last APDU
	asked    uint8  // the window in it
	lost     bool   // blocks are missing, and we have not asked for them yet
	again    bool   // we have
	orphans  bool   // blocks came, but not the first
	turns    int    // in a row without progress
	barren   int    // blocks in a row that brought nothing
	restarts int
}

// MaxWindow is the largest window of a block.
const MaxWindow = blockWindow

const (
	mostBarren   = 256 // blocks in a row that may bring nothing: four full windows
	mostRestarts = 8   // answers that may be begun and left, before it is none
	keepBlocks   = 64 << 10
	// blockOverhead is what a block of up to 64 KiB has around its data: tag, control, two numbers and the length.
	blockOverhead = 1 + 1 + 2 + 2 + 3
)

// BlockStep says what is next.
type BlockStep uint8

// The steps.
const (
	BlockWait BlockStep = iota // more will come without an answer of ours
	BlockTurn                  // Append gives what to send now
	BlockDone                  // Joined is whole
)

// Reset forgets all: the next block is that of the answer to a request that was sent as it is.
func (t *BlockTransfer) Reset() {
	t.request, t.size, t.total, t.taken = nil, 0, 0, 0
	t.turns, t.restarts, t.orphans = 0, 0, false
	t.restart()
}

// restart forgets the answer.
func (t *BlockTransfer) restart() {
	if cap(t.buf) > keepBlocks {
		t.buf = nil
	}
	t.buf, t.ends = t.buf[:0], t.ends[:0]
	t.number, t.told, t.asked = t.total, 0, t.Window
	t.lost, t.again, t.barren = false, false, 0
}

// Begin begins a transfer with a request that goes out in APDUs of at most size
// octets. It is kept, not copied. The first of them is what Append gives; the
// others follow one by one, each after the meter's acknowledgement: no window
// of a meter is smaller, and requests have few blocks.
func (t *BlockTransfer) Begin(request []byte, size int) error {
	t.Reset()
	data := size - blockOverhead
	if data < 1 {
		return fmt.Errorf("a block of %d octets has no room for data", size)
	}
	total := (len(request) + data - 1) / data
	if total > math.MaxUint16 || total == 0 {
		return fmt.Errorf("a request of %d octets does not go in blocks of %d", len(request), data)
	}
	t.request, t.size, t.total = request, data, uint16(total)
	return nil
}

// Joined is what was joined so far, valid until the next call of another method.
func (t *BlockTransfer) Joined() []byte { return t.buf }

// Begun reports whether any block of the answer has come.
func (t *BlockTransfer) Begun() bool { return len(t.ends) > 0 || t.orphans }

// Receive takes the next block. A block that came already is passed over, one
// behind a gap too: what is missing is asked for when it is our turn. The one
// that is marked as the last ends the answer, whether it is marked as streaming
// or not. A block 1 with other contents than the block 1 before begins another
// answer: the one before was late, and to a request given up. An error means
// that the answer cannot be had.
func (t *BlockTransfer) Receive(g GeneralBlock) (BlockStep, error) {
	if g.Window == 0 {
		return BlockWait, nil // unconfirmed: a push
	}
	if t.barren++; t.barren > mostBarren {
		return BlockWait, fmt.Errorf("general-block-transfer: %d blocks in a row brought nothing", mostBarren)
	}
	progress := t.acknowledged(g)
	t.skip(g)
	switch have := len(t.ends); {
	case g.Number == 0:
		return BlockWait, nil
	case int(g.Number) == have+1:
		if err := t.take(g); err != nil {
			return BlockWait, err
		}
		progress = progress || len(g.Data) > 0
	case int(g.Number) <= have && bytes.Equal(g.Data, t.block(g.Number)):
	case g.Number == 1:
		if t.restarts++; t.restarts > mostRestarts {
			return BlockWait, fmt.Errorf("general-block-transfer: %d answers were begun, none was ended", t.restarts)
		}
		t.restart()
		if err := t.take(g); err != nil {
			return BlockWait, err
		}
	case int(g.Number) <= have:
		return BlockWait, fmt.Errorf("general-block-transfer: block %d came twice, with different contents", g.Number)
	case have == 0:
		// The first one is lost, or these belong to an answer that was given up: silence will tell.
		t.orphans = true
		return BlockWait, nil
	case t.again:
		return BlockWait, nil // what is missing was asked for
	default:
		t.lost = true
	}
	if progress {
		t.turns = 0
	}
	if g.Last && len(t.ends) == int(g.Number) && len(t.buf) > 0 {
		return BlockDone, nil
	}
	return t.turn(g, progress)
}

// turn decides whether it is our turn after a block.
func (t *BlockTransfer) turn(g GeneralBlock, progress bool) (BlockStep, error) {
	ends := !g.Streaming || g.Last || int(g.Number) >= int(t.told)+int(t.asked)
	if !ends || g.Number <= t.told {
		return BlockWait, nil // to answer a copy again would have all copied from here on
	}
	if !progress {
		if t.turns++; t.turns > t.Retries+1 {
			return BlockWait, fmt.Errorf("general-block-transfer: block %d does not come", len(t.ends)+1)
		}
	}
	return BlockTurn, nil
}

// acknowledged takes note of how much of the request the meter has. One that
// answers has all of it, whatever it says.
func (t *BlockTransfer) acknowledged(g GeneralBlock) (progress bool) {
	before := t.taken
	switch {
	case len(g.Data) > 0:
		t.taken = t.total
	case g.Ack > t.taken && g.Ack <= min(t.number, t.total):
		t.taken = g.Ack
	default:
	}
	return t.taken > before
}

// skip passes over acknowledgements of the request that were lost: one that comes
// says what those before it said, and they had no data.
func (t *BlockTransfer) skip(g GeneralBlock) {
	if t.total == 0 || len(t.buf) > 0 || len(g.Data) > 0 || int(g.Number) > t.MaxBlocks {
		return
	}
	for len(t.ends)+1 < int(g.Number) {
		t.ends = append(t.ends, 0)
	}
}

// take joins the block that was expected.
func (t *BlockTransfer) take(g GeneralBlock) error {
	switch {
	case len(t.buf)+len(g.Data) > t.Max:
		return fmt.Errorf("general-block-transfer: more than %d octets", t.Max)
	case len(t.ends) >= t.MaxBlocks, g.Number == math.MaxUint16 && !g.Last:
		return fmt.Errorf("general-block-transfer: more than %d blocks", len(t.ends))
	default:
	}
	t.buf = append(t.buf, g.Data...)
	t.ends = append(t.ends, len(t.buf))
	t.lost, t.again = false, false
	if len(g.Data) > 0 {
		t.barren = 0
	}
	return nil
}

// block is the data of a block that was joined.
func (t *BlockTransfer) block(number uint16) []byte {
	from := 0
	if number > 1 {
		from = t.ends[number-2]
	}
	return t.buf[from:t.ends[number-1]]
}

// Silence says that nothing more came, although it should. It reports whether
// Append gives something to send that may bring it: not for ever.
func (t *BlockTransfer) Silence() bool {
	t.turns++
	t.lost, t.again = true, false
	return t.turns <= t.Retries+1
}

// Append appends our next APDU: a block of the request, the same again if the
// meter has not got it, or an empty one that acknowledges. It acknowledges all
// before the first gap; where there is one, no more than the missing block is
// asked for.
func (t *BlockTransfer) Append(b []byte) []byte {
	g := GeneralBlock{Last: true, Window: t.Window, Ack: uint16(len(t.ends))}
	if t.lost {
		g.Window = 1
	}
	t.lost, t.again = false, t.lost
	t.told, t.asked = g.Ack, g.Window
	if t.taken < t.total {
		from := int(t.taken) * t.size
		g.Number = t.taken + 1
		g.Data = t.request[from:min(from+t.size, len(t.request))]
		g.Last = g.Number == t.total
		t.number = max(t.number, g.Number)
		return g.Append(b)
	}
	t.number++
	g.Number = t.number
	return g.Append(b)
}
