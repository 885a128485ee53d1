package dlms_cosem

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/iec62056"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/serial"
)

const (
	protocolIEC = "dlms-iec"
	// signOnTime is the least that a sign-on is given: at 300 baud request, identification and acknowledgement take two seconds.
	signOnTime = 5 * time.Second
	// mostWakeup is how long NULs may be sent.
	mostWakeup = 30 * time.Second
)

// checkSignOn reports values of the sign-on that are not allowed.
func checkSignOn(sc scope, s *Settings) {
	sc.oneOf("protocol_mode", s.ProtocolMode, "dlms", protocolIEC)
	if err := iec62056.CheckAddress(s.IECAddress); err != nil {
		sc.bad("iec_address", strconv.Quote(s.IECAddress), "%v", err)
	}
	checkNumber(sc, "max_baud", s.MaxBaud, iec62056.InitialBaud, 4_000_000)
	checkNumber(sc, "fixed_baud", s.FixedBaud, 50, 4_000_000)
	checkDuration(sc, "baud_change_delay", s.BaudChangeDelay, 0, time.Second)
	checkDuration(sc, "wakeup", s.Wakeup, 0, mostWakeup)
}

// buildSignOn fills in how the meter is asked to speak HDLC.
func buildSignOn(sc requestScope, s *Settings, r *request) {
	if s.ProtocolMode != protocolIEC {
		for _, key := range []string{"iec_address", "max_baud", "fixed_baud", "baud_change_delay", "software_7e1", "wakeup"} {
			if sc.own.sets(key) {
				sc.warn("%s is ignored: it belongs to the sign-on, protocol_mode = %q", key, protocolIEC)
			}
		}
		return
	}
	fixed := intOr0(s.FixedBaud)
	switch {
	case r.framing != dlms.HDLC:
		sc.bad("protocol_mode", strconv.Quote(protocolIEC), "HDLC follows a sign-on: set framing = \"hdlc\"")
	case r.endpoint.network == "tcp" && fixed == 0:
		sc.bad("protocol_mode", strconv.Quote(protocolIEC), "over tcp:// the speed of the line cannot follow: set fixed_baud to that of the converter")
	default:
	}
	limit := intOr0(s.MaxBaud)
	if limit == 0 {
		limit, _ = s.BaudRate.value()
	}
	r.signOn = &dlms.SignOn{
		Address: s.IECAddress, Limit: limit, Fixed: fixed,
		SoftwareParity: s.Software7E1 != nil && *s.Software7E1,
		Wakeup:         int(s.Wakeup.Or(0) * iec62056.InitialBaud / 10 / time.Second),
		SwitchDelay:    s.BaudChangeDelay.Or(0),
		Force:          s.Workarounds.ForceModeE != nil && *s.Workarounds.ForceModeE,
	}
	if !s.ReplyTimeout.Set() {
		r.replyTimeout = max(r.replyTimeout, signOnTime)
	}
}

// characters are those that the line is set to before a device is spoken to.
func (s *session) characters() serial.Settings {
	line := s.r.line
	if s.r.signOn == nil {
		return line
	}
	line.Baud, line.DataBits, line.StopBits, line.Parity = iec62056.InitialBaud, 7, 1, serial.Even
	if s.r.signOn.Fixed > 0 {
		line.Baud = s.r.signOn.Fixed
	}
	if s.r.signOn.SoftwareParity {
		line.DataBits, line.Parity = 8, serial.None
	}
	return line
}

// askForHDLC asks a meter that begins with IEC 62056-21 to speak HDLC.
func (s *session) askForHDLC(ctx context.Context, t dlms.Transport, cfg dlms.ConnConfig) error {
	if s.r.signOn == nil {
		return nil
	}
	how := *s.r.signOn
	how.Last = s.memory().Baud
	var err error
	if how.Disconnect, err = dlms.DisconnectFrame(cfg); err != nil {
		return err
	}
	var on dlms.Line = fixedLine{t}
	if port, ok := t.(line); ok {
		on = portLine{Transport: t, port: port, lines: s.r.line}
	}
	signed, err := how.Run(ctx, on)
	if err != nil {
		var mode *dlms.ModeError
		if errors.As(err, &mode) || isTimeout(err) || ctx.Err() != nil {
			return err
		}
		return &connectError{endpoint: s.l.endpoint.address, err: err}
	}
	s.l.d.Log.Debugf("%s: %s speaks HDLC at %d baud (confirmed: %t)", s.r.where(s.st.device), signed.Identification, signed.Baud, signed.Confirmed)
	if m := s.memory(); m.Baud != signed.Baud {
		m.Baud, m.dirty = signed.Baud, true
	}
	return nil
}

// leaveTransport keeps a serial port whose meter did not sign on, and closes
// what else there is.
func (s *session) leaveTransport(t dlms.Transport, err error) {
	if !s.l.endpoint.local() || connectionLost(err) {
		_ = t.Close()
		return
	}
	s.l.unsettled = true
	s.l.call = &call{transport: t, r: s.r, st: s.st}
}

// portLine is a serial port whose characters a sign-on sets.
type portLine struct {
	dlms.Transport
	port  line
	lines serial.Settings // for DTR and RTS
}

func (p portLine) Switch(c dlms.Characters, delay time.Duration) error {
	s := serial.Settings{Baud: c.Baud, DataBits: c.DataBits, DTR: p.lines.DTR, RTS: p.lines.RTS}
	if c.Even {
		s.Parity = serial.Even
	}
	return p.port.Switch(s, delay)
}

// fixedLine is a line behind a converter, whose characters are what they are.
type fixedLine struct{ dlms.Transport }

func (fixedLine) Switch(_ dlms.Characters, delay time.Duration) error {
	t := time.NewTimer(delay)
	defer t.Stop()
	<-t.C
	return nil
}

// modeHint says what to do about a meter that does not go over to HDLC.
func modeHint(e *dlms.ModeError) string {
	if e.Readout != nil {
		return "the meter speaks text at this port, and no DLMS: its documentation tells whether another port, or another iec_address, has DLMS"
	}
	return "if it speaks DLMS all the same, set workarounds.force_mode_e = true; else it cannot be read through this port"
}
