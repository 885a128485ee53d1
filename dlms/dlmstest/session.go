package dlmstest

import (
	"bytes"
	"crypto/subtle"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// Limits of what a client may propose.
const (
	minPDU      = 24 // room for an AARE's answer in pieces: a block of at least 13 octets
	reservedPDU = 12 // client-max-receive-pdu-size below is reserved
)

// session is the application layer towards one client: the association control
// function and the GET service (Green Book Ed. 9, clauses 9.4 and 9.3). It
// takes an APDU and gives an APDU; framing is not its business.
type session struct {
	m       *Meter
	objects Objects
	client  uint16

	associated  bool
	conformance xdlms.Conformance // as negotiated
	limit       int               // octets of the longest answer

	names []cosem.ShortName // of the objects that the client sees, by base name

	sec      secured
	envelope *envelope // of the request at hand; nil: it came in the clear
	plain    []byte    // scratch: a request that was ciphered
	sealed   []byte    // the answer to it, valid until the next request

	request  xdlms.GetRequest // its slices are used again
	value    []byte           // scratch
	reply    []byte           // the answer, valid until the next request
	transfer transfer

	blocks generalBlocks
	follow [][]byte // APDUs to be sent behind the answer
}

// newSession returns a session without an association.
func newSession(m *Meter, client uint16, objects Objects) *session {
	return &session{m: m, client: client, objects: objects}
}

// handle answers one APDU. A nil reply is silence; any other is valid until
// the next call.
func (s *session) handle(apdu []byte) []byte {
	s.m.count(func(c *Counters) { c.Requests++ })
	if raw := s.m.faults.fixed().Raw; raw != nil {
		if reply, replace := raw(apdu); replace {
			s.follow = nil
			return reply
		}
	}
	if s.m.cfg.Gateway == nil {
		return s.exchange(apdu)
	}
	from, apdu, ok, err := xdlms.CutGateway(apdu, xdlms.TagGatewayRequest)
	switch {
	case !ok:
		return s.exception(xdlms.ServiceNotAllowed, xdlms.OperationNotPossible)
	case err != nil || !from.Equal(*s.m.cfg.Gateway):
		return nil
	}
	reply := s.exchange(apdu)
	if reply == nil {
		return nil
	}
	header, err := from.Append(nil, xdlms.TagGatewayResponse)
	if err != nil {
		return nil
	}
	for i, apdu := range s.follow {
		s.follow[i] = append(bytes.Clone(header), apdu...)
	}
	return append(header, reply...)
}

// answer answers one APDU of a device.
func (s *session) answer(apdu []byte) []byte {
	if len(apdu) == 0 {
		return nil
	}
	switch tag := xdlms.APDUTag(apdu[0]); {
	case tag == xdlms.TagAARQ:
		return s.associate(apdu)
	case tag == xdlms.TagRLRQ:
		return s.releaseRequest(apdu)
	case tag.Ciphered(), tag == xdlms.TagGeneralSigning:
		return s.ciphered(apdu)
	case s.associated && s.sec.client.Policy != 0:
		return s.exception(xdlms.ServiceNotAllowed, xdlms.OperationNotPossible)
	default:
		return s.service(apdu)
	}
}

// service answers one plain APDU within an association, which may have been in
// an envelope.
func (s *session) service(apdu []byte) []byte {
	switch tag := xdlms.APDUTag(apdu[0]); {
	case s.sec.pending:
		return s.replyToChallenge(apdu)
	case tag == xdlms.TagGetRequest && !s.m.cfg.ShortNames:
		return s.get(apdu)
	case tag == xdlms.TagReadRequest && s.m.cfg.ShortNames:
		return s.readRequest(apdu)
	default:
		s.m.count(func(c *Counters) { c.Others++ })
		return s.refuse(tag)
	}
}

// refuse answers a service the meter does not have.
func (s *session) refuse(tag xdlms.APDUTag) []byte {
	switch tag {
	case xdlms.TagGetRequest, xdlms.TagSetRequest, xdlms.TagActionRequest, xdlms.TagReadRequest, xdlms.TagWriteRequest, xdlms.TagAccessRequest:
		return s.exception(xdlms.ServiceNotAllowed, xdlms.ServiceNotSupported)
	default:
		return s.exception(xdlms.ServiceUnknown, xdlms.ServiceNotSupported)
	}
}

// exception is the answer to what cannot be processed at all.
func (s *session) exception(state xdlms.ExceptionState, service xdlms.ExceptionService) []byte {
	s.reply = xdlms.ExceptionResponse{State: state, Service: service}.Append(s.reply[:0])
	return s.reply
}

// associate answers an AARQ.
func (s *session) associate(apdu []byte) []byte {
	s.end(false)
	aarq, err := acse.ParseAARQ(apdu)
	if err != nil {
		return s.reject(acse.Diagnostic{Source: acse.ServiceProvider, Code: acse.DiagnosticNoReason}, nil)
	}
	if s.m.faults.take(func(f *Faults) *int { return &f.RejectAssociation }) {
		d := s.m.faults.fixed().RejectDiagnostic
		if d.Source == acse.SourceNone {
			d = acse.Diagnostic{Source: acse.ServiceUser, Code: acse.DiagnosticNoReason}
		}
		return s.reject(d, nil)
	}
	if code := s.authenticate(&aarq); code != acse.DiagnosticNull {
		return s.reject(acse.Diagnostic{Source: acse.ServiceUser, Code: code}, nil)
	}
	if code := s.secure(&aarq); code != acse.DiagnosticNull {
		return s.reject(acse.Diagnostic{Source: acse.ServiceUser, Code: code}, nil)
	}
	information, e, refusal := s.openInitiate(aarq.UserInformation)
	switch {
	case refusal == nil:
	case refusal.HasCounter && s.m.cfg.CounterException:
		s.m.count(func(c *Counters) { c.Rejections++ })
		s.sec = secured{}
		return s.refusal(refusal)
	default:
		return s.rejectInitiate(xdlms.ClassApplicationReference, deciphering)
	}
	proposal, code := s.negotiate(information)
	if code < 0 && !s.dedicate(proposal.DedicatedKey, e) {
		code = int(xdlms.InitiateOther)
	}
	if code >= 0 {
		return s.rejectInitiate(xdlms.ClassInitiate, uint8(code))
	}
	return s.accept(proposal, e)
}

// accept answers an AARQ with an association, in which a client with
// high-level security has still to prove itself.
func (s *session) accept(proposal xdlms.InitiateRequest, e *envelope) []byte {
	s.associated = true
	s.conformance = proposal.Conformance & s.m.cfg.Conformance
	s.limit = s.m.cfg.MaxPDU
	if proposal.MaxPDU != 0 {
		s.limit = min(s.limit, int(proposal.MaxPDU))
	}
	s.m.count(func(c *Counters) { c.Associations++ })
	if s.m.cfg.ShortNames {
		s.names = s.shortNames()
	}
	response := s.granted()
	aare := acse.AARE{
		Context:            s.m.context(s.sec.ciphered),
		Result:             acse.Accepted,
		Diagnostic:         acse.Diagnostic{Source: acse.ServiceUser, Code: acse.DiagnosticNull},
		UserInformation:    response.Append(nil),
		HasUserInformation: true,
	}
	if e != nil {
		aare.UserInformation = s.seal(aare.UserInformation, e, true)
	}
	if s.sec.title != nil && !s.m.cfg.TitleInUA {
		aare.RespondingTitle = s.m.cfg.Title[:]
		aare.RespondingQualifier = s.sec.client.Public.Certificate
	}
	if s.sec.pending {
		aare.Diagnostic.Code = acse.DiagnosticAuthenticationRequired
		aare.Mechanism, aare.AuthenticationValue = s.sec.client.Mechanism, s.sec.stoc
	}
	return s.aare(aare)
}

// granted is what the client has of what it proposed.
func (s *session) granted() *xdlms.InitiateResponse {
	response := &xdlms.InitiateResponse{
		Version:     xdlms.Version,
		Conformance: s.conformance,
		MaxPDU:      uint16(s.m.cfg.MaxPDU),
		VAA:         xdlms.VAANameLN,
	}
	if s.m.cfg.ShortNames {
		response.VAA = xdlms.VAANameSN
	}
	return response
}

// authenticate says why the client of an AARQ is not let in, DiagnosticNull if
// it is.
func (s *session) authenticate(aarq *acse.AARQ) uint8 {
	known, ok := s.m.cfg.Clients[s.client]
	switch {
	case aarq.Context == s.m.context(false) && known.Policy == 0:
	case aarq.Context == s.m.context(true) && known.Keys.EncryptionKey != nil:
	default:
		return acse.DiagnosticContextNotSupported
	}
	switch {
	case !ok:
		return acse.DiagnosticNoReason
	case aarq.Mechanism == acse.None && known.Mechanism != acse.None:
		return acse.DiagnosticMechanismRequired
	case aarq.Mechanism != known.Mechanism:
		return acse.DiagnosticMechanismNotRecognised
	case known.Mechanism == acse.Low && subtle.ConstantTimeCompare(aarq.AuthenticationValue, known.Password) == 0:
		return acse.DiagnosticAuthenticationFailure
	default:
		return acse.DiagnosticNull
	}
}

// negotiate reads what a client proposes. A code other than -1 is that of the
// initiate error to refuse it with.
func (s *session) negotiate(userInformation []byte) (q xdlms.InitiateRequest, code int) {
	q, err := xdlms.ParseInitiateRequest(userInformation)
	least := uint16(reservedPDU)
	if s.sec.ciphered {
		least += cipheredOverhead
	}
	switch {
	case err != nil:
		return q, int(xdlms.InitiateOther)
	case q.Version < xdlms.Version:
		return q, int(xdlms.InitiateDLMSVersionTooLow)
	case q.MaxPDU != 0 && q.MaxPDU < least:
		return q, int(xdlms.InitiatePDUSizeTooShort)
	case q.Conformance&s.m.cfg.Conformance&(xdlms.ConformanceGet|xdlms.ConformanceRead) == 0:
		return q, int(xdlms.InitiateIncompatibleConformance)
	default:
		return q, -1
	}
}

// reject answers an AARQ with a refusal.
func (s *session) reject(d acse.Diagnostic, userInformation []byte) []byte {
	s.m.count(func(c *Counters) { c.Rejections++ })
	s.sec = secured{}
	return s.aare(acse.AARE{
		Context:            s.m.context(s.m.cfg.Clients[s.client].Policy != 0),
		Result:             acse.RejectedPermanent,
		Diagnostic:         d,
		UserInformation:    userInformation,
		HasUserInformation: userInformation != nil,
	})
}

// rejectInitiate answers an AARQ with a refusal of what the client proposes.
func (s *session) rejectInitiate(class xdlms.ErrorClass, code uint8) []byte {
	e := xdlms.ConfirmedServiceError{Service: xdlms.InitiateError, Class: class, Code: code}
	return s.reject(acse.Diagnostic{Source: acse.ServiceUser, Code: acse.DiagnosticNoReason}, e.Append(nil))
}

// aare encodes an AARE, whose fields are the meter's own.
func (s *session) aare(a acse.AARE) []byte {
	reply, err := a.Append(s.reply[:0])
	if err != nil { // a diagnostic that was ordered and has no encoding
		return s.exception(xdlms.ServiceNotAllowed, xdlms.ServiceOtherReason)
	}
	s.reply = reply
	return s.reply
}

// releaseRequest answers an RLRQ, also when there is nothing to release. A
// client that ciphers may prove that the RLRQ is its own by an InitiateRequest
// (Green Book Ed. 9, 9.4.3).
func (s *session) releaseRequest(apdu []byte) []byte {
	rlrq, err := acse.ParseRLRQ(apdu)
	if err != nil {
		return s.exception(xdlms.ServiceNotAllowed, xdlms.ServiceOtherReason)
	}
	rlre := acse.RLRE{Reason: acse.ReleasedNormal, HasReason: true}
	if s.sec.ciphered && rlrq.UserInformation != nil {
		_, e, refusal := s.openInitiate(rlrq.UserInformation)
		if refusal != nil {
			return s.refusal(refusal)
		}
		if e != nil {
			rlre.UserInformation = s.seal(s.granted().Append(nil), e, true)
		}
	}
	s.end(true)
	s.reply = rlre.Append(s.reply[:0])
	return s.reply
}

// end ends the association, if there is one: by the client's wish or not.
func (s *session) end(released bool) {
	s.transfer = transfer{}
	s.sec = secured{}
	if !s.associated {
		return
	}
	s.associated = false
	s.m.count(func(c *Counters) {
		if released {
			c.Releases++
		} else {
			c.Aborts++
		}
	})
	if released && s.m.cfg.OnRelease != nil {
		s.m.cfg.OnRelease(s.client)
	}
}
