package hdlc

import "fmt"

// Kind is the kind of a frame, as its control field gives it (Green Book,
// clause 8.4.3).
type Kind uint8

// The kinds of frames. REJ is not in the repertoire of the profile.
const (
	Unknown Kind = iota
	I            // information
	RR           // receive ready
	RNR          // receive not ready
	SNRM         // set normal response mode
	DISC         // disconnect
	UA           // unnumbered acknowledge
	DM           // disconnected mode
	FRMR         // frame reject
	UI           // unnumbered information
)

var kindNames = [...]string{"unknown", "I", "RR", "RNR", "SNRM", "DISC", "UA", "DM", "FRMR", "UI"}

// String is the standard's name of the kind.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("unknown(%#02x)", uint8(k))
}

// Control is the control field of a frame, modulo 8.
type Control uint8

const (
	finalBit Control = 0x10 // poll towards the meter, final from it

	controlRR   Control = 0x01
	controlRNR  Control = 0x05
	controlUI   Control = 0x03
	controlDM   Control = 0x0F
	controlDISC Control = 0x43
	controlUA   Control = 0x63
	controlSNRM Control = 0x83
	controlFRMR Control = 0x87
)

// Information is the control field of an I frame with the number ns, that
// acknowledges all frames before nr.
func Information(ns, nr uint8, final bool) Control {
	return Control(nr&7)<<5 | Control(ns&7)<<1 | poll(final)
}

// ReceiveReady is the control field of an RR frame.
func ReceiveReady(nr uint8, final bool) Control {
	return Control(nr&7)<<5 | controlRR | poll(final)
}

// ReceiveNotReady is the control field of an RNR frame.
func ReceiveNotReady(nr uint8, final bool) Control {
	return Control(nr&7)<<5 | controlRNR | poll(final)
}

// Unnumbered is the control field of SNRM, DISC, UA, DM, FRMR and UI frames.
// For the numbered kinds, and for Unknown, it is that of a UI frame.
func Unnumbered(k Kind, final bool) Control {
	c := controlUI
	switch k {
	case SNRM:
		c = controlSNRM
	case DISC:
		c = controlDISC
	case UA:
		c = controlUA
	case DM:
		c = controlDM
	case FRMR:
		c = controlFRMR
	default:
	}
	return c | poll(final)
}

func poll(final bool) Control {
	if final {
		return finalBit
	}
	return 0
}

// Kind tells what kind of frame it is. Unknown is returned for those that are
// not in the repertoire of the profile.
func (c Control) Kind() Kind {
	if c&1 == 0 {
		return I
	}
	switch c & 0x0F {
	case controlRR:
		return RR
	case controlRNR:
		return RNR
	default:
	}
	switch c &^ finalBit {
	case controlSNRM:
		return SNRM
	case controlDISC:
		return DISC
	case controlUA:
		return UA
	case controlDM:
		return DM
	case controlFRMR:
		return FRMR
	case controlUI:
		return UI
	default:
		return Unknown
	}
}

// Final is the poll/final bit: set by the client when the meter may talk, and
// by the meter in the last frame before the client may.
func (c Control) Final() bool { return c&finalBit != 0 }

// NS is the number of an I frame, 0 to 7; 0 for every other kind.
func (c Control) NS() uint8 {
	if c.Kind() != I {
		return 0
	}
	return uint8(c>>1) & 7
}

// NR is the number of the frame that the sender expects next, 0 to 7, in I, RR
// and RNR frames; 0 for every other kind.
func (c Control) NR() uint8 {
	switch c.Kind() {
	case I, RR, RNR:
		return uint8(c >> 5)
	default:
		return 0
	}
}

// String is like "I(s1,r2,P/F)", "RR(r3)" or "SNRM(P/F)".
func (c Control) String() string {
	var numbers string
	k := c.Kind()
	switch k {
	case I:
		numbers = fmt.Sprintf("s%d,r%d", c.NS(), c.NR())
	case RR, RNR:
		numbers = fmt.Sprintf("r%d", c.NR())
	case Unknown:
		return fmt.Sprintf("unknown(%#02x)", uint8(c))
	default:
	}
	switch {
	case !c.Final() && numbers == "":
		return k.String()
	case !c.Final():
		return k.String() + "(" + numbers + ")"
	case numbers == "":
		return k.String() + "(P/F)"
	default:
		return k.String() + "(" + numbers + ",P/F)"
	}
}
