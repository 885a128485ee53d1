package dlms_cosem

import (
	"context"
	"strconv"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/serial"
)

// line is a transport whose characters and control lines can be set.
type line interface {
	Configure(s serial.Settings, settle bool) error
	Switch(s serial.Settings, delay time.Duration) error
}

// slowBaud is the speed below which a meter is given more time to answer.
const (
	slowBaud  = 2400
	slowReply = 15 * time.Second
)

// checkSerial reports values of a serial line that are not allowed.
func checkSerial(sc scope, s *Settings) {
	if rate, ok := s.BaudRate.value(); s.BaudRate.text != "" && s.BaudRate.text != "auto" && (!ok || rate < 50 || rate > 4_000_000) {
		sc.bad("baud_rate", s.BaudRate.text, `out of range: 50 to 4000000 is allowed, and "auto" with send_requests = false`)
	}
	if listens := s.SendRequests != nil && !*s.SendRequests; listens && s.DataBits != nil {
		checkNumber(sc, "data_bits", s.DataBits, 7, 8)
	} else if s.DataBits != nil && *s.DataBits == 7 {
		sc.bad("data_bits", "7", `HDLC needs all 8 bits of a character: use 8; with protocol_mode = "dlms-iec" the sign-on has 7 by itself`)
	} else {
		checkNumber(sc, "data_bits", s.DataBits, 8, 8)
	}
	sc.oneOf("parity", s.Parity, "none", "even", "odd")
	checkNumber(sc, "stop_bits", s.StopBits, 1, 2)
	sc.oneOf("dtr", s.DTR, "auto", "on", "off")
	sc.oneOf("rts", s.RTS, "auto", "on", "off", "send")
}

// buildSerial fills in how the port is set.
func buildSerial(sc requestScope, s *Settings, r *request) {
	if !r.endpoint.serial() {
		for _, key := range []string{"baud_rate", "data_bits", "parity", "stop_bits", "dtr", "rts"} {
			if sc.own.sets(key) {
				sc.warn("%s is ignored: it is a setting of serial ports (file://, rfc2217://), a serial server behind tcp:// has its own", key)
			}
		}
		return
	}
	baud, _ := s.BaudRate.value()
	r.line = serial.Settings{Baud: baud, DataBits: intOr0(s.DataBits), StopBits: intOr0(s.StopBits),
		DTR: serialLine(s.DTR), RTS: serialLine(s.RTS)}
	switch s.Parity {
	case "even":
		r.line.Parity = serial.Even
	case "odd":
		r.line.Parity = serial.Odd
	default:
	}
	if r.line.RTS == serial.Send && !r.endpoint.local() {
		sc.bad("rts", `"send"`, "a serial server turns the direction of its line by itself: set it there, and remove this key")
	}
	if r.findSpeed = s.BaudRate.text == "auto"; r.findSpeed && !r.passive {
		sc.bad("baud_rate", `"auto"`, "it is found by listening only: set send_requests = false, or use the command probe, which asks at all speeds")
	}
	if s.Framing == "wrapper" {
		sc.bad("framing", strconv.Quote(s.Framing), "serial ports carry HDLC: remove this key")
	}
	if r.passive {
		return
	}
	r.framing = dlms.HDLC
	if r.line.Baud != 0 && r.line.Baud < slowBaud && !s.ReplyTimeout.Set() {
		r.replyTimeout = max(r.replyTimeout, slowReply)
	}
}

// portTime is what opening a port may take.
const portTime = 2 * time.Second

// openPort opens the link's serial port before its first run: ports come before
// the sockets of other links, since they need low descriptors. What is wrong
// with it the first run will tell.
func (l *link) openPort(ctx context.Context) {
	if !l.endpoint.local() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, portTime)
	defer cancel()
	if t, err := l.d.Dial(ctx, l.endpoint.String()); err == nil {
		first := l.queue[0]
		l.call = &call{transport: t, r: first.r, st: first.list[0]}
	}
}

func serialLine(s string) serial.Line {
	switch s {
	case "on":
		return serial.On
	case "off":
		return serial.Off
	case "send":
		return serial.Send
	default:
		return serial.Auto
	}
}
