package xdlms

// InitiateRequest is xDLMS-InitiateRequest: what the client proposes. It travels in the user-information of an AARQ
// (Green Book Ed. 9, 9.4.2 and 9.5).
type InitiateRequest struct {
	// DedicatedKey is the key for this association only, sent inside a ciphered request; nil when absent. In a parsed
	// request it is a view into the input.
	DedicatedKey []byte
	// ResponseAllowed is true in all confirmed associations. Beware: the zero value of the struct says false.
	ResponseAllowed bool
	// QoS is the proposed quality of service, which nobody uses; written when HasQoS is set.
	QoS    int8
	HasQoS bool
	// Version is the proposed DLMS version number: Version of this package.
	Version     uint8
	Conformance Conformance
	// MaxPDU is client-max-receive-pdu-size: octets of the largest APDU that the server may send. 0: no limit.
	MaxPDU uint16
}

// Append appends the encoded request to b.
func (q *InitiateRequest) Append(b []byte) []byte {
	b = append(b, uint8(TagInitiateRequest))
	if q.DedicatedKey == nil {
		b = append(b, 0)
	} else {
		b = appendOctets(append(b, 1), q.DedicatedKey)
	}
	if q.ResponseAllowed {
		b = append(b, 0) // the default, hence absent
	} else {
		b = append(b, 1, 0)
	}
	b = appendQoS(b, q.QoS, q.HasQoS)
	b = append(b, q.Version)
	b = q.Conformance.appendTo(b)
	return appendU16(b, q.MaxPDU)
}

// ParseInitiateRequest decodes a request that fills b. The error is a *SyntaxError.
func ParseInitiateRequest(b []byte) (InitiateRequest, error) {
	var q InitiateRequest
	r := newReader(b, TagInitiateRequest)
	if r.flag("dedicated-key") {
		q.DedicatedKey = r.octets(r.length("dedicated-key"), "dedicated-key")
	}
	q.ResponseAllowed = true
	if r.flag("response-allowed") {
		q.ResponseAllowed = r.u8("response-allowed") != 0
	}
	q.QoS, q.HasQoS = r.qos()
	q.Version = r.u8("proposed-dlms-version-number")
	q.Conformance = r.conformance()
	q.MaxPDU = r.u16("client-max-receive-pdu-size")
	if err := r.end(); err != nil {
		return InitiateRequest{}, err
	}
	return q, nil
}

// InitiateResponse is xDLMS-InitiateResponse: what the server grants. It travels in the user-information of an AARE.
// Nothing in it is judged here: the caller decides about the version, an empty conformance and the sizes.
type InitiateResponse struct {
	// QoS is the negotiated quality of service; written when HasQoS is set.
	QoS    int8
	HasQoS bool
	// Version is the negotiated DLMS version number.
	Version     uint8
	Conformance Conformance
	// MaxPDU is server-max-receive-pdu-size: octets of the largest APDU that the client may send. 0: no limit.
	MaxPDU uint16
	// VAA is the vaa-name: VAANameLN or VAANameSN.
	VAA uint16
}

// Append appends the encoded response to b.
func (p *InitiateResponse) Append(b []byte) []byte {
	b = append(b, uint8(TagInitiateResponse))
	b = appendQoS(b, p.QoS, p.HasQoS)
	b = append(b, p.Version)
	b = p.Conformance.appendTo(b)
	b = appendU16(b, p.MaxPDU)
	return appendU16(b, p.VAA)
}

// ParseInitiateResponse decodes a response that fills b. The error is a *SyntaxError.
func ParseInitiateResponse(b []byte) (InitiateResponse, error) {
	var p InitiateResponse
	r := newReader(b, TagInitiateResponse)
	p.QoS, p.HasQoS = r.qos()
	p.Version = r.u8("negotiated-dlms-version-number")
	p.Conformance = r.conformance()
	p.MaxPDU = r.u16("server-max-receive-pdu-size")
	p.VAA = r.u16("vaa-name")
	if err := r.end(); err != nil {
		return InitiateResponse{}, err
	}
	return p, nil
}

// appendQoS writes the optional quality of service.
func appendQoS(b []byte, qos int8, has bool) []byte {
	if !has {
		return append(b, 0)
	}
	return append(b, 1, uint8(qos))
}

// qos reads the optional quality of service.
func (r *reader) qos() (qos int8, has bool) {
	if !r.flag("quality-of-service") {
		return 0, false
	}
	return int8(r.u8("quality-of-service")), r.err == nil
}
