package dlms

import (
	"errors"
	"fmt"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/push"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// An Unwrapper takes off what is around the APDUs that were heard: blocks of
// general-block-transfer, which it joins, ciphering, signatures and gateway
// headers. It is not safe for concurrent use.
type Unwrapper struct {
	MaxAPDU int // octets of an APDU joined from blocks; 0: 1 MiB
	// Open appends the plain APDU to dst. title is the sender's system title,
	// nil if it was not sent. nil: nothing is opened.
	Open func(dst []byte, c xdlms.Ciphered) ([]byte, error)

	blocks map[direction]*xdlms.Blocks
	plain  []byte
	outer  []byte // of the layer around plain: what is opened does not overlap where it goes
}

// Unwrapped is an APDU without what was around it.
type Unwrapped struct {
	APDU     []byte          // valid until the next call; nil: more blocks are needed
	Ciphered *xdlms.Ciphered // outermost ciphering; nil: none. Its slices are valid as long as APDU
	Gateway  *xdlms.Gateway  // of a device behind a gateway; nil: none
	Blocks   int             // number of the last block; 0: it did not come in blocks
	Signed   bool            // a signature was around it. It is not verified, and proves nothing
}

// ErrCiphered is returned for a ciphered APDU where there is nothing to open it.
var ErrCiphered = errors.New("it is ciphered, and there is no key")

// mostLayers is how many layers of ciphering, blocks and signatures there may be.
const mostLayers = 4

// Unwrap takes the layers off a message. An error of Open is returned as it is,
// together with the APDU if Open has returned one.
func (u *Unwrapper) Unwrap(m Message) (x Unwrapped, err error) {
	apdu := m.APDU
	if g, rest, ok, err := xdlms.CutGateway(apdu, xdlms.TagGatewayResponse); ok && err == nil {
		x.Gateway, apdu = &g, rest
	}
	var doubt error
	for range mostLayers {
		if len(apdu) == 0 {
			return x, nil
		}
		switch tag := xdlms.APDUTag(apdu[0]); {
		case tag == xdlms.TagGeneralBlockTransfer:
			g, _, err := xdlms.CutGeneralBlock(apdu)
			if err != nil {
				return x, err
			}
			x.Blocks = int(g.Number)
			if apdu, err = u.join(direction{m.From, m.To}, g); err != nil || apdu == nil {
				return x, err
			}
		case tag.Ciphered():
			c, _, err := xdlms.CutCiphered(apdu)
			if err != nil {
				return x, err
			}
			if x.Ciphered == nil {
				x.Ciphered = &c
			}
			if u.Open == nil {
				return x, ErrCiphered
			}
			u.plain, u.outer = u.outer, u.plain
			u.plain, err = u.Open(u.plain[:0], c)
			if err != nil && len(u.plain) == 0 {
				return x, err
			}
			apdu, doubt = u.plain, err
		case tag == xdlms.TagGeneralSigning:
			s, _, err := xdlms.CutSigned(apdu)
			if err != nil {
				return x, err
			}
			x.Signed, apdu = true, s.Content
		default:
			x.APDU = apdu
			return x, doubt
		}
	}
	return x, fmt.Errorf("more than %d layers of ciphering, blocks and signatures", mostLayers)
}

// join adds a block to those from the same station.
func (u *Unwrapper) join(from direction, g xdlms.GeneralBlock) ([]byte, error) {
	j := u.blocks[from]
	if j == nil {
		if u.blocks == nil || len(u.blocks) >= mostDirections {
			u.blocks = map[direction]*xdlms.Blocks{}
		}
		limit := u.MaxAPDU
		setDefault(&limit, defaultMaxAPDU)
		j = &xdlms.Blocks{Max: limit}
		u.blocks[from] = j
	}
	apdu, err := j.Add(g)
	if len(u.blocks) > 1 && u.Held() > heldAtMost(j.Max) { // who begins messages from many stations ends none
		u.blocks = map[direction]*xdlms.Blocks{from: j}
	}
	if apdu == nil && err == nil && len(g.Data) > 0 && j.Pending() && APDULength(j.Joined()) == len(j.Joined()) {
		apdu = j.Joined()
		j.Complete()
	}
	return apdu, err
}

// Held returns how many octets of memory the Unwrapper holds.
func (u *Unwrapper) Held() int {
	n := cap(u.plain) + cap(u.outer)
	for _, j := range u.blocks {
		n += j.Held()
	}
	return n
}

// Forget gives up blocks that wait for others. It returns how many messages
// were lost by that.
func (u *Unwrapper) Forget() (lost int) {
	for _, j := range u.blocks {
		if j.Reset() {
			lost++
		}
	}
	return lost
}

// Plausible reports whether octets are a whole APDU that comes unasked, or a
// text telegram: what the right key makes of a ciphered push, and a wrong one
// as good as never.
func Plausible(apdu []byte) bool {
	if len(apdu) == 0 {
		return false
	}
	switch tag := xdlms.APDUTag(apdu[0]); {
	case tag == xdlms.TagDataNotification:
		n, err := xdlms.ParseDataNotification(apdu)
		return err == nil && push.Valid(n.Body)
	case bareTag(apdu[0]):
		return APDULength(apdu) == len(apdu)
	case tag == '/':
		return plausibleText(apdu)
	default:
		return plausiblePoll(apdu)
	}
}

// plausibleText reports whether octets are printable lines.
func plausibleText(b []byte) bool {
	for _, c := range b {
		if (c < 0x20 || c > 0x7E) && c != '\r' && c != '\n' && c != 0x02 && c != 0x03 {
			return false
		}
	}
	return len(b) > 5
}

// plausiblePoll reports whether octets are one of the APDUs of a polled meter.
func plausiblePoll(b []byte) bool {
	var err error
	switch xdlms.APDUTag(b[0]) {
	case xdlms.TagGetRequest:
		_, err = xdlms.ParseGetRequest(b)
	case xdlms.TagGetResponse:
		_, err = xdlms.ParseGetResponse(b)
	case xdlms.TagReadRequest:
		_, err = xdlms.ParseReadRequest(b)
	case xdlms.TagReadResponse:
		_, _, err = xdlms.ParseReadResponse(b)
	case xdlms.TagInitiateRequest:
		_, err = xdlms.ParseInitiateRequest(b)
	case xdlms.TagInitiateResponse:
		_, err = xdlms.ParseInitiateResponse(b)
	default:
		return false
	}
	return err == nil
}
