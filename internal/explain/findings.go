package explain

import (
	"bytes"
	"strings"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// findings are what Redact has to know, collected while octets are explained.
type findings struct {
	secrets  []secret
	searched []octets // in which the contents of secrets are looked for
	frames   []checked
	layers   []layer
	unopened int  // ciphered APDUs
	serial   bool // an address that may be the end of a serial number
}

// secret is what is to be replaced.
type secret struct {
	kind secretKind
	octets
}

type secretKind uint8

const (
	secretTitle  secretKind = iota + 1 // system title
	secretText                         // serial number, name or identifier
	secretNumber                       // the same as a number: its octets
	secretValue                        // password, challenge, certificate or signature
	secretKey                          // dedicated key
)

// checked is octets with a check over them.
type checked struct {
	kind checkKind
	octets
}

type checkKind uint8

const (
	kindHDLC checkKind = iota + 1
	kindMBus
	kindTelegram
)

// layer is a ciphered APDU that was opened.
type layer struct {
	protected, plain octets
	title            []byte
	extra            octets          // what the tag covers beside, of general-ciphering
	choice           xdlms.KeyChoice // how its key is found
	wrapped          octets          // the key itself, wrapped by the master key
}

func (x *explainer) mark(k checkKind, o octets) {
	if x.findings != nil {
		x.findings.frames = append(x.findings.frames, checked{k, o})
	}
}

func (x *explainer) searched(o octets) {
	if x.findings != nil && len(o.at) > 0 {
		x.findings.searched = append(x.findings.searched, o)
	}
}

func (x *explainer) layer(l layer) {
	if x.findings != nil {
		x.findings.layers = append(x.findings.layers, l)
	}
}

func (x *explainer) unopened() {
	if x.findings != nil {
		x.findings.unopened++
	}
}

// markOctets notes octets that are to be replaced, if they say something.
func (x *explainer) markOctets(k secretKind, o octets) {
	if x.findings == nil || len(o.b) == 0 {
		return
	}
	if k != secretKey && bytes.Count(o.b, o.b[:1]) == len(o.b) {
		return // all the same
	}
	x.findings.secrets = append(x.findings.secrets, secret{k, o})
}

// identifying reports whether the value of a code is about one meter: its
// logical device name, serial number, or identifiers of its owner.
func identifying(c obis.Code) bool {
	abstract := c[0] == 0
	switch {
	case c[2] == 0:
		return c[3] == 0
	case c[2] == 25 && abstract:
		return c[3] == 2 // MAC address
	case c[2] == 42 && abstract:
		return true
	case c[2] == 96:
		return c[3] == 1
	default:
		return false
	}
}

// markValue notes a value that is about one meter.
func (x *explainer) markValue(c obis.Code, d axdr.Data, o octets) {
	if x.findings == nil {
		return
	}
	if b, ok := d.Octets(); ok {
		if identifying(c) || identifier(b) {
			at, _ := o.find(b, 0)
			if len(o.b) == len(d) && at.at == nil {
				at = o.from(len(d) - len(b)) // of a body that was repaired
			}
			x.markOctets(secretText, at)
		}
		return
	}
	if _, _, ok := numberOf(d); ok && identifying(c) && len(o.b) == len(d) {
		x.markOctets(secretNumber, o.from(1))
	}
}

// Lengths of texts that may be a serial number or a name, and the digits that
// one has.
const (
	leastIdentifier = 8
	mostIdentifier  = 32
	leastSerial     = 5
)

// identifier reports whether a text may be a serial number, or a name with one.
func identifier(b []byte) bool {
	b = bytes.TrimRight(b, "\x00")
	digits := 0
	for _, c := range b {
		if isDigit(c) {
			digits++
		}
	}
	return len(b) >= leastIdentifier && len(b) <= mostIdentifier && printable(b) && digits >= leastSerial
}

// scan looks for texts in A-XDR that may be serial numbers, whatever stands
// around them.
func (x *explainer) scan(o octets) {
	if x.findings == nil {
		return
	}
	for i := 0; i+2 < len(o.b); i++ {
		switch axdr.Tag(o.b[i]) {
		case axdr.TagOctetString, axdr.TagVisibleString, axdr.TagUTF8String:
			n := int(o.b[i+1])
			if n >= leastIdentifier && n <= mostIdentifier && i+2+n <= len(o.b) && identifier(o.b[i+2:i+2+n]) {
				x.markOctets(secretText, o.cut(i+2, i+2+n))
			}
		default:
		}
	}
}

// markText notes a value of a telegram in text that is about one meter.
func (x *explainer) markText(address string, c obis.Code, o octets) {
	if x.findings == nil {
		return
	}
	short := strings.ToUpper(address)
	if i := strings.IndexByte(short, ':'); i >= 0 {
		short = short[i+1:]
	}
	if identifying(c) && c != (obis.Code{}) || strings.HasPrefix(short, "C.1.") || strings.HasPrefix(short, "0.0.") || short == "0.0" {
		x.markOctets(secretText, o)
	}
}
