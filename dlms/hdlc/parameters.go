package hdlc

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Values of HDLC parameters that were not negotiated, and their limits (Green
// Book, clause 8.4.5.3.2).
const (
	DefaultInfo   = 128
	DefaultWindow = 1
	MinInfo       = 32
	MaxInfo       = 2030
	MaxWindow     = 7
)

const (
	formatIdentifier = 0x81
	groupHDLC        = 0x80
	groupUser        = 0xF0

	parameterInfoTransmit   = 0x05
	parameterInfoReceive    = 0x06
	parameterWindowTransmit = 0x07
	parameterWindowReceive  = 0x08
)

// Parameters are the HDLC parameters in the information field of SNRM and UA,
// as their sender sees them: what a meter transmits is what its client
// receives.
type Parameters struct {
	MaxInfoTransmit uint16 // octets of the information field, 0 stands for 128
	MaxInfoReceive  uint16
	WindowTransmit  uint16 // frames, 0 stands for 1
	WindowReceive   uint16
}

// DefaultParameters are in force when nothing was negotiated: 128, 128, 1, 1.
func DefaultParameters() Parameters {
	return Parameters{DefaultInfo, DefaultInfo, DefaultWindow, DefaultWindow}
}

// IsDefault reports whether there is nothing to negotiate.
func (p Parameters) IsDefault() bool {
	return p.normal() == DefaultParameters()
}

// Append appends the information field. The two sizes are one octet each where
// both fit, else two; meters accept this form most widely.
func (p Parameters) Append(b []byte) []byte {
	p = p.normal()
	if p.MaxInfoTransmit > 0xFF || p.MaxInfoReceive > 0xFF {
		return p.AppendLong(b)
	}
	b = append(b, formatIdentifier, groupHDLC, 18,
		parameterInfoTransmit, 1, byte(p.MaxInfoTransmit),
		parameterInfoReceive, 1, byte(p.MaxInfoReceive))
	return p.appendWindows(b)
}

// AppendLong is Append with sizes of two octets, whatever their values: some
// meters answer so.
func (p Parameters) AppendLong(b []byte) []byte {
	p = p.normal()
	b = append(b, formatIdentifier, groupHDLC, 20, parameterInfoTransmit, 2)
	b = binary.BigEndian.AppendUint16(b, p.MaxInfoTransmit)
	b = append(b, parameterInfoReceive, 2)
	b = binary.BigEndian.AppendUint16(b, p.MaxInfoReceive)
	return p.appendWindows(b)
}

func (p Parameters) appendWindows(b []byte) []byte {
	b = append(b, parameterWindowTransmit, 4)
	b = binary.BigEndian.AppendUint32(b, uint32(p.WindowTransmit))
	b = append(b, parameterWindowReceive, 4)
	return binary.BigEndian.AppendUint32(b, uint32(p.WindowReceive))
}

// normal replaces what cannot be meant: sizes below 32 by the default, windows
// of 0 by 1, and cuts off what is above the limits.
func (p Parameters) normal() Parameters {
	info := func(v uint16) uint16 {
		if v < MinInfo {
			return DefaultInfo
		}
		return min(v, MaxInfo)
	}
	window := func(v uint16) uint16 { return min(max(v, DefaultWindow), MaxWindow) }
	return Parameters{
		MaxInfoTransmit: info(p.MaxInfoTransmit),
		MaxInfoReceive:  info(p.MaxInfoReceive),
		WindowTransmit:  window(p.WindowTransmit),
		WindowReceive:   window(p.WindowReceive),
	}
}

// negotiated is what a station that has proposed p may use after its peer has
// answered with the peer's own view: never more than was proposed.
func (p Parameters) negotiated(peer Parameters) Parameters {
	p, peer = p.normal(), peer.normal()
	return Parameters{
		MaxInfoTransmit: min(p.MaxInfoTransmit, peer.MaxInfoReceive),
		MaxInfoReceive:  min(p.MaxInfoReceive, peer.MaxInfoTransmit),
		WindowTransmit:  min(p.WindowTransmit, peer.WindowReceive),
		WindowReceive:   min(p.WindowReceive, peer.WindowTransmit),
	}
}

// ParseParameters reads the information field of SNRM or UA. What is absent,
// zero or absurd has its default in the result (128, 128, 1, 1), never what was
// proposed; sizes above 2030 and windows above 7 are cut to that. Parameters
// and groups that are not known are skipped. If b ends too early the error is
// io.ErrUnexpectedEOF, and the result holds what was read up to there.
func ParseParameters(b []byte) (Parameters, error) {
	p := DefaultParameters()
	if len(b) == 0 {
		return p, nil
	}
	if b[0] != formatIdentifier {
		return p, fmt.Errorf("HDLC parameters begin with %02X, format identifier 81 expected", b[0])
	}
	if b = b[1:]; len(b) == 0 {
		return p, io.ErrUnexpectedEOF
	}
	for len(b) > 0 {
		group, value, rest, ok := cutTLV(b)
		switch {
		case !ok && b[0] == groupUser:
			return p.normal(), nil // user data may be without a length: it is the last group
		case !ok && b[0] != groupHDLC:
			return p.normal(), io.ErrUnexpectedEOF
		case !ok:
			p.parse(b[min(2, len(b)):])
			return p.normal(), io.ErrUnexpectedEOF
		}
		if group == groupHDLC && !p.parse(value) {
			return p.normal(), io.ErrUnexpectedEOF
		}
		b = rest
	}
	return p.normal(), nil
}

// UserData returns what the user group of the information field of SNRM or UA
// holds, a view; nil if there is none. Some meters have their system title
// there. The group is the last one, and may be without a length.
func UserData(b []byte) []byte {
	if len(b) == 0 || b[0] != formatIdentifier {
		return nil
	}
	for b = b[1:]; len(b) > 0; {
		group, value, rest, ok := cutTLV(b)
		switch {
		case group == groupUser && ok && len(rest) == 0:
			return value
		case b[0] == groupUser:
			return b[1:]
		case !ok:
			return nil
		default:
			b = rest
		}
	}
	return nil
}

// parse reads the parameters of one group. It reports false if b ends within
// one of them.
func (p *Parameters) parse(b []byte) bool {
	for len(b) > 0 {
		id, value, rest, ok := cutTLV(b)
		if !ok {
			return false
		}
		switch id {
		case parameterInfoTransmit:
			setParameter(&p.MaxInfoTransmit, value)
		case parameterInfoReceive:
			setParameter(&p.MaxInfoReceive, value)
		case parameterWindowTransmit:
			setParameter(&p.WindowTransmit, value)
		case parameterWindowReceive:
			setParameter(&p.WindowReceive, value)
		default:
		}
		b = rest
	}
	return true
}

// setParameter stores a value of one to four octets; an empty or longer one
// says nothing.
func setParameter(p *uint16, value []byte) {
	if len(value) == 0 || len(value) > 4 {
		return
	}
	var v uint32
	for _, c := range value {
		v = v<<8 | uint32(c)
	}
	*p = uint16(min(v, 0xFFFF))
}

// cutTLV takes an identifier, a length of one octet and so many octets from the
// front of b.
func cutTLV(b []byte) (id byte, value, rest []byte, ok bool) {
	if len(b) < 2 || len(b) < 2+int(b[1]) {
		return 0, nil, b, false
	}
	n := 2 + int(b[1])
	return b[0], b[2:n], b[n:], true
}
