package axdr

import (
	"encoding/hex"
	"strconv"
)

// maxText is how long the text of an element may grow before it is cut.
const maxText = 512

// String returns the element for people and logs, like
// structure(2){double-long-unsigned 5, octet-string "A1"}. It is cut short
// after about 512 octets, and is no format to be read back.
func (d Data) String() string {
	b := d.appendText(make([]byte, 0, 64))
	if len(b) > maxText {
		b = append(b[:maxText], "..."...)
	}
	return string(b)
}

// appendText recurses at most MaxDepth deep: the iterator refuses elements
// whose own depth is greater.
func (d Data) appendText(b []byte) []byte {
	if len(d) == 0 {
		return append(b, "no data"...)
	}
	b = append(b, d.Tag().String()...)
	switch d.Tag() {
	case TagNull, TagDontCare:
		return b
	case TagArray, TagStructure:
		return d.appendElements(b)
	case TagBoolean:
		if v, ok := d.Bool(); ok {
			return strconv.AppendBool(append(b, ' '), v)
		}
	case TagOctetString:
		if c, ok := d.Octets(); ok {
			return appendOctets(append(b, ' '), c)
		}
	case TagVisibleString, TagUTF8String:
		if c, ok := d.Octets(); ok {
			return strconv.AppendQuoteToASCII(append(b, ' '), string(c[:min(len(c), maxText)]))
		}
	case TagBitString:
		if c, bits, ok := d.BitString(); ok {
			return appendBits(append(b, ' '), c, bits)
		}
	case TagFloat32, TagFloat64:
		if v, ok := d.Float64(); ok {
			return strconv.AppendFloat(append(b, ' '), v, 'g', -1, 8*(len(d)-1))
		}
	case TagDateTime:
		if v, ok := d.DateTime(); ok {
			return append(append(b, ' '), v.String()...)
		}
	case TagDate:
		if v, ok := d.Date(); ok {
			return append(append(b, ' '), v.String()...)
		}
	case TagTime:
		if v, ok := d.Time(); ok {
			return append(append(b, ' '), v.String()...)
		}
	default:
		if v, ok := d.Int64(); ok {
			return strconv.AppendInt(append(b, ' '), v, 10)
		}
		if v, ok := d.Uint64(); ok {
			return strconv.AppendUint(append(b, ' '), v, 10)
		}
	}
	// A bcd without digits, or no valid element.
	return hex.AppendEncode(append(b, " octets "...), d[1:min(len(d), maxText)])
}

func (d Data) appendElements(b []byte) []byte {
	b = append(b, '(')
	b = strconv.AppendInt(b, int64(d.Len()), 10)
	b = append(b, "){"...)
	first := true
	for v := range d.All() {
		if !first {
			b = append(b, ", "...)
		}
		first = false
		if len(b) > maxText {
			break
		}
		b = v.appendText(b)
	}
	return append(b, '}')
}

// appendOctets appends printable ASCII in quotes and all else in hexadecimal.
func appendOctets(b, c []byte) []byte {
	c = c[:min(len(c), maxText)]
	for _, v := range c {
		if v < 0x20 || v > 0x7e {
			return hex.AppendEncode(b, c)
		}
	}
	return strconv.AppendQuoteToASCII(b, string(c))
}

func appendBits(b, c []byte, bits int) []byte {
	for i := range min(bits, maxText) {
		b = append(b, '0'+c[i/8]>>(7-i%8)&1)
	}
	return b
}
