package dlms_cosem

import (
	"context"
	"encoding/hex"
	"math"
	"strconv"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
)

// nameAttribute is the COSEM logical device name, which is unique to a meter
// (Blue Book Ed. 13, clause 4.1.8.2).
func nameAttribute() cosem.Attribute {
	return cosem.Attribute{Class: cosem.Data, Instance: obis.Code{0, 0, 42, 0, 0, 255}, ID: 2}
}

// firmwareAttribute is the active firmware identifier, of the medium that the
// request reads.
func firmwareAttribute(r *request) cosem.Attribute {
	medium := byte(1)
	for _, it := range r.items {
		if it.obis[0] != 0 {
			medium = it.obis[0]
			break
		}
	}
	return cosem.Attribute{Class: cosem.Data, Instance: obis.Code{medium, 0, 0, 2, 0, 255}, ID: 2}
}

// inactivityAttribute is when the meter forgets an idle association: of the IEC
// HDLC setup or of the TCP-UDP setup, of the first channel.
func inactivityAttribute(f dlms.Framing) cosem.Attribute {
	if f == dlms.HDLC {
		return cosem.Attribute{Class: cosem.IECHDLCSetup, Instance: obis.Code{0, 0, 22, 0, 0, 255}, ID: 8}
	}
	return cosem.Attribute{Class: cosem.TCPUDPSetup, Instance: obis.Code{0, 0, 25, 0, 0, 255}, ID: 6}
}

// identity is one thing by which a meter is known.
type identity struct {
	text   string // as hexadecimal digits; empty: it was not read
	untold bool   // the meter does not have it, or not for us
}

func (x *identity) take(d axdr.Data, err error) {
	*x = identity{}
	if err == nil {
		x.text = identityText(d)
	}
	x.untold = refusedForGood(err) || err == nil && x.text == ""
}

// identityText is what an object says of itself. Nothing, blanks and zeros only
// are no identity.
func identityText(d axdr.Data) string {
	b, ok := d.Octets()
	if !ok {
		return d.String()
	}
	for _, c := range b {
		if c != 0 && c != ' ' && c != 0xFF {
			return hex.EncodeToString(b)
		}
	}
	return ""
}

// shownIdentity is an identity for people.
func shownIdentity(s string) string {
	if b, err := hex.DecodeString(s); err == nil {
		if text := cleanText(string(b)); text == string(b) {
			return strconv.Quote(text)
		}
	}
	return s
}

// whoAnswers is the meter's logical device name, else its system title; empty:
// it tells neither.
func (s *session) whoAnswers() string {
	if title := s.as.Parameters().Title; s.name.text == "" && len(title) > 0 {
		return "title " + hex.EncodeToString(title)
	}
	return s.name.text
}

// sameMeter looks at who answers on a new association. It returns false if that
// is another meter than the one that all was learned about, or one with other
// firmware: what was learned is forgotten then.
func (s *session) sameMeter() bool {
	m := s.memory()
	learnedBefore := len(m.Scalers)+len(m.Classes)+len(m.refused) > 0 || len(m.Names) > 0 && s.names == nil
	name := s.whoAnswers()
	known, another := name != "", false
	switch {
	case !known && m.Name == "":
		another = len(m.Names) > 0 && s.names == nil // names of another meter would be those of other values
	case !known: // it does not say today: then it is not known who it is
		s.l.d.Log.Debugf("%s: The meter does not tell its name (it was %s): its scalers are read anew", s.r.where(s.st.device), shownIdentity(m.Name))
		another = true
	case name != m.Name:
		if m.Name != "" {
			s.l.d.Log.Infof("%s: Another meter answers: its logical device name is %s, it was %s; what was learned is read anew",
				s.r.where(s.st.device), shownIdentity(name), shownIdentity(m.Name))
		}
		another = true
	case s.firmware.text != "" && m.Firmware != "" && s.firmware.text != m.Firmware:
		s.l.d.Log.Infof("%s: The meter has other firmware: %s, it was %s; what was learned is read anew",
			s.r.where(s.st.device), shownIdentity(s.firmware.text), shownIdentity(m.Firmware))
		another = true
	default:
	}
	firmware := s.firmware.text
	if firmware == "" && !another {
		firmware = m.Firmware
	}
	if another {
		m.forget()
		m.Names = s.names // those of who answers
		s.st.health.zone.sign = deviationAuto
	}
	s.leaveAlone(nameAttribute(), s.name)
	s.leaveAlone(firmwareAttribute(s.r), s.firmware)
	if m.Name != name || m.Firmware != firmware {
		m.Name, m.Firmware = name, firmware
		m.changed()
	}
	return !another || !learnedBefore
}

// askOnce asks for what is worth knowing about a meter that is read again and
// again, and was not asked for before. It is asked for singly: there are meters
// whose answer to a list cannot be read if they do not have an object of it.
// That it is not to be had is no failure of the run.
func (s *session) askOnce(ctx context.Context) {
	m := s.memory()
	if !s.l.resident {
		return
	}
	if at := firmwareAttribute(s.r); m.Firmware == "" && m.tells(at) && !s.lost(ctx) {
		var x identity
		x.take(s.as.Get(ctx, at, nil))
		if m.Firmware = x.text; m.Firmware != "" {
			m.changed()
		}
		s.leaveAlone(at, x)
	}
	if at := inactivityAttribute(s.r.framing); m.Inactivity == nil && s.l.wantsInactivity(s.r) && m.tells(at) && !s.lost(ctx) {
		d, err := s.as.Get(ctx, at, nil)
		if n, ok := d.Int64(); err == nil && ok && n >= 0 && n <= math.MaxUint16 {
			seconds := int(n)
			m.Inactivity = &seconds
			m.changed()
		} else if err == nil || refusedForGood(err) {
			s.leaveAlone(at, identity{untold: true})
		}
	}
}

// leaveAlone has what the meter does not tell not be asked for today.
func (s *session) leaveAlone(at cosem.Attribute, x identity) {
	if x.untold {
		m := s.memory()
		m.Untold[attributeKey(at)] = time.Now().Add(refusalTime)
		m.changed()
	}
}
