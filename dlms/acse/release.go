package acse

// RLRQ is A-Release-Request: the client ends the association (Green Book Ed. 9, 9.4.3 and 9.5). The zero value is the
// shortest form, 62 00.
type RLRQ struct {
	Reason    RequestReason // written when HasReason is set
	HasReason bool
	// UserInformation is a ciphered InitiateRequest, which newer meters want in ciphered contexts; nil when absent. In
	// a parsed RLRQ it is a view into the input.
	UserInformation []byte
}

// Append appends the encoded RLRQ to b.
func (r *RLRQ) Append(b []byte) []byte {
	return appendRelease(b, tagRLRQ, uint8(r.Reason), r.HasReason, r.UserInformation)
}

// ParseRLRQ decodes an RLRQ that fills b; unknown fields are skipped. The error is a *SyntaxError.
func ParseRLRQ(b []byte) (RLRQ, error) {
	reason, has, information, err := parseRelease(b, tagRLRQ, "RLRQ")
	if err != nil {
		return RLRQ{}, err
	}
	return RLRQ{Reason: RequestReason(reason), HasReason: has, UserInformation: information}, nil
}

// RLRE is A-Release-Response: the server's answer to an RLRQ. The zero value is the shortest form, 63 00.
type RLRE struct {
	Reason    ResponseReason // written when HasReason is set
	HasReason bool
	// UserInformation is a ciphered InitiateResponse; nil when absent. In a parsed RLRE it is a view into the input.
	UserInformation []byte
}

// Append appends the encoded RLRE to b.
func (r *RLRE) Append(b []byte) []byte {
	return appendRelease(b, tagRLRE, uint8(r.Reason), r.HasReason, r.UserInformation)
}

// ParseRLRE decodes an RLRE that fills b; unknown fields are skipped. The error is a *SyntaxError.
func ParseRLRE(b []byte) (RLRE, error) {
	reason, has, information, err := parseRelease(b, tagRLRE, "RLRE")
	if err != nil {
		return RLRE{}, err
	}
	return RLRE{Reason: ResponseReason(reason), HasReason: has, UserInformation: information}, nil
}

// appendRelease writes the form that both release APDUs have.
func appendRelease(b []byte, tag, reason uint8, hasReason bool, information []byte) []byte {
	b, start := begin(b, tag)
	if hasReason {
		b = append(b, tagReleaseReason, 1, reason)
	}
	if information != nil {
		b = appendNested(b, tagUserInformation, tagOctetString, information)
	}
	return end(b, start)
}

// parseRelease reads the form that both release APDUs have.
func parseRelease(b []byte, tag uint8, what string) (reason uint8, has bool, information []byte, err error) {
	r, err := open(b, tag, what)
	if err != nil {
		return 0, false, nil, err
	}
	for len(r.b) > 0 {
		t, c, err := r.element()
		if err != nil {
			return 0, false, nil, err
		}
		switch t {
		case tagReleaseReason:
			reason, err = c.small("reason")
			has = true
		case tagUserInformation:
			information, err = c.octets("user-information")
		default:
			// Nothing else is read from a release.
		}
		if err != nil {
			return 0, false, nil, err
		}
	}
	return reason, has, information, nil
}
