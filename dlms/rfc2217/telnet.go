package rfc2217

// Octets of Telnet (RFC 854) and of its options.
const (
	iac  = 255
	dont = 254
	do   = 253
	wont = 252
	will = 251
	sb   = 250
	se   = 240

	optBinary  = 0  // RFC 856
	optGoAhead = 3  // RFC 858: suppress go ahead
	optComPort = 44 // RFC 2217
)

// Commands of a client (RFC 2217); the server answers with 100 more.
const (
	cmdBaud     = 1
	cmdDataSize = 2
	cmdParity   = 3
	cmdStopSize = 4
	cmdControl  = 5

	answer = 100
)

// longest is how many octets of a subnegotiation are kept: those of COM port
// control have at most six, but for signatures that nobody reads.
const longest = 64

// parser takes Telnet commands out of what a server sends.
type parser struct {
	state   uint8
	verb    byte
	sub     []byte
	doubled bool // within a subnegotiation, after an IAC
	option  func(verb, option byte)
	control func(command byte, value []byte) // of COM port control
}

const (
	inData uint8 = iota
	afterIAC
	afterVerb
	inSub
)

// parse appends the data among some octets to out.
func (p *parser) parse(out, in []byte) []byte {
	for _, c := range in {
		switch p.state {
		case inData:
			if c == iac {
				p.state = afterIAC
			} else {
				out = append(out, c)
			}
		case afterIAC:
			out = p.command(out, c)
		case afterVerb:
			p.option(p.verb, c)
			p.state = inData
		default:
			p.subnegotiation(c)
		}
	}
	return out
}

// command takes the octet behind an IAC.
func (p *parser) command(out []byte, c byte) []byte {
	p.state = inData
	switch c {
	case iac:
		out = append(out, iac)
	case do, dont, will, wont:
		p.state, p.verb = afterVerb, c
	case sb:
		p.state, p.sub, p.doubled = inSub, p.sub[:0], false
	default: // NOP and the like
	}
	return out
}

// subnegotiation takes an octet between SB and IAC SE.
func (p *parser) subnegotiation(c byte) {
	switch {
	case !p.doubled && c == iac:
		p.doubled = true
		return
	case p.doubled && c == se:
		p.state = inData
		if len(p.sub) >= 2 && p.sub[0] == optComPort {
			p.control(p.sub[1], p.sub[2:])
		}
		return
	}
	p.doubled = false
	if len(p.sub) < longest {
		p.sub = append(p.sub, c)
	}
}

// appendData appends data as Telnet wants it: an octet FFh twice.
func appendData(out, data []byte) []byte {
	for _, c := range data {
		if c == iac {
			out = append(out, iac)
		}
		out = append(out, c)
	}
	return out
}

// appendControl appends a command of COM port control.
func appendControl(out []byte, command byte, value ...byte) []byte {
	out = append(out, iac, sb, optComPort, command)
	return append(appendData(out, value), iac, se)
}
