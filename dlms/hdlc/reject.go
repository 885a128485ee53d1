package hdlc

import (
	"fmt"
	"math/bits"
	"strings"
)

// Reject is the information field of FRMR (ISO/IEC 13239): what the meter has
// found wrong with a frame.
type Reject struct {
	Rejected Control // control field of the rejected frame
	NS, NR   uint8   // what the meter would have sent and expected next
	Response bool    // the rejected frame was a response
	Reasons  uint8   // bits 0 to 3, see String
}

var rejectReasons = [...]string{
	"control field undefined or not implemented",
	"information not allowed in this frame",
	"information field too long",
	"invalid N(R)",
}

// ParseReject reads the information field of FRMR. It reports false if that is
// shorter than three octets: meters may leave it out. The reasons are the low
// four bits of the third octet, the first of them the lowest; there are meters
// that number the bits of this octet from the other end, and they are understood.
func ParseReject(info []byte) (Reject, bool) {
	if len(info) < 3 {
		return Reject{}, false
	}
	reasons := info[2] & 0x0F
	if reasons == 0 {
		reasons = bits.Reverse8(info[2])
	}
	return Reject{
		Rejected: Control(info[0]),
		NS:       info[1] >> 1 & 7,
		NR:       info[1] >> 5,
		Response: info[1]&0x10 != 0,
		Reasons:  reasons,
	}, true
}

// String is like "I(s0,r0,P/F) rejected: information field too long".
func (r Reject) String() string {
	var reasons []string
	for i, name := range rejectReasons {
		if r.Reasons&(1<<i) != 0 {
			reasons = append(reasons, name)
		}
	}
	if len(reasons) == 0 {
		return fmt.Sprintf("%s rejected, no reason given", r.Rejected)
	}
	return fmt.Sprintf("%s rejected: %s", r.Rejected, strings.Join(reasons, ", "))
}
