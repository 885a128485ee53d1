package hdlc

import (
	"bytes"
	"fmt"
)

// Receive takes one frame from the line. It keeps nothing of it but a copy of
// its information. An error is always a *LinkError, and means that the
// connection is of no more use: AppendDisconnect and start again.
func (l *Link) Receive(f Frame) (Event, error) {
	if l.isEcho(f) {
		l.echoes++
		l.echoing = true
		return EventIgnored, nil
	}
	if !f.Source.answers(l.server) || !f.Destination.Same(l.client) {
		l.foreign++
		return EventIgnored, nil
	}
	kind := f.Control.Kind()
	if kind == UI {
		return EventUnnumbered, nil
	}
	switch l.state {
	case stateConnecting:
		return l.receiveConnecting(kind, f), nil
	case stateConnected:
		return l.receiveConnected(kind, f)
	case stateDisconnecting:
		if kind == UA || kind == DM {
			l.state = stateDisconnected
			return EventDisconnected, nil
		}
	default:
	}
	return l.receiveLost(kind), nil
}

// receiveLost handles what may end a connection in any state.
func (l *Link) receiveLost(kind Kind) Event {
	switch kind {
	case DM:
		l.state = stateDisconnected
		return EventDisconnected
	case FRMR:
		l.state = stateDisconnected
		return EventRejected
	default:
		return EventIgnored
	}
}

func (l *Link) receiveConnecting(kind Kind, f Frame) Event {
	if kind != UA {
		return l.receiveLost(kind) // I and RR are left over from an earlier connection
	}
	// A meter that garbles its parameters gets the defaults, which every meter
	// can do: what was read of them before the error counts.
	peer, _ := ParseParameters(f.Info)
	l.negotiated = l.proposed.negotiated(peer)
	l.userData = append(l.userData[:0], UserData(f.Info)...)
	l.state = stateConnected
	return EventConnected
}

func (l *Link) receiveConnected(kind Kind, f Frame) (Event, error) {
	switch kind {
	case I:
		return l.receiveInformation(f)
	case RR, RNR:
		return l.receiveSupervisory(kind, f.Control.NR())
	default:
		return l.receiveLost(kind), nil
	}
}

// isEcho recognises our own frames: they go from us to the meter, and are of a
// kind that we send. Where both have the same address that does not tell, only
// their contents do; and RR are alike, so that on a line that echoes the first
// one after ours is its echo.
func (l *Link) isEcho(f Frame) bool {
	switch f.Control.Kind() {
	case UA, DM, FRMR: // of a meter that does not swap the addresses
		return false
	default:
	}
	if !f.Source.Same(l.client) || !f.Destination.Same(l.server) {
		return false
	}
	if !l.client.Same(l.server) {
		return true
	}
	switch f.Control.Kind() {
	case SNRM, DISC:
		return true
	case RR:
		due := l.echoDue && f.Control == l.lastRR
		l.echoDue = false
		return due
	case I:
		if len(l.last) == 0 || f.Control != l.lastCtrl {
			return false
		}
		sent, _, err := CutFrame(l.last)
		return err == nil && bytes.Equal(sent.Info, f.Info)
	default:
		return false
	}
}

// receiveSupervisory handles RR and RNR.
func (l *Link) receiveSupervisory(kind Kind, nr uint8) (Event, error) {
	lag := behind(nr, l.vs)
	if lag > 1 || lag == 1 && len(l.last) == 0 {
		return EventIgnored, l.acknowledgeError(kind, nr)
	}
	polled := l.polled
	l.polled = false
	if lag == 0 {
		l.unacked = false
	}
	switch {
	case kind == RNR:
		return EventNotReady, nil
	case lag == 1 && polled:
		return EventRepeatWanted, nil
	case lag == 1:
		// Nobody has asked: it is an answer to an earlier poll, and to repeat
		// the frame for each of them would double every frame from here on.
		l.duplicates++
		return EventIgnored, nil
	case len(l.unsent) == 0 && l.awaiting:
		return EventNotReady, nil
	default:
		return EventAcknowledged, nil
	}
}

func (l *Link) acknowledgeError(kind Kind, nr uint8) error {
	return &LinkError{
		Kind: LinkAcknowledge,
		Msg:  fmt.Sprintf("%s expects frame %d from us, the next one is %d", kind, nr, l.vs),
	}
}

// receiveInformation handles I frames.
func (l *Link) receiveInformation(f Frame) (Event, error) {
	ns, nr := f.Control.NS(), f.Control.NR()
	if ns != l.vr {
		return l.receiveOutOfSequence(f.Control)
	}
	// An answer cannot exist before its request was received. So a meter whose
	// N(R) has not counted the request yet has received it all the same; some
	// answer their first request so.
	if lag := behind(nr, l.vs); lag > 1 || lag == 1 && len(l.last) == 0 {
		return EventIgnored, l.acknowledgeError(I, nr)
	}
	if err := l.store(f); err != nil {
		return EventIgnored, err
	}
	l.vr = next(l.vr)
	l.unacked, l.polled, l.fresh = false, false, false
	l.unsent = nil
	l.reacks = 0
	if f.Segmented {
		l.rrDue = f.Control.Final()
		return EventSegment, nil
	}
	l.complete, l.awaiting, l.rrDue = true, false, false
	return EventMessage, nil
}

// receiveOutOfSequence handles an I frame with another number than is
// expected. With a window of 1 it can only be the frame before, which came late
// or again. In a larger window a frame may have been lost, too: the meter goes
// back to the one that RR names.
func (l *Link) receiveOutOfSequence(c Control) (Event, error) {
	windowed := l.negotiated.WindowReceive > 1
	if !windowed && behind(c.NS(), l.vr) != 1 {
		return EventIgnored, &LinkError{
			Kind: LinkSequence,
			Msg:  fmt.Sprintf("I frame %d received, %d expected", c.NS(), l.vr),
		}
	}
	l.duplicates++
	wanted := c.Final() && (l.polled || windowed) && l.reacks < maxReacks
	if !wanted {
		return EventIgnored, nil
	}
	l.reacks++
	l.polled = false
	l.rrDue = true
	return EventDuplicate, nil
}

// store adds the information of an I frame to the message.
func (l *Link) store(f Frame) error {
	if l.complete {
		l.dropMessage()
		l.complete = false
	}
	// Segments without information would never end otherwise.
	l.cost += max(len(f.Info), MinInfo)
	if len(l.message)+len(f.Info) > l.maxMessage+llcOctets || f.Segmented && l.cost > l.maxMessage+llcOctets {
		return &LinkError{
			Kind: LinkTooLong,
			Msg:  fmt.Sprintf("more than %d octets in segments", l.maxMessage),
		}
	}
	l.message = append(l.message, f.Info...)
	if len(l.message) >= llcOctets || !f.Segmented {
		return checkLLC(l.message)
	}
	return nil
}

// checkLLC verifies the LLC header of a message from the meter. Not all meters
// set the bit for a response, and some use the broadcast LSAP.
func checkLLC(message []byte) error {
	lsap := func(c byte) bool { return c == llcLSAP || c == llcResponse || c == llcBroadcast }
	if len(message) >= llcOctets && lsap(message[0]) && lsap(message[1]) && message[2] == llcQuality {
		return nil
	}
	return &LinkError{
		Kind: LinkHeader,
		Msg:  fmt.Sprintf("information begins with % X, E6 E7 00 expected", message[:min(len(message), llcOctets)]),
	}
}
