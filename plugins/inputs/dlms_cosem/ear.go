package dlms_cosem

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/hdlc"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/iec62056"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/push"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/wrapper"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// ear hears one line, connection or socket. It belongs to one goroutine.
type ear struct {
	l        *listener
	t        dlms.Transport
	port     line // of a serial line; nil else
	datagram bool
	from     string // who is at the other end, if that is one meter; the sender of a datagram
	ip       netip.Addr
	reply    func([]byte) error // nil: nothing can be answered

	framing  dlms.Framing
	deframer *dlms.Deframer
	unwrap   dlms.Unwrapper
	mapper   push.Mapper
	dialog   dialog
	speeds   speedSearch

	lineID   string                  // who it has said it is, of a connection
	stations map[string]*lineStation // on a line, by address
	errors   int                     // damaged frames that have been reported
	octets   int                     // of blocks whose message is not complete

	senders     map[string]*sender // of datagrams in blocks
	sendersHeld int                // octets of them
	swept       time.Time          // they were looked through

	begun  pending // the frame that is not whole
	held   int     // octets, as the listener knows
	frames int     // good ones
	good   time.Time

	last    time.Time // octets came
	stamp   time.Time // of the last telegram: two that are read at once must not have one time
	checked bool      // text telegrams have a check here
	title   []byte    // system title of the meter at the other end, if it was told
	opened  *opened   // how the last ciphered APDU was opened

	entries []push.Entry
	values  []heardValue
	places  []int // of the entries' paths
}

// heardTelegram is what is known about a telegram besides its values.
type heardTelegram struct {
	at       time.Time // it came
	from     hdlc.Address
	framing  dlms.Framing
	octets   int
	opened   *opened // nil: it was not ciphered
	doubt    error   // why it is not to be trusted
	stamp    axdr.DateTime
	hasStamp bool
	asked    bool // somebody else has asked for the values
}

func newEar(l *listener, t dlms.Transport, from string) *ear {
	e := &ear{l: l, t: t, from: from}
	if len(l.passive) > 0 {
		e.framing = l.passive[0].framing
	}
	if t != nil {
		e.reply = func(b []byte) error {
			if err := t.SetWriteDeadline(time.Now().Add(writeAtMost)); err != nil {
				return err
			}
			_, err := t.Write(b)
			return err
		}
	}
	e.reset()
	e.unwrap.Open = e.open
	return e
}

// reset begins anew: what was heard so far has nothing to do with what follows.
func (e *ear) reset() {
	cfg := dlms.DeframerConfig{Framing: e.framing, Line: e.l.endpoint.serial()}
	if len(e.l.passive) > 0 {
		cfg.MaxAPDU = e.l.passive[0].limits.maxAPDU
	}
	e.deframer = dlms.NewDeframer(cfg)
	e.unwrap.MaxAPDU, e.mapper.MaxAPDU = cfg.MaxAPDU, cfg.MaxAPDU
}

// listen takes what comes until ctx ends or the connection does. good is called
// when a telegram was understood.
func (e *ear) listen(ctx context.Context, good func()) error {
	buf := make([]byte, receiveChunk)
	e.last = time.Now()
	for {
		if err := e.t.SetReadDeadline(time.Now().Add(frameGap)); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := e.t.Read(buf)
		now := time.Now()
		if n > 0 {
			e.last = now
			e.take(buf[:n], now)
			if e.deframer.Stats().Frames > 0 {
				good()
			}
		}
		if err := e.tune(now); err != nil {
			return err
		}
		if err := e.bound(now); err != nil {
			return err
		}
		switch {
		case err == nil:
		case errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() == nil:
			e.silence(now)
		default:
			return err
		}
	}
}

// take takes octets of a line or connection.
func (e *ear) take(b []byte, now time.Time) {
	e.l.note(len(b))
	e.deframer.Write(b)
	e.drain(now)
}

func (e *ear) drain(now time.Time) {
	for {
		m, ok := e.deframer.Next()
		if !ok {
			break
		}
		e.message(m, now)
	}
}

// silence gives up what does not come any more.
func (e *ear) silence(now time.Time) {
	if now.Sub(e.last) < frameGap {
		return
	}
	for e.deframer.Waiting() {
		e.deframer.Silence()
		e.drain(now)
	}
	if now.Sub(e.last) >= messageGap {
		if lost := e.deframer.Forget() + e.unwrap.Forget(); lost > 0 {
			e.l.d.Log.Debugf("%s: %s did not come to an end", e.l.where(), counted(lost, "message"))
		}
	}
}

// takeDatagram takes one datagram: whatever is in it is whole, but for blocks.
func (e *ear) takeDatagram(b []byte, now time.Time) {
	e.last = now
	e.title = nil
	e.take(b, now)
	for e.deframer.Waiting() {
		e.deframer.Silence()
		e.drain(now)
	}
	e.deframer.Reset() // the next one is another meter's
}

