package hdlc

import "fmt"

// llcHeader begins the information of a message from a client: destination
// LSAP, source LSAP, quality (Green Book, clause 8.3).
const (
	llcOctets     = 3
	llcLSAP       = 0xE6
	llcResponse   = 0xE7
	llcBroadcast  = 0xFF
	llcQuality    = 0x00
	defaultInfo   = 512
	defaultAPDU   = 1 << 20
	keepCapacity  = 64 << 10
	maxReacks     = 3
	sequenceModul = 8
)

// LinkConfig configures a Link.
type LinkConfig struct {
	Client, Server Address
	// Proposal is what SNRM proposes, as the client sees it. Zero values stand
	// for information fields of 512 octets and windows of 1.
	Proposal Parameters
	// MaxMessage is the largest message in octets that is joined from
	// segments, 0 for 1 MiB.
	MaxMessage int
}

// Event is what a received frame means to the owner of a Link.
type Event uint8

// The events. With each of them the owner may call AppendPending for the frame
// that is due next; for most there is none.
const (
	// EventIgnored is an echo, a frame between other stations, a late
	// duplicate or a frame that means nothing now: keep waiting.
	EventIgnored Event = iota
	// EventConnected is UA to SNRM: Send may be called.
	EventConnected
	// EventDisconnected is DM, or UA to DISC: there is no connection.
	EventDisconnected
	// EventAcknowledged is RR that confirms what was sent: AppendPending gives
	// the next segment, if there is one.
	EventAcknowledged
	// EventSegment is a part of a message: AppendPending gives the RR that
	// asks for more, or nothing while the meter has not yet ended its window.
	EventSegment
	// EventDuplicate is a frame that came before, again, in answer to a poll,
	// or one behind a gap in a window: AppendPending gives the RR that says
	// what is expected. It is no progress.
	EventDuplicate
	// EventMessage completes a message: see Message.
	EventMessage
	// EventRepeatWanted is RR to a poll that shows that the last I frame was
	// not received: AppendRepeat gives it again.
	EventRepeatWanted
	// EventNotReady is RNR, or RR of a meter that has received all and has no
	// answer yet: AppendPoll after a short delay.
	EventNotReady
	// EventUnnumbered is a UI frame: a notification, in the information field
	// of the frame. Keep waiting.
	EventUnnumbered
	// EventRejected is FRMR: there is no connection. ParseReject explains the
	// information field of the frame.
	EventRejected
)

var eventNames = [...]string{
	"ignored", "connected", "disconnected", "acknowledged", "segment", "duplicate",
	"message", "repeat wanted", "not ready", "unnumbered", "rejected",
}

// String is the event in words.
func (e Event) String() string {
	if int(e) < len(eventNames) {
		return eventNames[e]
	}
	return fmt.Sprintf("unknown(%#02x)", uint8(e))
}

type linkState uint8

const (
	stateDisconnected linkState = iota
	stateConnecting
	stateConnected
	stateDisconnecting
)

// Link is the state of a primary station, the client's end of a data link in
// normal response mode (Green Book, clause 8.4.5). It neither reads nor writes
// nor waits: its owner transmits what the Append methods give, hands received
// frames to Receive, and on silence calls AppendPoll, then AppendRepeat if the
// meter wants that.
//
// One message is outstanding at a time, as the mode demands: after Send the
// owner transmits frames from AppendPending until EventMessage. A Link is owned
// by one goroutine.
type Link struct {
	client, server Address
	proposal       Parameters
	maxMessage     int

	state      linkState
	proposed   Parameters // what the last SNRM proposed
	negotiated Parameters
	userData   []byte // of the last UA
	vs, vr     uint8  // V(S), V(R)

	unsent   []byte // what is left of the APDU to send
	first    bool   // the next segment is the first: it takes the LLC header
	fresh    bool   // a message is queued and its first frame not yet taken
	unacked  bool   // the last I frame is not acknowledged
	awaiting bool   // no message has come since Send
	last     []byte // the last I frame, flags included
	lastCtrl Control

	rrDue   bool
	polled  bool    // a poll is not answered
	echoing bool    // the line has sent back a frame of this connection
	echoDue bool    // it may still send back the last RR,
	lastRR  Control // which is this one
	reacks  int     // RR for duplicates since the last new I frame

	message  []byte // joined information fields, LLC header included
	cost     int    // what the segments count towards maxMessage
	complete bool   // message is complete, the next I frame begins another

	echoes, foreign, duplicates int
}

// NewLink returns a Link that is not connected.
func NewLink(cfg LinkConfig) *Link {
	p := cfg.Proposal
	if p.MaxInfoTransmit == 0 {
		p.MaxInfoTransmit = defaultInfo
	}
	if p.MaxInfoReceive == 0 {
		p.MaxInfoReceive = defaultInfo
	}
	l := &Link{
		client:     cfg.Client,
		server:     cfg.Server,
		proposal:   p.normal(),
		maxMessage: cfg.MaxMessage,
		proposed:   DefaultParameters(),
		negotiated: DefaultParameters(),
		complete:   true,
	}
	if l.maxMessage <= 0 {
		l.maxMessage = defaultAPDU
	}
	return l
}

// AppendConnect appends SNRM and forgets all about an earlier connection. The
// parameters are those of LinkConfig.Proposal; without them the defaults of 128
// octets and windows of 1 are proposed. Where the proposal is the default
// (Parameters.IsDefault), leaving them out is understood most widely.
func (l *Link) AppendConnect(out []byte, withParameters bool) []byte {
	l.reset(stateConnecting)
	f := l.frame(Unnumbered(SNRM, true))
	l.proposed = DefaultParameters()
	if withParameters {
		l.proposed = l.proposal
		f.Info = l.proposal.Append(nil)
	}
	return appendFrame(out, f)
}

