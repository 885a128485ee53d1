package explain

import (
	"errors"
	"io"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// knownTag reports whether the standard has an APDU with a tag.
func knownTag(t xdlms.APDUTag) bool {
	const unknown = "unknown"
	s := t.String()
	return len(s) < len(unknown) || s[:len(unknown)] != unknown
}

// parserOf returns what parses an APDU that fills its octets; nil: nothing.
func parserOf(tag xdlms.APDUTag) func(b []byte) error {
	switch tag {
	case xdlms.TagInitiateRequest:
		return func(b []byte) error { _, err := xdlms.ParseInitiateRequest(b); return err }
	case xdlms.TagInitiateResponse:
		return func(b []byte) error { _, err := xdlms.ParseInitiateResponse(b); return err }
	case xdlms.TagConfirmedServiceError:
		return func(b []byte) error { _, err := xdlms.ParseConfirmedServiceError(b); return err }
	case xdlms.TagExceptionResponse:
		return func(b []byte) error { _, err := xdlms.ParseExceptionResponse(b); return err }
	case xdlms.TagReadRequest:
		return func(b []byte) error { _, err := xdlms.ParseReadRequest(b); return err }
	case xdlms.TagGetRequest:
		return func(b []byte) error { _, err := xdlms.ParseGetRequest(b); return err }
	case xdlms.TagActionRequest:
		return func(b []byte) error { _, err := xdlms.ParseActionRequest(b); return err }
	case xdlms.TagActionResponse:
		return func(b []byte) error { _, err := xdlms.ParseActionResponse(b); return err }
	case xdlms.TagEventNotification:
		return func(b []byte) error { _, err := xdlms.ParseEventNotification(b); return err }
	case xdlms.TagInformationReport:
		return func(b []byte) error { _, err := xdlms.ParseInformationReport(b); return err }
	default:
		return nil
	}
}

// apduLength returns how many octets the APDU at the front of b has by its own
// account: 0 if more octets are needed to tell, -1 if it cannot be told.
func apduLength(b []byte) int {
	if len(b) == 0 {
		return 0
	}
	tag := xdlms.APDUTag(b[0])
	var rest []byte
	var err error
	switch {
	case tag == xdlms.TagGeneralBlockTransfer, tag == xdlms.TagGeneralSigning, tag.Ciphered(), tag == xdlms.TagDataNotification:
		return dlms.APDULength(b)
	case tag >= xdlms.TagAARQ && tag <= xdlms.TagRLRE:
		var n int
		if n, rest, err = axdr.CutLength(b[1:]); err == nil && n > len(rest) {
			return 0
		}
		return cutLength(len(b)-len(rest)+n, err)
	case tag == xdlms.TagDataNotificationConfirm:
		if len(b) < confirmOctets {
			return 0
		}
		return confirmOctets
	case tag == xdlms.TagGetResponse:
		rest, err = getResponseRest(b)
	case tag == xdlms.TagReadResponse:
		rest, err = readResponseRest(b)
	case tag == xdlms.TagSetResponse && len(b) >= setResponseOctets && b[1] == changeNormal:
		return setResponseOctets
	case tag == xdlms.TagSetRequest && len(b) > 1 && b[1] == changeNormal:
		_, _, rest, err = cutSetRequest(b)
	default:
		return wholeLength(b, parserOf(tag))
	}
	return cutLength(len(b)-len(rest), err)
}

// cutLength is the length that a parser has found.
func cutLength(n int, err error) int {
	switch {
	case err == nil:
		return n
	case errors.Is(err, io.ErrUnexpectedEOF):
		return 0
	default:
		return -1
	}
}

// wholeLength finds the end of an APDU whose parser wants nothing behind it.
func wholeLength(b []byte, parse func(b []byte) error) int {
	if parse == nil {
		return -1
	}
	err := parse(b)
	var syntax *xdlms.SyntaxError
	if errors.As(err, &syntax) && syntax.Offset > 0 && syntax.Offset < len(b) && parse(b[:syntax.Offset]) == nil {
		return syntax.Offset // octets left over
	}
	return cutLength(len(b), err)
}

func getResponseRest(b []byte) ([]byte, error) {
	p, err := xdlms.ParseGetResponse(b)
	var syntax *xdlms.SyntaxError
	if errors.As(err, &syntax) && syntax.Offset > 0 && syntax.Offset < len(b) {
		if _, again := xdlms.ParseGetResponse(b[:syntax.Offset]); again == nil {
			return b[syntax.Offset:], nil // octets left over
		}
	}
	rest := p.List
	for i := 0; i < p.Count && err == nil; i++ {
		_, _, rest, err = xdlms.CutGetResult(rest)
	}
	return rest, err
}

func readResponseRest(b []byte) ([]byte, error) {
	n, rest, err := xdlms.ParseReadResponse(b)
	for ; n > 0 && err == nil; n-- {
		_, rest, err = xdlms.CutReadResult(rest)
	}
	return rest, err
}

// isDataValue reports whether octets are one array or structure and nothing else.
func isDataValue(b []byte) bool {
	d, err := axdr.Parse(b)
	return err == nil && (d.Tag() == axdr.TagArray || d.Tag() == axdr.TagStructure) && d.Len() > 0
}

// plausible reports whether octets are an APDU: what the right key makes of a
// ciphered one.
func plausible(b []byte) bool {
	return len(b) > 0 && (dlms.Plausible(b) || apduLength(b) == len(b))
}