// message takes a message off the link.
func (e *ear) message(m dlms.Message, now time.Time) {
	if !now.After(e.stamp) {
		now = e.stamp.Add(1)
	}
	e.stamp = now
	t := heardTelegram{at: now, from: m.From, framing: m.Framing, octets: len(m.APDU) + e.octets}
	e.octets = 0
	if m.Text != nil {
		t.octets = len(m.Text.Body)
		e.text(m.Text, &t)
		return
	}
	if len(m.APDU) == 0 {
		return // a frame that only keeps the link
	}
	e.opened = nil
	u, s := &e.unwrap, (*sender)(nil)
	if e.datagram && xdlms.APDUTag(m.APDU[0]) == xdlms.TagGeneralBlockTransfer {
		s = e.ofSender()
		u = &s.unwrap
	}
	x, err := u.Unwrap(m)
	if s != nil {
		e.kept(s)
	}
	t.opened = e.opened
	if err != nil && x.APDU == nil {
		e.notOpened(&t, err)
		return
	}
	if x.APDU == nil {
		e.octets = t.octets // more blocks are needed
		return
	}
	t.doubt = err
	if t.opened != nil && !e.l.fresh(t.opened, t.doubt != nil, e.datagram) {
		return
	}
	e.apdu(m, x.APDU, &t)
}

// mostSenders bounds how many senders of blocks are waited for at once.
const mostSenders = 4096

// apdu takes an APDU that nothing is around any more.
func (e *ear) apdu(m dlms.Message, apdu []byte, t *heardTelegram) {
	switch tag := xdlms.APDUTag(apdu[0]); tag {
	case xdlms.TagDataNotification:
		n, err := xdlms.ParseDataNotification(apdu)
		if err != nil {
			e.notUnderstood(t, err)
			return
		}
		t.setStamp(n.Time)
		if e.body(n.Body, t) {
			e.confirm(m, n.InvokeID, t)
		}
	case xdlms.TagEventNotification:
		n, err := xdlms.ParseEventNotification(apdu)
		if err != nil {
			e.notUnderstood(t, err)
			return
		}
		t.setStamp(n.Time)
		e.begin(nil)
		e.add(&push.Entry{Named: true, Code: n.Attribute.Instance, Class: n.Attribute.Class, Attribute: n.Attribute.ID, Value: n.Value})
		e.deliver(t)
	case xdlms.TagInformationReport:
		n, err := xdlms.ParseInformationReport(apdu)
		if err != nil {
			e.notUnderstood(t, err)
			return
		}
		t.setStamp(n.Time)
		e.report(&n, t)
	case '/', iec62056.STX:
		e.innerText(apdu, t)
	case xdlms.TagAARE:
		if a, err := acse.ParseAARE(apdu); err == nil && len(a.RespondingTitle) == security.TitleLength {
			e.title = append(e.title[:0], a.RespondingTitle...)
		}
	default:
		e.overheard(m, apdu, t)
	}
}

func (t *heardTelegram) setStamp(b []byte) {
	t.stamp, t.hasStamp = axdr.ParseDateTime(b)
}

// body maps the body of a data-notification. It reports whether it was
// understood.
func (e *ear) body(body []byte, t *heardTelegram) bool {
	if d, err := axdr.Parse(body); err == nil { // a text telegram in an octet-string
		if b, ok := d.Octets(); ok && len(b) > 5 && (b[0] == '/' || b[0] == iec62056.STX) {
			e.innerText(b, t)
			return true
		}
	}
	e.begin(e.l.lists())
	shape, err := e.mapper.Map(body, e.add)
	if err != nil {
		e.notUnderstood(t, err)
		return false
	}
	if shape.Unnamed > 0 && shape.List == nil {
		e.l.unknownList(&shape)
	}
	e.deliver(t)
	return true
}

// innerText takes a text telegram that came inside of an APDU.
func (e *ear) innerText(b []byte, t *heardTelegram) {
	text, _, err := iec62056.CutTelegram(b)
	if err != nil { // padding, or a line end less than usual
		text, _, err = iec62056.CutTelegram(append(append([]byte(nil), b...), "\r\n"...))
	}
	if err != nil {
		e.notUnderstood(t, err)
		return
	}
	text.Checked = true // by what was around it
	e.text(&text, t)
}

// text takes a text telegram.
func (e *ear) text(text *iec62056.Telegram, t *heardTelegram) {
	if e.checked = e.checked || text.Checked; !text.Checked && e.checked {
		e.notUnderstood(t, errors.New("a text telegram without the check that those before had"))
		return
	}
	e.begin(e.l.lists())
	e.mapper.MapText(*text, e.add, func(line string) {
		e.l.complain("line "+line, fmt.Errorf("%s: a line of the telegram is left out: %q has no OBIS code that can be read", e.l.where(), cleanText(line)))
	})
	e.deliver(t)
}

