package explain

import (
	"encoding/binary"
	"fmt"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// mostLayers is how many layers of ciphering, blocks and signatures there may be.
const mostLayers = 4

// message explains what a frame carries: an LLC header and APDUs.
func (x *explainer) message(parent *Node, o octets, c ctx) {
	x.searched(o)
	for len(o.b) > 0 {
		if n := len(o.b) - len(dlms.TrimLLC(o.b)); n > 0 {
			node := x.add(parent, "LLC", fmt.Sprintf("% X", o.b[:n]), o.cut(0, n))
			node.Note = "command"
			if o.b[1]&1 != 0 {
				node.Note = "response"
			}
			o = o.from(n)
			continue
		}
		n := apduLength(o.b)
		if n <= 0 || n < len(o.b) && !startsMessage(o.b[n:]) {
			n = len(o.b)
		}
		x.report.Messages++
		x.apdu(parent, o.cut(0, n), c)
		o = o.from(n)
	}
}

// startsMessage reports whether octets behind an APDU begin another one.
func startsMessage(b []byte) bool {
	tag := firstTag(b)
	return len(dlms.TrimLLC(b)) < len(b) || tag.Unsolicited() || tag == xdlms.TagGeneralBlockTransfer || tag == xdlms.TagGeneralSigning ||
		tag.Ciphered() && tag >= xdlms.TagGeneralGloCiphering
}

// firstTag is the tag of the APDU at the front of b, behind an LLC header if
// there is one; 0 if there is none.
func firstTag(b []byte) xdlms.APDUTag {
	if b = dlms.TrimLLC(b); len(b) == 0 {
		return 0
	}
	return xdlms.APDUTag(b[0])
}

// apdu explains one APDU. Views into it are kept by nobody.
func (x *explainer) apdu(parent *Node, o octets, c ctx) {
	if len(o.b) == 0 || x.full {
		return
	}
	tag := xdlms.APDUTag(o.b[0])
	if tag == '/' && telegramAt(o.b) {
		x.ciphered62056(parent, o)
		return
	}
	n := x.add(parent, tag.String(), "", o)
	if c.level >= mostLayers {
		x.flaw(n, fmt.Sprintf("more than %d layers of ciphering, blocks and signatures", mostLayers))
		return
	}
	switch {
	case tag == xdlms.TagGeneralBlockTransfer:
		x.generalBlock(n, o, c)
	case tag.Ciphered():
		x.ciphered(n, o, c)
	case tag == xdlms.TagGeneralSigning:
		x.signed(n, o, c)
	case tag == xdlms.TagGatewayRequest, tag == xdlms.TagGatewayResponse:
		x.gateway(n, o, c)
	default:
		if explain := x.explainerOf(tag); explain != nil {
			explain(n, o, c)
			return
		}
		switch tag {
		case xdlms.TagWriteRequest, xdlms.TagUnconfirmedWriteRequest, xdlms.TagAccessRequest: // may hold a new password
			x.add(n, "octets", hidden(o.b), o)
		default:
			x.add(n, "octets", hexText(o.b), o)
		}
		if !knownTag(tag) {
			x.flaw(n, fmt.Sprintf("%02X begins no APDU that is known", uint8(tag)))
		}
	}
}

// explainerOf returns what explains the plain APDU with a tag; nil: nothing.
func (x *explainer) explainerOf(tag xdlms.APDUTag) func(n *Node, o octets, c ctx) {
	switch tag {
	case xdlms.TagAARQ:
		return x.aarq
	case xdlms.TagAARE:
		return x.aare
	case xdlms.TagRLRQ, xdlms.TagRLRE:
		return x.release
	case xdlms.TagInitiateRequest:
		return x.initiateRequest
	case xdlms.TagInitiateResponse:
		return x.initiateResponse
	case xdlms.TagConfirmedServiceError, xdlms.TagExceptionResponse:
		return x.refusal
	case xdlms.TagGetRequest:
		return x.getRequest
	case xdlms.TagGetResponse:
		return x.getResponse
	case xdlms.TagReadRequest:
		return x.readRequest
	case xdlms.TagReadResponse:
		return x.readResponse
	case xdlms.TagActionRequest:
		return x.actionRequest
	case xdlms.TagActionResponse:
		return x.actionResponse
	case xdlms.TagSetRequest:
		return x.setRequest
	case xdlms.TagSetResponse:
		return x.setResponse
	case xdlms.TagDataNotification:
		return x.dataNotification
	case xdlms.TagDataNotificationConfirm:
		return x.notificationConfirm
	case xdlms.TagEventNotification:
		return x.eventNotification
	case xdlms.TagInformationReport:
		return x.informationReport
	default:
		return nil
	}
}

// generalBlock explains a block of general-block-transfer, and the APDU that it
// completes.
func (x *explainer) generalBlock(n *Node, o octets, c ctx) {
	g, _, err := xdlms.CutGeneralBlock(o.b)
	if err != nil {
		x.wrong(n, o, err)
		return
	}
	n.Value = fmt.Sprintf("block %d", g.Number)
	n.Note = fmt.Sprintf("window %d, block %d acknowledged", g.Window, g.Ack)
	if g.Last {
		n.Value += ", the last one"
	}
	if g.Streaming {
		n.Note += ", streaming"
	}
	data, _ := o.find(g.Data, 0)
	if len(g.Data) == 0 {
		return
	}
	j := c.s.blocksFrom(direction{c.from, c.to})
	joined, complete, err := j.add(g, data)
	switch {
	case err != nil:
		x.add(n, "block-data", hexText(data.b), data)
		x.damaged(n, o, 0, err.Error())
	case !complete:
		x.add(n, "block-data", hexText(data.b), data)
	default:
		node := x.add(n, "joined", fmt.Sprintf("%s from blocks", count(len(joined.b), "octet")), joined)
		x.searched(joined)
		c.level++
		x.apdu(node, joined, c)
	}
}

// blocks joins blocks of general-block-transfer, and keeps where they are.
type blocks struct {
	xdlms.Blocks
	got  gather
	last uint16
}

func (j *blocks) add(g xdlms.GeneralBlock, data octets) (apdu octets, complete bool, err error) {
	if g.Number == 1 {
		j.got, j.last = gather{}, 0
	}
	next := g.Number == j.last+1
	m, err := j.Add(g)
	if err != nil {
		j.got, j.last = gather{}, 0
		return octets{}, false, err
	}
	if next {
		j.got.add(data)
		j.last = g.Number
	}
	// A message that tells its own length may be complete although no block is marked as the last.
	if m == nil && j.Pending() && apduLength(j.Joined()) == len(j.Joined()) {
		m = j.Joined()
		j.Complete()
	}
	if m == nil {
		return octets{}, false, nil
	}
	return j.got.take(), true, nil
}

// gateway explains the header of an APDU for, or of, a device behind a gateway.
func (x *explainer) gateway(n *Node, o octets, c ctx) {
	g, rest, _, err := xdlms.CutGateway(o.b, xdlms.APDUTag(o.b[0]))
	if err != nil {
		x.damaged(n, o, len(o.b), "the header of a gateway: the octets end too early")
		return
	}
	n.Value = fmt.Sprintf("network %d", g.Network)
	device, _ := o.find(g.Device, 0)
	x.add(n, "device", octetText(g.Device), device)
	inner, _ := o.find(rest, 0)
	c.level++
	x.apdu(n, inner, c)
}

// refusal explains the two APDUs by which a server refuses.
func (x *explainer) refusal(n *Node, o octets, _ ctx) {
	if xdlms.APDUTag(o.b[0]) == xdlms.TagExceptionResponse {
		e, err := xdlms.ParseExceptionResponse(o.b)
		if err != nil {
			x.wrong(n, o, err)
			return
		}
		n.Value = e.String()
		return
	}
	e, err := xdlms.ParseConfirmedServiceError(o.b)
	if err != nil {
		x.wrong(n, o, err)
		return
	}
	n.Value = e.String()
}

// invoke says in words what invoke-id-and-priority is.
func invoke(id xdlms.InvokeID) string {
	s := fmt.Sprintf("invoke id %d", id.ID())
	if id.Confirmed() {
		s += ", confirmed"
	}
	if id.HighPriority() {
		s += ", high priority"
	}
	return s
}

// longInvoke does the same with long-invoke-id-and-priority.
func longInvoke(id xdlms.LongInvokeID) string {
	s := fmt.Sprintf("invoke id %d", id.ID())
	for _, bit := range []struct {
		mask xdlms.LongInvokeID
		name string
	}{
		{xdlms.LongSelfDescriptive, "self-descriptive"}, {xdlms.LongBreakOnError, "break on error"},
		{xdlms.LongConfirmed, "confirmed"}, {xdlms.LongHighPriority, "high priority"},
	} {
		if id&bit.mask != 0 {
			s += ", " + bit.name
		}
	}
	return s
}

// confirmOctets is how long a data-notification-confirm is.
const confirmOctets = 5

// notificationConfirm explains data-notification-confirm.
func (x *explainer) notificationConfirm(n *Node, o octets, _ ctx) {
	if len(o.b) != confirmOctets {
		x.damaged(n, o, min(len(o.b), confirmOctets), fmt.Sprintf("data-notification-confirm of %d octets, %d expected", len(o.b), confirmOctets))
		return
	}
	n.Value = longInvoke(xdlms.LongInvokeID(binary.BigEndian.Uint32(o.b[1:])))
}
