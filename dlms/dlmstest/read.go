package dlmstest

import (
	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// context is the application context of the meter, with or without ciphering.
func (m *Meter) context(ciphered bool) acse.Context {
	switch {
	case m.cfg.ShortNames && ciphered:
		return acse.SNCiphered
	case m.cfg.ShortNames:
		return acse.SN
	case ciphered:
		return acse.LNCiphered
	default:
		return acse.LN
	}
}

const (
	counterBase = 0x2000 // of the CounterObject
	firstBase   = 0x7800 // so that the names of a middling list are in part negative
	nameStep    = 8      // between the names of two attributes
	methodsRoom = 0x20   // for the methods behind the attributes
)

// shortNames gives names to the objects that the client sees.
func (s *session) shortNames() []cosem.ShortName {
	if s.objects == nil {
		return nil
	}
	association := cosem.Attribute{Class: cosem.AssociationLN, Instance: obis.Code{0, 0, 40, 0, 0, 255}, ID: 2}
	b, _ := s.objects.Get(s.client, association, nil, nil)
	list, _ := axdr.Parse(b)
	names := []cosem.ShortName{{Base: cosem.BaseAssociationSN, Class: cosem.AssociationSN, Version: 2, Instance: association.Instance}}
	if s.m.secured {
		names = append(names, cosem.ShortName{Base: counterBase, Class: cosem.Data, Instance: CounterObject})
	}
	base := firstBase
	for element := range list.All() {
		o, err := cosem.ParseObject(element)
		if err != nil || o.Class == cosem.AssociationLN {
			continue
		}
		n := cosem.ShortName{Class: o.Class, Version: o.Version, Instance: o.Instance}
		switch {
		case o.Instance == obis.Code{0, 0, 42, 0, 0, 255}:
			n.Base = cosem.BaseLogicalDeviceName
		case o.Class == cosem.SAPAssignment:
			n.Base = cosem.BaseSAPAssignment
		default:
			n.Base = uint16(base)
			most := 1
			for _, a := range o.Attributes {
				most = max(most, int(a.ID))
			}
			base += nameStep*most + methodsRoom
		}
		if base >= int(cosem.BaseAssociationSN) {
			break
		}
		names = append(names, n)
	}
	return names
}

// named finds the attribute with a short name.
func (s *session) named(name uint16) (at cosem.Attribute, ok bool) {
	var best cosem.ShortName
	for _, n := range s.names {
		if n.Base <= name && n.Base >= best.Base {
			best = n
		}
	}
	offset := int(name) - int(best.Base)
	if best.Base == 0 || offset%nameStep != 0 || offset/nameStep >= 0x7F {
		return at, false
	}
	return cosem.Attribute{Class: best.Class, Instance: best.Instance, ID: int8(offset/nameStep + 1)}, true
}

// readRequest answers a ReadRequest (Green Book Ed. 9, 9.3.14).
func (s *session) readRequest(apdu []byte) []byte {
	switch {
	case !s.associated:
		return s.exception(xdlms.ServiceNotAllowed, xdlms.ServiceNotSupported)
	case s.tooLong(apdu):
		return s.exception(xdlms.ServiceNotAllowed, xdlms.PDUTooLong)
	}
	q, err := xdlms.ParseReadRequest(apdu)
	if err != nil {
		return s.exception(xdlms.ServiceNotAllowed, xdlms.ServiceOtherReason)
	}
	n := len(q.Accesses)
	if n == 1 && q.Accesses[0].Choice == xdlms.BlockNumberAccess {
		return s.readNext(q.Accesses[0].Block)
	}
	s.transfer = transfer{}
	if n > 1 {
		s.m.count(func(c *Counters) { c.Lists++; c.Items += n })
		if refusal := s.refuseList(n); refusal != nil {
			return refusal
		}
		if s.m.faults.take(func(f *Faults) *int { return &f.ShortLists }) {
			n--
		}
	} else {
		s.m.count(func(c *Counters) { c.Gets++; c.Items++ })
	}
	count := n
	if n > 1 && s.m.faults.take(func(f *Faults) *int { return &f.LongCount }) {
		count++
	}
	body := axdr.AppendLength(s.value[:0], count)
	for i := range n {
		body = s.appendRead(&q.Accesses[i], body)
	}
	s.value = body
	s.reply = append(append(s.reply[:0], byte(xdlms.TagReadResponse)), body...)
	return s.orBlocks(transfer{read: true}, body)
}

// appendRead appends the result of one access.
func (s *session) appendRead(a *xdlms.VariableAccess, b []byte) []byte {
	at, ok := s.named(a.Name)
	var sel *cosem.Selection
	switch {
	case !ok || a.Choice != xdlms.VariableName && a.Choice != xdlms.ParameterizedAccess:
		return append(b, byte(xdlms.ReadRefused), byte(xdlms.ObjectUndefined))
	case a.Choice == xdlms.ParameterizedAccess && s.conformance.Has(xdlms.ConformanceParameterizedAccess):
		sel = &cosem.Selection{Selector: a.Selector, Parameters: a.Parameter}
	default:
	}
	if at.Class == cosem.AssociationSN && at.ID == 2 {
		b = axdr.AppendArray(append(b, byte(xdlms.ReadData)), len(s.names))
		for _, n := range s.names {
			b = n.Append(b)
		}
		return b
	}
	value, res := s.read(at, sel, append(b, byte(xdlms.ReadData)))
	if res != xdlms.Success {
		return append(b, byte(xdlms.ReadRefused), byte(res))
	}
	return value
}

// readNext sends the block after the one the client has received, or the same
// one once more.
func (s *session) readNext(received uint16) []byte {
	s.m.count(func(c *Counters) { c.Nexts++ })
	t := &s.transfer
	res := xdlms.NoLongGetInProgress
	switch {
	case !t.active:
	case received == uint16(t.block) && !t.last:
		return s.nextBlock()
	case received+1 == uint16(t.block):
		return s.sendBlock()
	default:
		*t = transfer{}
		res = xdlms.DataBlockNumberInvalid
	}
	p := xdlms.ReadResult{Choice: xdlms.ReadRefused, Error: res}
	s.reply = p.Append(xdlms.AppendReadResponse(s.reply[:0], 1))
	return s.reply
}
