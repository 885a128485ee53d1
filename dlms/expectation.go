package dlms

import (
	"errors"
	"fmt"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

type wanted uint8

const (
	wantGet wanted = iota
	wantAARE
	wantRLRE
	wantRead
	wantAction
)

// An expectation is what an exchange waits for. All else is dropped, and the
// waiting goes on.
type expectation struct {
	kind   wanted
	invoke uint8         // of a GET
	block  uint32        // of a GET of the next block: the number of the one before
	copies bool          // drop copies of it, and of those before it
	within time.Duration // the most to wait; 0: the reply timeout

	gateway *xdlms.Gateway // whose answer it is; nil: without a header
	secured *secured       // opens what is ciphered; nil: nothing is

	// again makes the request anew where it is repeated over datagrams; nil: the identical octets are
	again    func() ([]byte, error)
	datagram bool // copies are usual: one that cannot be opened because it was there before is dropped
}

func (e expectation) patience(reply time.Duration) time.Duration {
	if e.within > 0 {
		return min(e.within, reply)
	}
	return reply
}

// wants reports whether apdu is an answer. An answer with another invoke id is
// that of a request given up before, and what a meter sends unasked is nobody's.
// Octets that cannot be read are an answer: better a clear error than a wait in vain.
func (e expectation) wants(apdu []byte) bool {
	if e.gateway != nil {
		from, rest, ok, err := xdlms.CutGateway(apdu, xdlms.TagGatewayResponse)
		switch {
		case ok && err != nil:
			return true
		case ok && !from.Equal(*e.gateway):
			return false // a late answer of another device
		case !ok && len(apdu) > 0:
			return !xdlms.APDUTag(apdu[0]).Unsolicited()
		}
		apdu = rest
	}
	if len(apdu) == 0 {
		return false
	}
	tag := xdlms.APDUTag(apdu[0])
	switch {
	case tag.Unsolicited():
		return false
	case tag == xdlms.TagGeneralBlockTransfer:
		return e.wantsBlock(apdu)
	}
	if e.secured != nil && protects(tag) {
		plain, err := e.secured.open(apdu)
		if err != nil {
			var repeated *RepeatedError
			return !e.datagram || !errors.As(err, &repeated)
		}
		apdu, tag = plain, xdlms.APDUTag(plain[0])
		if tag.Unsolicited() {
			return false
		}
	}
	switch tag {
	case xdlms.TagAARE:
		return e.kind == wantAARE
	case xdlms.TagRLRE:
		return e.kind == wantRLRE
	case xdlms.TagReadResponse:
		return e.kind == wantRead
	case xdlms.TagActionResponse:
		return e.kind != wantAction || len(apdu) < 3 || xdlms.InvokeID(apdu[2]).ID() == e.invoke
	case xdlms.TagGetResponse:
		if e.kind != wantGet || len(apdu) < 3 {
			return e.kind == wantGet
		}
		if xdlms.InvokeID(apdu[2]).ID() != e.invoke {
			return false
		}
		return !e.copies || !isBlockUpTo(apdu, e.block)
	default:
		return true
	}
}

// isBlockUpTo reports whether apdu is a get-response-with-datablock of at most this number.
func isBlockUpTo(apdu []byte, block uint32) bool {
	if len(apdu) < 8 || xdlms.GetType(apdu[1]) != xdlms.GetBlock {
		return false
	}
	number := uint32(apdu[4])<<24 | uint32(apdu[5])<<16 | uint32(apdu[6])<<8 | uint32(apdu[7])
	return number <= block
}

// errorAPDU makes an error of an APDU that is an exception-response or a
// confirmedServiceError.
func errorAPDU(op string, apdu []byte) error {
	if xdlms.APDUTag(apdu[0]) == xdlms.TagExceptionResponse {
		e, err := xdlms.ParseExceptionResponse(apdu)
		if err != nil {
			return &ProtocolError{Op: op, Msg: shown(apdu), Err: err}
		}
		return &ExceptionError{Op: op, Response: e}
	}
	e, err := xdlms.ParseConfirmedServiceError(apdu)
	if err != nil {
		return &ProtocolError{Op: op, Msg: shown(apdu), Err: err}
	}
	return &ServiceError{Op: op, Response: e}
}

// shown is the beginning of octets for an error text.
func shown(b []byte) string {
	const most = 24
	if len(b) > most {
		return fmt.Sprintf("%X... (%s)", b[:most], octets(len(b)))
	}
	return fmt.Sprintf("%X", b)
}