// AppendDisconnect appends DISC and forgets what was to be sent. Its answer,
// UA or DM, is EventDisconnected.
func (l *Link) AppendDisconnect(out []byte) []byte {
	l.reset(stateDisconnecting)
	return appendFrame(out, l.frame(Unnumbered(DISC, true)))
}

// Send queues one APDU; the LLC header is added to it. What was queued or
// received before is dropped. The slice must not change until the message is
// answered or given up.
func (l *Link) Send(apdu []byte) {
	l.unsent = apdu
	l.first, l.fresh, l.awaiting = true, true, true
	l.unacked, l.rrDue, l.polled = false, false, false
	l.dropMessage()
}

// AppendPending appends the frame to transmit now, an I frame or RR. It
// reports false, and appends nothing, if it is the meter's turn or if there is
// no connection.
//
// An APDU that exceeds what the meter takes in a frame is sent in segments, of
// which each awaits its RR. The standard knows them only from the meter; to
// send APDUs that fit is up to the caller.
func (l *Link) AppendPending(out []byte) ([]byte, bool) {
	if l.state != stateConnected {
		return out, false
	}
	if l.rrDue {
		return l.appendReady(out), true
	}
	if l.unacked || !l.fresh && len(l.unsent) == 0 {
		return out, false
	}
	return append(out, l.nextSegment()...), true
}

// nextSegment builds the next I frame in l.last, where it stays for
// AppendRepeat.
func (l *Link) nextSegment() []byte {
	room := l.MaxSend()
	f := l.frame(Information(l.vs, l.vr, true))
	header := [llcOctets]byte{llcLSAP, llcLSAP, llcQuality}
	prefix := header[:0]
	if l.first {
		prefix = header[:]
	}
	room -= len(prefix)
	n := min(room, len(l.unsent))
	f.Segmented = n < len(l.unsent)
	f.Info = l.unsent[:n]
	l.last, _ = f.appendWith(l.last[:0], prefix)
	l.lastCtrl = f.Control
	l.unsent = l.unsent[n:]
	l.first, l.fresh = false, false
	l.unacked = true
	l.vs = next(l.vs)
	return l.last
}

// AppendPoll appends RR with the poll bit, which asks the meter for what it
// has to say: after silence, and after EventNotReady.
func (l *Link) AppendPoll(out []byte) []byte {
	l.polled = true
	return l.appendReady(out)
}

// appendReady appends RR with the poll bit.
func (l *Link) appendReady(out []byte) []byte {
	l.rrDue = false
	l.lastRR, l.echoDue = ReceiveReady(l.vr, true), l.echoing
	return appendFrame(out, l.frame(l.lastRR))
}

// AppendRepeat appends the last I frame again, octet by octet. It appends
// nothing if none was sent on this connection.
func (l *Link) AppendRepeat(out []byte) []byte {
	l.polled = false
	return append(out, l.last...)
}

// Message is the last complete APDU, without its LLC header. It is valid until
// the next call of Receive, Send, AppendConnect or AppendDisconnect, and nil
// if there is none.
func (l *Link) Message() []byte {
	if !l.complete || len(l.message) < llcOctets {
		return nil
	}
	return l.message[llcOctets:]
}

// MaxSend is the number of octets that the meter takes in the information
// field of a frame. The LLC header of 3 octets counts.
func (l *Link) MaxSend() int { return int(l.negotiated.MaxInfoTransmit) }

// Negotiated is what holds on this connection, as the client sees it; 128, 128,
// 1 and 1 before UA.
func (l *Link) Negotiated() Parameters { return l.negotiated }

// Connected reports whether UA was received, and nothing since that ends the
// connection.
func (l *Link) Connected() bool { return l.state == stateConnected }

// UserData returns what the user group of the meter's UA held, valid until the
// next connection; see the function UserData.
func (l *Link) UserData() []byte { return l.userData }

// Echoes counts the received frames that were our own, since NewLink: an
// optical head or a two-wire bus sends back what is transmitted.
func (l *Link) Echoes() int { return l.echoes }

// Foreign counts the received frames that were between other stations, since
// NewLink.
func (l *Link) Foreign() int { return l.foreign }

// Duplicates counts the received frames that had come before, since NewLink.
func (l *Link) Duplicates() int { return l.duplicates }

func (l *Link) frame(c Control) Frame {
	return Frame{Destination: l.server, Source: l.client, Control: c}
}

// reset forgets everything of a connection.
func (l *Link) reset(s linkState) {
	l.state = s
	l.negotiated = DefaultParameters()
	l.vs, l.vr = 0, 0
	l.unsent, l.last = nil, l.last[:0]
	l.first, l.fresh, l.unacked, l.awaiting = false, false, false, false
	l.rrDue, l.polled, l.reacks = false, false, 0
	l.echoing, l.echoDue = false, false
	l.dropMessage()
}

// dropMessage makes room for the next message. The room of a large one is
// given back: few messages are.
func (l *Link) dropMessage() {
	if cap(l.message) > keepCapacity {
		l.message = nil
	}
	l.message = l.message[:0]
	l.cost, l.complete = 0, true
}

// appendFrame appends a frame of ours. It cannot fail: NewLink is given
// addresses that were validated, and MaxSend bounds the information.
func appendFrame(out []byte, f Frame) []byte {
	out, _ = f.Append(out)
	return out
}

func next(n uint8) uint8 { return (n + 1) % sequenceModul }

// behind is how far n lies before m, modulo 8.
func behind(n, m uint8) uint8 { return (m - n) % sequenceModul }
