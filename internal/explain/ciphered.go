package explain

import (
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
	if p.Tag == xdlms.TagGeneralCiphering {
		x.generalHeader(n, &p.General, p.Title, o)
		x.keyInfo(n, &p, o)
	} else if len(p.Title) > 0 {
		x.title(n, "system-title", p.Title, o)
	}
	heardFrom(c.s, p.Tag, p.Title, p.General.Recipient)
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
	x.behind(n, o, rest, "ciphered")
	title := p.Title
	if len(title) == 0 {
		title = c.s.clientTitle
		if fromServer(p.Tag) {
			title = c.s.serverTitle
		}
	}
	l := layer{protected: protected, title: title, choice: p.Key.Choice}
	l.extra, _ = o.find(p.General.Authentic, 0)
	l.wrapped, _ = o.find(p.Key.Data, 0)
	x.open(content, p, l, body, c)
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

// keysOf are keys whose suite tells from their length: 0, which stands for 1 too, or 2.
func keysOf(encryption, authentication []byte) security.Keys {
	k := security.Keys{EncryptionKey: encryption, AuthenticationKey: authentication}
	if len(encryption) == security.KeyLengthOf(2) {
		k.Suite = 2
	}
	return k
}

// open explains what is inside of a ciphered APDU.
func (x *explainer) open(n *Node, p xdlms.Ciphered, l layer, body octets, c ctx) {
	control := security.Control(p.Protected[0])
	q := x.keyFor(&p, l.title, c.s)
	if control&(security.Encrypted|security.Compressed) == 0 && (q.keys == nil || len(x.opt.AuthKey) == 0) {
		n.Note = "not encrypted; the tag is not verified without keys"
		if q.err != nil {
			x.flaw(n, q.err.Error())
		}
		x.inside(n, body.b, body, l, c)
		return
	}
	switch {
	case q.err != nil:
		x.unopened()
		x.flaw(n, q.err.Error())
		return
	case q.keys == nil:
		x.unopened()
		x.missing(q.what + q.option)
		x.flaw(n, q.what+" is missing"+q.option)
		return
	case len(l.title) != security.TitleLength:
		x.unopened()
		x.missing("the system title of the sender: it is in the AARQ or AARE, which is not among the octets")
		x.flaw(n, "the system title of the sender is not known: the AARQ or AARE with it is not among the octets")
		return
	default:
	}
	plain, err := q.keys.OpenWith(nil, l.title, p.Protected, p.General.Authentic, plausible)
	var sec *security.Error
	if err != nil && (!errors.As(err, &sec) || len(plain) == 0) {
		x.unopened()
		x.flaw(n, refused(err))
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