// report takes an information-report: values by short names.
func (e *ear) report(n *xdlms.InformationReport, t *heardTelegram) {
	e.begin(nil)
	for i, name := range n.Names {
		e.addByName(name, n.Values[i])
	}
	e.deliver(t)
}

// addByName adds the value of a short name, which items with base_name tell the
// code of.
func (e *ear) addByName(name uint16, value axdr.Data) {
	x := push.Entry{Attribute: 2, Value: value, Path: []int{int(name)}}
	for _, r := range e.l.passive {
		for _, it := range r.items {
			if it.base != nil && name >= *it.base && name-*it.base == 8*uint16(it.id-1) {
				x.Named, x.Code, x.Attribute = true, it.obis, it.id
			}
		}
	}
	if !x.Named {
		e.l.unknownName(name)
	}
	e.add(&x)
}

// begin makes ready for the values of a telegram.
func (e *ear) begin(lists []*push.List) {
	e.entries, e.places = e.entries[:0], e.places[:0]
	e.mapper.Lists = lists
}

// add keeps a value until all of the telegram are there.
func (e *ear) add(x *push.Entry) bool {
	kept := *x
	if !x.Named {
		from := len(e.places)
		e.places = append(e.places, x.Path...)
		kept.Path = e.places[from:len(e.places):len(e.places)]
	}
	e.entries = append(e.entries, kept)
	return true
}

// confirm answers a data-notification that wants it, if we are to.
func (e *ear) confirm(m dlms.Message, id xdlms.LongInvokeID, t *heardTelegram) {
	if id&xdlms.LongConfirmed == 0 || e.reply == nil || !e.l.confirms() {
		return
	}
	if t.opened != nil {
		e.l.complain("confirm", fmt.Errorf("%s: a ciphered push asks to be confirmed: that is not supported, the meter may send it again", e.l.where()))
		return
	}
	b, err := confirmation(m, id)
	if err == nil {
		err = e.reply(b)
	}
	if err != nil {
		e.l.complain("confirm", fmt.Errorf("%s: a push could not be confirmed: %w", e.l.where(), err))
	}
}

// confirmation is data-notification-confirm, the way back.
func confirmation(m dlms.Message, id xdlms.LongInvokeID) ([]byte, error) {
	apdu := xdlms.AppendDataNotificationConfirm(nil, id)
	switch m.Framing {
	case dlms.HDLC:
		info := append([]byte{0xE6, 0xE6, 0x00}, apdu...)
		return hdlc.Frame{Destination: m.From, Source: m.To, Control: hdlc.Unnumbered(hdlc.UI, true), Info: info}.Append(nil)
	case dlms.Wrapper:
		return wrapper.Append(nil, m.To.Upper, m.From.Upper, apdu)
	case dlms.Bare:
		return apdu, nil
	default:
		return nil, fmt.Errorf("there is no way back with %s", m.Framing)
	}
}

// overheard takes an APDU of a dialogue between others.
func (e *ear) overheard(m dlms.Message, apdu []byte, t *heardTelegram) {
	e.begin(nil)
	if !e.dialog.take(e, m, apdu) || len(e.entries) == 0 {
		return
	}
	t.asked = true
	e.deliver(t)
}

// clockOf is the date-time of a clock among the values.
func (e *ear) clockOf() (axdr.DateTime, bool) {
	for i := range e.entries {
		x := &e.entries[i]
		if x.Named && x.Attribute == 2 && x.Row == 0 && x.Code[0] == 0 && x.Code[2] == 1 && x.Code[3] == 0 && x.Code[4] == 0 {
			if t, ok := x.Value.DateTime(); ok {
				return t, true
			}
		}
	}
	return axdr.DateTime{}, false
}

// identify returns who a telegram is from by what it says: the logical device
// name, else the number of the meter.
func (e *ear) identify() string {
	number := ""
	for i := range e.entries {
		x := &e.entries[i]
		if !x.Named || x.Attribute != 2 || x.Row > 0 {
			continue
		}
		switch c := x.Code; {
		case c == (obis.Code{0, 0, 42, 0, 0, 255}):
			if s := identityOf(x.Value); s != "" {
				return s
			}
		case number != "":
		case c[0] == 0 && c[1] == 0 && c[2] == 96 && c[3] == 1 && c[4] <= 9,
			c[0] == 1 && c[2] == 0 && c[3] == 0 && c[4] <= 9:
			number = identityOf(x.Value)
		}
	}
	return number
}

// unitKnown reports whether the standard gives the class a scaler and unit.
func unitKnown(class cosem.ClassID) bool {
	_, ok := cosem.ScalerAttribute(class)
	return ok
}
