package dlms

import (
	"context"
	"errors"
	"fmt"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// unproposedWindow is our window where general block transfer was not proposed,
// and a meter uses it all the same.
const unproposedWindow = 1

// generalBlocks is what an association has of general block transfer.
type generalBlocks struct {
	window   int // ours; 0: it was not proposed
	transfer xdlms.BlockTransfer
	apdu     []byte // the block being sent
}

// mostStrays is how many answers to requests given up may come in blocks before an answer.
const mostStrays = 16

// wantsBlock reports whether a block of general block transfer may be one of
// the answer. Those of a push have no window. To which request an answer
// belongs is known for certain only when it is joined; but one in clear says it
// in its first block.
func (e expectation) wantsBlock(apdu []byte) bool {
	g, _, err := xdlms.CutGeneralBlock(apdu)
	switch {
	case err != nil:
		return true
	case g.Window == 0, e.kind == wantAARE, e.kind == wantRLRE:
		return false
	case g.Number != 1 || len(g.Data) < 3 || e.kind != wantGet || xdlms.APDUTag(g.Data[0]) != xdlms.TagGetResponse:
		return true
	default:
		return xdlms.InvokeID(g.Data[2]).ID() == e.invoke
	}
}

// blockRoom is how many octets an APDU to the meter may have; 0: any number.
func (a *Association) blockRoom() int {
	room := a.c.link.room()
	if a.params.MaxPDU > 0 {
		room = min(room, a.params.MaxPDU)
	}
	return room
}

// blocked reports whether a request goes out in blocks.
func (a *Association) blocked(apdu []byte) bool {
	return len(apdu) > a.blockRoom() && a.params.Conformance.Has(xdlms.ConformanceGeneralBlockTransfer)
}

// converse sends a request, in blocks if it is too long for one APDU, and
// returns the answer, whole or joined from blocks (general block transfer,
// Green Book Ed. 9, clause 9.4.6.13), valid until the next exchange.
func (a *Association) converse(ctx context.Context, op operation, apdu []byte, e expectation) ([]byte, error) {
	c := a.c
	t := &a.general.transfer
	t.Window, t.Max, t.MaxBlocks, t.Retries = uint8(a.general.window), c.cfg.MaxAPDU, c.cfg.MaxBlocks, c.cfg.Retries
	if a.general.window == 0 {
		t.Window = unproposedWindow
	}
	t.Reset()
	inBlocks := a.blocked(apdu)
	if inBlocks {
		if err := t.Begin(apdu, a.blockRoom()); err != nil {
			return nil, &ProtocolError{Op: op.String(), Err: err}
		}
		a.general.apdu = t.Append(a.general.apdu[:0])
		apdu = a.general.apdu
	}
	answer, err := c.link.exchange(ctx, op, apdu, e)
	e.again = nil
	switch {
	case err == nil && (inBlocks || isBlock(answer)):
		answer, err = a.joinGeneral(ctx, op, e, answer, nil)
	case err != nil && inBlocks && a.patient(ctx, err):
		answer, err = a.joinGeneral(ctx, op, e, nil, err)
	default:
	}
	if err != nil && c.cfg.Datagram && c.broken == nil && (t.Begun() || a.params.Conformance.Has(xdlms.ConformanceGeneralBlockTransfer)) {
		// Blocks of it may come late, and could not be told from those of the next answer.
		c.broken = fmt.Errorf("an answer that may come in blocks was given up on this connection (%w)", err)
	}
	return answer, err
}

func isBlock(apdu []byte) bool {
	return len(apdu) > 0 && xdlms.APDUTag(apdu[0]) == xdlms.TagGeneralBlockTransfer
}

// complete reports whether a ciphered APDU has all octets that it says it has:
// there are meters that do not mark the last block of one.
func complete(joined []byte) bool {
	return len(joined) > 0 && protects(xdlms.APDUTag(joined[0])) && APDULength(joined) == len(joined)
}

// patient reports whether an exchange may be gone on with after an error: it is
// a silence of the meter, over a link that does not itself repeat what was sent.
func (a *Association) patient(ctx context.Context, err error) bool {
	var silence *TimeoutError
	return errors.As(err, &silence) && silence.Err == nil && ctx.Err() == nil && a.c.broken == nil && a.c.link.open() && !a.c.cfg.Datagram
}

// joinGeneral goes on with a transfer of which an APDU has come, or for which an
// error that patience has with was returned.
func (a *Association) joinGeneral(ctx context.Context, op operation, e expectation, answer []byte, err error) ([]byte, error) {
	t, link, strays := &a.general.transfer, a.c.link, 0
	for {
		turn := true
		switch {
		case err != nil:
			if !t.Silence() {
				return nil, err
			}
		case !isBlock(answer):
			return answer, nil
		default:
			var step xdlms.BlockStep
			if step, err = a.receiveBlock(answer); err != nil {
				return nil, &ProtocolError{Op: op.String(), Err: err}
			}
			if step == xdlms.BlockDone || step == xdlms.BlockTurn && complete(t.Joined()) {
				if joined := t.Joined(); e.wants(joined) {
					return joined, nil
				}
				if strays++; strays > mostStrays {
					return nil, &ProtocolError{Op: op.String(), Msg: fmt.Sprintf("more than %d answers in blocks came, to other requests", mostStrays)}
				}
				a.c.stats.Dropped++ // the answer to a request given up before
				t.Reset()
			}
			turn = step == xdlms.BlockTurn
		}
		if turn {
			a.general.apdu = t.Append(a.general.apdu[:0])
			answer, err = link.exchange(ctx, op, a.general.apdu, e)
			if err != nil && !a.patient(ctx, err) {
				return nil, err
			}
			continue
		}
		answer, err = link.more(ctx, op, e)
		var silence *TimeoutError
		if err != nil && (!errors.As(err, &silence) || silence.Err != nil || ctx.Err() != nil || a.c.broken != nil || !link.open()) {
			return nil, err
		}
	}
}

// receiveBlock gives an APDU to the transfer.
func (a *Association) receiveBlock(apdu []byte) (xdlms.BlockStep, error) {
	g, rest, err := xdlms.CutGeneralBlock(apdu)
	switch {
	case err != nil:
		return xdlms.BlockWait, fmt.Errorf("%s: %w", shown(apdu), err)
	case len(rest) > 0:
		return xdlms.BlockWait, fmt.Errorf("general-block-transfer: %s behind block %d", octets(len(rest)), g.Number)
	default:
		return a.general.transfer.Receive(g)
	}
}
