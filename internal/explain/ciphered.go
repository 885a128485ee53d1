package explain

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/iec62056"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// ciphered explains a ciphered APDU, and what is inside if it can be opened.
func (x *explainer) ciphered(n *Node, o octets, c ctx) {
	p, rest, err := xdlms.CutCiphered(o.b)
	if err != nil {
		x.wrong(n, o, err)
		return
	}
	if len(p.Title) > 0 {
		x.title(n, "system-title", p.Title, o)
		if fromServer(p.Tag) && !bytes.Equal(p.Title, c.s.clientTitle) {
			c.s.serverTitle = append([]byte(nil), p.Title...)
		}
	}
	protected, _ := o.find(p.Protected, 0)
	control, ok := security.ControlOf(p.Protected)
	if !ok {
		x.damaged(n, protected, 0, fmt.Sprintf("%d octets are too few for a security header", len(p.Protected)))
		return
	}
	counter, _ := security.Counter(p.Protected)
	x.add(n, "security control", fmt.Sprintf("%02X", uint8(control)), protected.cut(0, 1)).Note = control.String()
	x.add(n, "invocation counter", fmt.Sprintf("%d", counter), protected.cut(1, security.HeaderLength))
	body := protected.from(security.HeaderLength)
	if control&security.Authenticated != 0 && len(body.b) >= security.TagLength {
		at := len(body.b) - security.TagLength
		x.add(n, "authentication tag", hexText(body.b[at:]), body.from(at))
		body = body.cut(0, at)
	}
	name := "ciphertext"
	if control&security.Encrypted == 0 {
		name = "protected text"
	}
	content := x.add(n, name, count(len(body.b), "octet"), body)
	if len(rest) > 0 {
		x.damaged(n, o, len(o.b)-len(rest), fmt.Sprintf("%s behind the ciphered APDU", count(len(rest), "octet")))
	}
	title := p.Title
	if len(title) == 0 {
		title = c.s.clientTitle
		if fromServer(p.Tag) {
			title = c.s.serverTitle
		}
	}
	x.open(content, p, title, protected, body, c)
}

// fromServer reports whether APDUs with a tag are those that a server sends. The
// general ones are, as a rule, and have their title with them.
func fromServer(t xdlms.APDUTag) bool {
	if t >= xdlms.TagGeneralGloCiphering {
		return true
	}
	switch t {
	case xdlms.TagGloInitiateRequest, xdlms.TagGloReadRequest, xdlms.TagGloWriteRequest, xdlms.TagGloUnconfirmedWriteRequest,
		xdlms.TagDedInitiateRequest, xdlms.TagDedReadRequest, xdlms.TagDedWriteRequest, xdlms.TagDedUnconfirmedWriteRequest,
		xdlms.TagGloGetRequest, xdlms.TagGloSetRequest, xdlms.TagGloActionRequest,
		xdlms.TagDedGetRequest, xdlms.TagDedSetRequest, xdlms.TagDedActionRequest:
		return false
	default:
		return true
	}
}

// dedicatedTag reports whether an APDU is protected with the dedicated key.
func dedicatedTag(t xdlms.APDUTag) bool {
	return t >= xdlms.TagDedInitiateRequest && t <= xdlms.TagDedInformationReport ||
		t >= xdlms.TagDedGetRequest && t <= xdlms.TagDedActionResponse || t == xdlms.TagGeneralDedCiphering
}

// open explains what is inside of a ciphered APDU.
func (x *explainer) open(n *Node, p xdlms.Ciphered, title []byte, protected, body octets, c ctx) {
	control := security.Control(p.Protected[0])
	keys := x.keys
	what := "encryption key of system title " + titleText(title)
	if len(title) == 0 {
		what = "encryption key of a system title that is not known"
	}
	option := ": -key HEX"
	if dedicatedTag(p.Tag) {
		keys, what, option = c.s.dedicated, "dedicated key of system title "+titleText(c.s.clientTitle), ": it is in the AARQ, which -key opens"
	}
	l := layer{protected: protected, title: title}
	if control&(security.Encrypted|security.Compressed) == 0 && (keys == nil || len(x.opt.AuthKey) == 0) {
		n.Note = "not encrypted; the tag is not verified without keys"
		x.inside(n, body.b, body, l, c)
		return
	}
	if keys == nil {
		x.unopened()
		x.missing(what + option)
		x.flaw(n, what+" is missing"+option)
		return
	}
	if len(title) != security.TitleLength {
		x.unopened()
		x.missing("the system title of the sender: it is in the AARQ or AARE, which is not among the octets")
		x.flaw(n, "the system title of the sender is not known: the AARQ or AARE with it is not among the octets")
		return
	}
	plain, err := keys.Open(nil, title, p.Protected, plausible)
	var sec *security.Error
	if err != nil && (!errors.As(err, &sec) || len(plain) == 0) {
		x.unopened()
		text := err.Error()
		switch {
		case sec == nil:
		case sec.Reason == security.WrongKey:
			text = "wrong encryption key: " + text
		case sec.Reason == security.WrongTag:
			text = "wrong authentication key: " + text + "; without -auth_key the contents are shown"
		default:
		}
		x.flaw(n, text)
		return
	}
	n.Note = "opened, the tag is right"
	if sec != nil {
		n.Note = "opened; " + sec.Msg
		if sec.Reason == security.MissingKey {
			n.Note = "opened; the tag is not verified without -auth_key"
		}
	}
	x.inside(n, plain, body, l, c)
}

// inside explains an APDU that was inside of another one. Where it stands in the
// input is where its ciphertext stands.
func (x *explainer) inside(n *Node, plain []byte, body octets, l layer, c ctx) {
	o := octets{b: plain}
	from := len(x.store)
	const most = MaxInput
	if len(body.at) >= len(plain) && len(x.store)+len(plain) <= 4*most {
		o.at = make([]int32, len(plain))
		for i := range plain {
			o.at[i] = int32(from + i)
			x.origin = append(x.origin, x.origin[body.at[i]])
		}
		x.store = append(x.store, plain...)
	}
	l.plain = o
	x.layer(l)
	x.searched(o)
	c.level++
	x.apdu(n, o, c)
}

// ciphered62056 explains a telegram in text that was inside of a ciphered APDU.
func (x *explainer) ciphered62056(parent *Node, o octets) {
	n := x.add(parent, "telegram", count(len(o.b), "octet"), o)
	t, _, err := iec62056.CutTelegram(o.b)
	if err != nil {
		_, text := errorAt(err)
		x.flaw(n, text)
		t.Body = o.b
	}
	x.mark(kindTelegram, o)
	x.telegram(n, t, o)
	x.report.Messages--
}
