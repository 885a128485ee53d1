package hdlc

import "fmt"

// FrameErrorKind says what is wrong with octets that should be a frame.
type FrameErrorKind uint8

// What can be wrong with a frame.
const (
	FrameNoise   FrameErrorKind = iota + 1 // octets before the first flag
	FrameFormat                            // the octet after the flag is not that of frame format type 3
	FrameLength                            // the length cannot hold the header, or is above 2047
	FrameAddress                           // an address of 3 or of more than 4 octets
	FrameHCS                               // header check sequence
	FrameFCS                               // frame check sequence
	FrameEnd                               // no flag where the length says that the frame ends
)

var frameErrorNames = [...]string{
	FrameNoise:   "octets outside of a frame",
	FrameFormat:  "frame format is not type 3",
	FrameLength:  "wrong frame length",
	FrameAddress: "wrong address length",
	FrameHCS:     "wrong header check sequence (HCS)",
	FrameFCS:     "wrong frame check sequence (FCS)",
	FrameEnd:     "no flag at the end of the frame",
}

// String is the kind in words.
func (k FrameErrorKind) String() string {
	if k >= FrameNoise && int(k) < len(frameErrorNames) {
		return frameErrorNames[k]
	}
	return fmt.Sprintf("unknown(%#02x)", uint8(k))
}

// FrameError is returned for octets that are no frame, and for a frame that
// cannot be built.
type FrameError struct {
	Kind    FrameErrorKind
	Skipped int    // octets given up, the false flag included
	Length  int    // value of the length field where it was read, else 0
	Want    uint16 // check sequence as computed (FrameHCS, FrameFCS)
	Got     uint16 // check sequence as received (FrameHCS, FrameFCS)
}

func (e *FrameError) Error() string {
	switch e.Kind {
	case FrameNoise:
		return fmt.Sprintf("%d octets outside of a frame", e.Skipped)
	case FrameHCS, FrameFCS:
		return fmt.Sprintf("%s: %04X received, %04X expected, frame of %d octets", e.Kind, e.Got, e.Want, e.Length)
	case FrameLength, FrameEnd:
		return fmt.Sprintf("%s: %d octets", e.Kind, e.Length)
	default:
		return e.Kind.String()
	}
}

// LinkErrorKind says which rule of the data link the meter has broken.
type LinkErrorKind uint8

// What can be wrong with a frame that is well formed.
const (
	LinkSequence    LinkErrorKind = iota + 1 // N(S) is neither the expected one nor that of the frame before
	LinkAcknowledge                          // N(R) acknowledges what was never sent
	LinkHeader                               // the information does not begin with the LLC header
	LinkTooLong                              // the segments of a message exceed LinkConfig.MaxMessage
)

var linkErrorNames = [...]string{
	LinkSequence:    "wrong send sequence number N(S)",
	LinkAcknowledge: "wrong receive sequence number N(R)",
	LinkHeader:      "no LLC header",
	LinkTooLong:     "message too long",
}

// String is the kind in words.
func (k LinkErrorKind) String() string {
	if k >= LinkSequence && int(k) < len(linkErrorNames) {
		return linkErrorNames[k]
	}
	return fmt.Sprintf("unknown(%#02x)", uint8(k))
}

// LinkError is returned by Link.Receive when the meter breaks the rules of the
// data link. The state of both ends no longer agrees: only a new connection
// helps.
type LinkError struct {
	Kind LinkErrorKind
	Msg  string // what was received and what was expected
}

func (e *LinkError) Error() string { return e.Kind.String() + ": " + e.Msg }
