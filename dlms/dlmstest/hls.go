package dlmstest

import (
	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// How a client replies to the meter's challenge: method 1 of the current
// Association LN, or method 8 of the current Association SN, by its short name
// (Blue Book Ed. 13, 4.4.3 and 4.4.4).
const (
	replyMethod = 1
	replyName   = cosem.BaseAssociationSN + 0x58
)

var currentAssociation = obis.Code{0, 0, 40, 0, 0, 255}

// replyToChallenge answers pass 3 of high-level security, which is all that is served
// until it has come (Green Book Ed. 9, 9.2.7.4).
func (s *session) replyToChallenge(apdu []byte) []byte {
	if s.m.cfg.ShortNames {
		return s.replyByRead(apdu)
	}
	return s.replyByAction(apdu)
}

func (s *session) replyByAction(apdu []byte) []byte {
	q, err := xdlms.ParseActionRequest(apdu)
	if err != nil || q.Class != cosem.AssociationLN || q.Instance != s.association() || q.Method != replyMethod {
		return s.exception(xdlms.ServiceNotAllowed, xdlms.OperationNotPossible)
	}
	answer, refusal := s.prove(q.Parameter)
	if refusal != nil {
		return s.refusal(refusal)
	}
	response := xdlms.ActionResponse{InvokeID: q.InvokeID, Return: answer, HasReturn: answer != nil}
	if answer == nil {
		response.Result = xdlms.ActionOtherReason
	}
	reply, err := response.Append(s.reply[:0])
	if err != nil { // never: its fields fit together
		return nil
	}
	s.reply = reply
	return s.reply
}

func (s *session) replyByRead(apdu []byte) []byte {
	q, err := xdlms.ParseReadRequest(apdu)
	if err != nil || len(q.Accesses) != 1 || q.Accesses[0].Choice != xdlms.ParameterizedAccess || q.Accesses[0].Name != replyName {
		return s.exception(xdlms.ServiceNotAllowed, xdlms.OperationNotPossible)
	}
	answer, refusal := s.prove(q.Accesses[0].Parameter)
	if refusal != nil {
		return s.refusal(refusal)
	}
	result := xdlms.ReadResult{Choice: xdlms.ReadData, Data: answer}
	if answer == nil {
		result = xdlms.ReadResult{Choice: xdlms.ReadRefused, Error: xdlms.OtherReason}
	}
	s.reply = result.Append(xdlms.AppendReadResponse(s.reply[:0], 1))
	return s.reply
}

// association is the object that replies to the client's challenge.
func (s *session) association() obis.Code {
	if c := s.sec.client.Association; c != (obis.Code{}) {
		return c
	}
	return currentAssociation
}

// prove verifies the client's answer to the meter's challenge, and gives the
// meter's one to the client's. Without both the client was not what it said, and
// the association has ended.
func (s *session) prove(parameter axdr.Data) (answer axdr.Data, refusal *xdlms.ExceptionResponse) {
	x := &s.sec
	theirs, ok := parameter.Octets()
	gmac := x.client.Mechanism == acse.HLSGMAC
	if gmac {
		ok = ok && x.global.VerifyGMAC(x.title, x.stoc, theirs)
	} else {
		ok = ok && s.challenge(x.stoc, x.ctos, x.title, s.m.cfg.Title[:]).Verify(theirs)
	}
	if !ok {
		s.m.count(func(c *Counters) { c.Rejections++ })
		s.end(false)
		return nil, nil
	}
	var ours []byte
	if gmac {
		counter, _ := security.Counter(theirs)
		if lowest, ok := s.m.accept(x.global.series, counter, s.envelope); !ok {
			return nil, counterError(lowest)
		}
		ours = x.global.AppendGMAC(nil, s.m.cfg.Title[:], s.m.next(false), x.ctos)
	} else if !x.client.DigitSum {
		ours, _ = s.challenge(x.ctos, x.stoc, s.m.cfg.Title[:], x.title).Answer() // as it did when it verified
	}
	x.pending = false
	s.m.count(func(c *Counters) { c.Authentications++ })
	if ours == nil { // a digit sum proves nothing of the meter
		return axdr.AppendNull(nil), nil
	}
	if s.m.faults.take(func(f *Faults) *int { return &f.WrongReplies }) {
		ours[len(ours)-1] ^= 0xff
	}
	return axdr.AppendOctetString(nil, ours), nil
}

// challenge is an answer by the client's secret, of whoever has received a
// challenge and has the system title own.
func (s *session) challenge(received, sent, own, other []byte) security.Challenge {
	return security.Challenge{
		Private:   s.sec.client.Public.Signing,
		Public:    s.sec.client.Public.ClientSigning,
		Mechanism: uint8(s.sec.client.Mechanism),
		Secret:    s.sec.client.Secret,
		Received:  received,
		Sent:      sent,
		DigitSum:  s.sec.client.DigitSum,
		Own:       own,
		Other:     other,
	}
}
