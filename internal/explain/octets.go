package explain

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"strings"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/push"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// octets are octets, and where each of them is in the store. A message that was
// joined has them from several places.
type octets struct {
	b  []byte
	at []int32 // nil: not known
}

// cut takes the octets from i on up to j.
func (o octets) cut(i, j int) octets {
	i = min(max(i, 0), len(o.b))
	j = min(max(j, i), len(o.b))
	if o.at == nil {
		return octets{b: o.b[i:j:j]}
	}
	return octets{o.b[i:j:j], o.at[i:j:j]}
}

func (o octets) from(i int) octets { return o.cut(i, len(o.b)) }

// gather is octets that are put together one after the other.
type gather struct {
	octets
	blind bool // of some it is not known where they are
}

func (g *gather) add(o octets) {
	g.b, g.at = append(g.b, o.b...), append(g.at, o.at...)
	g.blind = g.blind || len(o.at) != len(o.b)
}

// take returns what was put together, and begins anew.
func (g *gather) take() octets {
	o := g.octets
	if g.blind {
		o.at = nil
	}
	*g = gather{}
	return o
}

// offset is where octet i of o is in the input; -1: not known.
func (x *explainer) offset(o octets, i int) int {
	switch {
	case len(o.at) == 0:
		return -1
	case i < len(o.at):
		return int(x.origin[o.at[i]])
	default: // behind the last one
		return int(x.origin[o.at[len(o.at)-1]]) + 1
	}
}

// find returns the octets of a view into o, that begins behind from as a rule;
// unknown ones if v is none.
func (o octets) find(v []byte, from int) (found octets, at int) {
	if len(v) == 0 || len(o.b) == 0 {
		return octets{b: v}, from
	}
	for _, span := range [][2]int{{from, len(o.b)}, {0, min(from, len(o.b))}} {
		for i := span[0]; i < span[1]; i++ {
			if &o.b[i] == &v[0] {
				return o.cut(i, i+len(v)), i
			}
		}
	}
	return octets{b: v}, from
}

// errorAt returns the place of a parser's error in the octets that it was given,
// and its text without that place.
func errorAt(err error) (offset int, text string) {
	var x *xdlms.SyntaxError
	var a *axdr.SyntaxError
	var c *acse.SyntaxError
	var body *push.BodyError
	switch {
	case errors.As(err, &x):
		offset, text = x.Offset, x.Msg
		if errors.As(x.Err, &a) {
			offset, text = offset+a.Offset, text+": "+a.Msg
		}
	case errors.As(err, &c):
		offset, text = c.Offset, c.Msg
	case errors.As(err, &a):
		offset, text = a.Offset, a.Msg
	case errors.As(err, &body):
		text = body.Err.Error()
	default:
		text = err.Error()
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		text += ": the octets end too early"
	}
	return offset, text
}

// mostShown is how many octets are shown of those that mean nothing.
const mostShown = 32

// hexText is the digits of octets, shortened. Those of an AARQ, or of a piece of
// one, are not shown: there may be a password in them.
func hexText(b []byte) string {
	if likeAARQ(b) {
		return hidden(b)
	}
	if len(b) > mostShown {
		return strings.ToUpper(hex.EncodeToString(b[:mostShown])) + "..."
	}
	return strings.ToUpper(hex.EncodeToString(b))
}

// likeAARQ reports whether octets hold the names of an AARQ, or the beginning of
// its calling-authentication-value.
func likeAARQ(b []byte) bool {
	for i := 0; i+3 < len(b); i++ {
		if b[i] == 0xAC && b[i+2] == 0x80 && b[i+3] == b[i+1]-2 {
			return true
		}
	}
	return bytes.Contains(b, []byte("\x60\x85\x74\x05\x08"))
}

// ascii leaves of a text what does no harm on a terminal.
func ascii(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7E {
			return '?'
		}
		return r
	}, s)
}
