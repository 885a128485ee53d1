package explain

import (
	"bytes"
	"fmt"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// hidden stands for octets that are not shown.
func hidden(b []byte) string { return fmt.Sprintf("(%d octets, not shown)", len(b)) }

// titleText is a system title for people: maker and serial number, where they can
// be told, and its digits.
func titleText(title []byte) string {
	if len(title) != security.TitleLength || likeAARQ(title) {
		return hexText(title)
	}
	return security.TitleText(title)
}

func letters(b []byte) bool {
	for _, c := range b {
		if c|0x20 < 'a' || c|0x20 > 'z' {
			return false
		}
	}
	return true
}

// title adds a system title.
func (x *explainer) title(n *Node, name string, title []byte, o octets) {
	if title == nil {
		return
	}
	at, _ := o.find(title, 0)
	x.add(n, name, titleText(title), at)
	x.markOctets(secretTitle, at)
}

// authentication adds mechanism-name and authentication value. A password is
// not shown: of what is no challenge it is not known that it is none.
func (x *explainer) authentication(n *Node, who string, m acse.Mechanism, value []byte, o octets) {
	if m != acse.None {
		x.add(n, "mechanism-name", m.String(), octets{}).Note = fmt.Sprintf("%d", m)
	}
	if value == nil {
		return
	}
	at, _ := o.find(value, 0)
	node := x.add(n, who+"-authentication-value", hidden(value), at)
	if m >= acse.HLS && m != acse.MechanismForeign {
		node.Value, node.Note = hexText(value), "challenge"
	} else {
		node.Note = "password"
	}
	x.markOctets(secretValue, at)
}

// userInformation explains the APDU inside of an ACSE APDU.
func (x *explainer) userInformation(n *Node, b []byte, o octets, c ctx) {
	if len(b) == 0 {
		return
	}
	at, _ := o.find(b, 0)
	node := x.add(n, "user-information", count(len(b), "octet"), at)
	c.level++
	x.apdu(node, at, c)
}

func (x *explainer) aarq(n *Node, o octets, c ctx) {
	a, err := acse.ParseAARQ(o.b)
	if err != nil {
		x.wrong(n, o, err)
		return
	}
	n.Note = "the client asks for an association"
	c.s.clientTitle = bytes.Clone(a.CallingTitle)
	c.s.dedicated = nil
	x.add(n, "application-context-name", a.Context.String(), octets{}).Note = fmt.Sprintf("%d", a.Context)
	x.title(n, "calling-AP-title", a.CallingTitle, o)
	x.qualifier(n, "calling-AE-qualifier", a.CallingQualifier, o)
	if a.HasCallingUserID {
		x.add(n, "calling-AE-invocation-id", fmt.Sprintf("%d", a.CallingUserID), octets{})
	}
	x.authentication(n, "calling", a.Mechanism, a.AuthenticationValue, o)
	x.userInformation(n, a.UserInformation, o, c)
}

// qualifier adds a certificate.
func (x *explainer) qualifier(n *Node, name string, b []byte, o octets) {
	if b != nil {
		at, _ := o.find(b, 0)
		x.add(n, name, hexText(b), at)
		x.markOctets(secretValue, at)
	}
}

func (x *explainer) aare(n *Node, o octets, c ctx) {
	a, err := acse.ParseAARE(o.b)
	if err != nil {
		x.wrong(n, o, err)
		return
	}
	n.Value = a.Result.String()
	n.Note = "the server answers"
	c.s.serverTitle = bytes.Clone(a.RespondingTitle)
	x.add(n, "application-context-name", a.Context.String(), octets{}).Note = fmt.Sprintf("%d", a.Context)
	x.add(n, "result", a.Result.String(), octets{}).Note = fmt.Sprintf("%d", a.Result)
	x.add(n, "result-source-diagnostic", a.Diagnostic.String(), octets{}).Note = a.Diagnostic.Source.String()
	x.title(n, "responding-AP-title", a.RespondingTitle, o)
	x.qualifier(n, "responding-AE-qualifier", a.RespondingQualifier, o)
	x.authentication(n, "responding", a.Mechanism, a.AuthenticationValue, o)
	x.userInformation(n, a.UserInformation, o, c)
}

func (x *explainer) release(n *Node, o octets, c ctx) {
	if xdlms.APDUTag(o.b[0]) == xdlms.TagRLRQ {
		r, err := acse.ParseRLRQ(o.b)
		if err != nil {
			x.wrong(n, o, err)
			return
		}
		if r.HasReason {
			n.Value = "reason: " + r.Reason.String()
		}
		x.userInformation(n, r.UserInformation, o, c)
		return
	}
	r, err := acse.ParseRLRE(o.b)
	if err != nil {
		x.wrong(n, o, err)
		return
	}
	if r.HasReason {
		n.Value = "reason: " + r.Reason.String()
	}
	x.userInformation(n, r.UserInformation, o, c)
}

func (x *explainer) initiateRequest(n *Node, o octets, c ctx) {
	q, err := xdlms.ParseInitiateRequest(o.b)
	if err != nil {
		x.wrong(n, o, err)
		return
	}
	if q.DedicatedKey != nil {
		at, _ := o.find(q.DedicatedKey, 0)
		x.add(n, "dedicated-key", hidden(q.DedicatedKey), at)
		x.markOctets(secretKey, at)
		c.s.dedicatedKey = bytes.Clone(q.DedicatedKey)
		keys, err := security.NewContext(keysOf(c.s.dedicatedKey, x.opt.AuthKey))
		if err == nil {
			c.s.dedicated = keys
		}
	}
	if !q.ResponseAllowed {
		x.add(n, "response-allowed", "false", octets{})
	}
	if q.HasQoS {
		x.add(n, "proposed-quality-of-service", fmt.Sprintf("%d", q.QoS), octets{})
	}
	x.add(n, "proposed-dlms-version-number", fmt.Sprintf("%d", q.Version), octets{})
	x.add(n, "proposed-conformance", q.Conformance.String(), octets{}).Note = fmt.Sprintf("%06X", uint32(q.Conformance))
	x.add(n, "client-max-receive-pdu-size", fmt.Sprintf("%d", q.MaxPDU), octets{}).Note = pduNote(q.MaxPDU)
}

func pduNote(n uint16) string {
	if n == 0 {
		return "no limit"
	}
	return "octets"
}

func (x *explainer) initiateResponse(n *Node, o octets, _ ctx) {
	p, err := xdlms.ParseInitiateResponse(o.b)
	if err != nil {
		x.wrong(n, o, err)
		return
	}
	if p.HasQoS {
		x.add(n, "negotiated-quality-of-service", fmt.Sprintf("%d", p.QoS), octets{})
	}
	x.add(n, "negotiated-dlms-version-number", fmt.Sprintf("%d", p.Version), octets{})
	x.add(n, "negotiated-conformance", p.Conformance.String(), octets{}).Note = fmt.Sprintf("%06X", uint32(p.Conformance))
	x.add(n, "server-max-receive-pdu-size", fmt.Sprintf("%d", p.MaxPDU), octets{}).Note = pduNote(p.MaxPDU)
	vaa := x.add(n, "vaa-name", fmt.Sprintf("%04X", p.VAA), octets{})
	switch p.VAA {
	case xdlms.VAANameLN:
		vaa.Note = "logical names"
	case xdlms.VAANameSN:
		vaa.Note = "short names"
	default:
	}
}
