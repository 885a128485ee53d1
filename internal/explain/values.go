package explain

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
)

// describe says what a code means.
func (x *explainer) describe(c obis.Code) string {
	if x.opt.Name != nil {
		if s := x.opt.Name(c); s != "" {
			return s
		}
	}
	return c.Describe()
}

// value adds the value of an attribute. o is where d stands.
func (x *explainer) value(parent *Node, name string, a cosem.Attribute, d axdr.Data, unit cosem.ScalerUnit, has bool, o octets) *Node {
	n := x.add(parent, name, "", o)
	n.Reading = &Reading{OBIS: a.Instance.String(), Class: int(a.Class), Attribute: int(a.ID)}
	if a.Class == cosem.AssociationLN && a.ID == attributeSecret {
		n.Value = hidden(d)
		n.Reading.Type = d.Tag().String()
		if b, ok := d.Octets(); ok {
			at, _ := o.find(b, 0)
			x.markOctets(secretValue, at)
		}
		return n
	}
	x.present(n, a, d, unit, has)
	if text := x.describe(a.Instance); text != "" {
		n.Note = text + "; " + n.Note
	}
	x.markValue(a.Instance, d, o)
	x.scan(o)
	x.elements(n, d, o)
	return n
}

// attributeSecret is the attribute of an Association LN object that holds its
// password.
const attributeSecret = 7

// unnamed adds a value of which nothing is known but its octets, which are all of o.
func (x *explainer) unnamed(parent *Node, name string, o octets) *Node {
	n := x.add(parent, name, "", o)
	n.Reading = &Reading{Attribute: 2}
	d := axdr.Data(o.b)
	x.present(n, cosem.Attribute{}, d, cosem.ScalerUnit{}, false)
	x.scan(o)
	x.elements(n, d, o)
	return n
}

// present says what a value is: scaled, and with its unit if that is known.
func (x *explainer) present(n *Node, a cosem.Attribute, d axdr.Data, unit cosem.ScalerUnit, has bool) {
	r := n.Reading
	r.Type = d.Tag().String()
	n.Note = r.Type
	number, text, isNumber := numberOf(d)
	switch {
	case isNumber && has:
		r.Unit = unit.Unit.Symbol()
		if unit.Scaler != 0 || d.Tag() == axdr.TagFloat32 || d.Tag() == axdr.TagFloat64 {
			n.Note += " " + text
			number = cosem.Scale(number, int(unit.Scaler))
			text = strconv.FormatFloat(number, 'f', -1, 64)
		}
		n.Value = text
		if r.Unit != "" {
			n.Value += " " + r.Unit
		}
	case isNumber:
		n.Value = text
	default:
		n.Value = short(d)
		r.Value = n.Value
		if a.ID == 1 {
			if b, ok := d.Octets(); ok && len(b) == len(obis.Code{}) {
				n.Value = obis.Code(b).String()
			}
		}
		if b, ok := d.Octets(); ok && printable(b) {
			r.Value = string(b)
		}
		if b, ok := d.Bool(); ok {
			r.Value = b
		}
	}
	if isNumber && !math.IsNaN(number) && !math.IsInf(number, 0) {
		r.Value = number
		if !strings.ContainsAny(text, ".eN") { // all of its digits
			if i, err := strconv.ParseInt(text, 10, 64); err == nil {
				r.Value = i
			}
		}
	}
}

// numberOf returns a number, not scaled, and its digits.
func numberOf(d axdr.Data) (v float64, text string, ok bool) {
	if i, ok := d.Int64(); ok {
		return float64(i), strconv.FormatInt(i, 10), true
	}
	if u, ok := d.Uint64(); ok {
		return float64(u), strconv.FormatUint(u, 10), true
	}
	if f, ok := d.Float64(); ok {
		return f, strconv.FormatFloat(f, 'g', -1, 8*(len(d)-1)), true
	}
	return 0, "", false
}

// mostText is how many characters of a value are shown.
const mostText = 400

// short is a value in one line, without the names of types.
func short(d axdr.Data) string {
	var b strings.Builder
	writeShort(&b, d)
	s := b.String()
	if len(s) > mostText {
		s = s[:mostText] + "..."
	}
	return s
}

func writeShort(b *strings.Builder, d axdr.Data) {
	if b.Len() > mostText {
		return
	}
	if _, text, ok := numberOf(d); ok {
		b.WriteString(text)
		return
	}
	switch d.Tag() {
	case axdr.TagArray, axdr.TagStructure:
		sep, end := "[", "]"
		if d.Tag() == axdr.TagStructure {
			sep, end = "{", "}"
		}
		if d.Len() == 0 {
			b.WriteString(sep)
		}
		for e := range d.All() {
			b.WriteString(sep)
			sep = ", "
			writeShort(b, e)
			if b.Len() > mostText {
				return
			}
		}
		b.WriteString(end)
	case axdr.TagOctetString:
		c, _ := d.Octets()
		b.WriteString(octetText(c))
	case axdr.TagVisibleString, axdr.TagUTF8String:
		c, _ := d.Octets()
		b.WriteString(strconv.QuoteToASCII(string(c[:min(len(c), mostText)])))
	default:
		// As the package has it, without the name of the type.
		s := d.String()
		if rest, ok := strings.CutPrefix(s, d.Tag().String()+" "); ok {
			s = rest
		}
		b.WriteString(s)
	}
}

// leastText is how many characters a text has that is padded with zeros.
const leastText = 4

// octetText is a date-time, a text or the digits of octets.
func octetText(c []byte) string {
	if t, ok := axdr.ParseDateTime(c); ok && t.Complete() {
		return t.String()
	}
	if printable(c) {
		return strconv.QuoteToASCII(string(c[:min(len(c), mostText)]))
	}
	if text := bytes.TrimRight(c, "\x00"); len(text) >= leastText && printable(text) {
		return strconv.QuoteToASCII(string(text[:min(len(text), mostText)])) + " and " + count(len(c)-len(text), "zero octet")
	}
	return strings.ToUpper(fmt.Sprintf("%x", c[:min(len(c), mostText/2)]))
}

// mostElements is how many elements of one value are shown.
const mostElements = 10_000

// elements adds the elements of an array or structure, a line each.
func (x *explainer) elements(n *Node, d axdr.Data, o octets) {
	if x.opt.Raw {
		if !x.pushed { // its body is shown as a whole
			x.raw(n, d, o)
		}
		return
	}
	if d.Tag() != axdr.TagArray && (d.Tag() != axdr.TagStructure || d.Depth() < 2) {
		return
	}
	n.Value = fmt.Sprintf("%s of %d", d.Tag(), d.Len())
	i, at := 0, 0
	for e := range d.All() {
		if i++; i > mostElements || x.full {
			return
		}
		var found octets
		found, at = o.find(e, at)
		x.add(n, fmt.Sprintf("element %d", i), short(e), found)
	}
}

// raw adds the A-XDR of a value.
func (x *explainer) raw(n *Node, d axdr.Data, o octets) {
	text := d.Tag().String()
	value := ""
	if d.Tag() == axdr.TagArray || d.Tag() == axdr.TagStructure {
		value = fmt.Sprintf("of %d", d.Len())
	} else {
		value = short(d)
	}
	node := x.add(n, text, value, o)
	at := 0
	for e := range d.All() {
		if x.full {
			return
		}
		var found octets
		found, at = o.find(e, at)
		x.raw(node, e, found)
	}
}
