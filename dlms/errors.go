package dlms

import (
	"fmt"
	"strings"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/hdlc"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// A TimeoutError says that the meter did not answer in time, and what was seen
// instead of an answer.
type TimeoutError struct {
	Op          string        // what was sent: "SNRM", "AARQ", "GET 1.0.1.8.0.255 attribute 2"
	After       time.Duration // from the first octet sent until we gave up
	Received    int           // octets received meanwhile
	Echo        bool          // all that came back was our own message
	Noise       []byte        // the first octets received (at most 32) if no whole message was among them
	FrameErrors int           // frames dropped because of a wrong check sequence, length or format
	NotReady    bool          // the meter kept saying that it is not ready (RNR)
	Acknowledge bool          // the meter acknowledged the request (RR) but did not answer it
	Err         error         // the error of the context or transport that ended the wait; may be nil
}

func (e *TimeoutError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: no answer within %s: ", e.Op, e.After.Round(time.Millisecond))
	switch {
	case e.Received == 0:
		b.WriteString("nothing was received")
	case e.Echo:
		fmt.Fprintf(&b, "%s received, only our own message came back (echo)", octets(e.Received))
	case e.NotReady:
		fmt.Fprintf(&b, "%s received, the meter keeps saying that it is not ready (RNR)", octets(e.Received))
	case e.Acknowledge:
		fmt.Fprintf(&b, "%s received, the meter acknowledged the request but did not answer it", octets(e.Received))
	case len(e.Noise) > 0:
		fmt.Fprintf(&b, "%s received, no whole message among them, first octets %X", octets(e.Received), e.Noise)
	default:
		fmt.Fprintf(&b, "%s received, none of them the answer", octets(e.Received))
	}
	if e.FrameErrors > 0 {
		fmt.Fprintf(&b, ", %s", plural(e.FrameErrors, "broken frame"))
	}
	if e.Err != nil {
		fmt.Fprintf(&b, " (%v)", e.Err)
	}
	return b.String()
}

// Unwrap returns the error of the context or transport that ended the wait.
func (e *TimeoutError) Unwrap() error { return e.Err }

// Timeout reports true, as a net.Error does.
func (e *TimeoutError) Timeout() bool { return true }

// A RejectError says that the meter refused the association (clause 9.4.2,
// COSEM-OPEN). Result and Diagnostic are those of the AARE, unless Err says
// that something else came in place of it or that it could not be used.
type RejectError struct {
	Result       acse.Result
	Diagnostic   acse.Diagnostic
	ServiceError *xdlms.ConfirmedServiceError // the initiate error, in the AARE or instead of it; nil: none
	// Context is the application context that the refusal names, if it is not the one that was asked for; else ContextUnknown.
	Context acse.Context
	// OtherReferencing says that the meter has accepted short names where logical names were asked for, or the reverse.
	OtherReferencing bool
	// Unproven says that one side did not accept the other's answer to its challenge (high-level security).
	Unproven bool
	Err      error // why an answer that is not a refusing AARE was taken for a refusal; nil: Result and Diagnostic tell
}

func (e *RejectError) Error() string {
	var b strings.Builder
	b.WriteString("association refused: ")
	switch {
	case e.Err != nil:
		b.WriteString(e.Err.Error())
	case e.Result == acse.Accepted && e.ServiceError != nil:
		b.WriteString(e.ServiceError.String())
		return b.String()
	default:
		fmt.Fprintf(&b, "%s (result %d): %s", e.Result, uint8(e.Result), e.Diagnostic)
	}
	if e.ServiceError != nil {
		fmt.Fprintf(&b, "; %s", e.ServiceError)
	}
	return b.String()
}

// Unwrap returns Err.
func (e *RejectError) Unwrap() error { return e.Err }

// An AccessError is the data-access-result that the meter gave in place of a
// value (clause 9.5, Data-Access-Result).
type AccessError struct {
	Attribute cosem.Attribute
	Result    xdlms.DataAccessResult
	// Unlisted says that nothing was asked: in short-name referencing, an object that the meter does not list has no name.
	Unlisted bool
}

func (e *AccessError) Error() string {
	if e.Unlisted {
		return fmt.Sprintf("%s: not in the meter's object list", e.Attribute)
	}
	return fmt.Sprintf("%s: %s (data-access-result %d)", e.Attribute, e.Result, uint8(e.Result))
}

// An ExceptionError is an exception-response, which the meter sent in place of
// an answer (clause 9.4.1.5).
type ExceptionError struct {
	Op       string
	Response xdlms.ExceptionResponse
}

func (e *ExceptionError) Error() string {
	s := fmt.Sprintf("%s: exception-response: %s", e.Op, e.Response)
	if e.lost() && e.Op != opAssociate {
		s += ": the meter has no association with us any more"
	}
	return s
}

// lost reports whether the exception means that the meter does not know the
// association: service-not-allowed with operation-not-possible or
// service-not-supported is what meters answer to a request outside of one.
func (e *ExceptionError) lost() bool {
	return e.Response.State == xdlms.ServiceNotAllowed &&
		(e.Response.Service == xdlms.OperationNotPossible || e.Response.Service == xdlms.ServiceNotSupported)
}

// A ServiceError is a confirmedServiceError, which the meter sent in place of
// an answer.
type ServiceError struct {
	Op       string
	Response xdlms.ConfirmedServiceError
}

func (e *ServiceError) Error() string {
	return fmt.Sprintf("%s: confirmedServiceError: %s", e.Op, e.Response)
}

// A RequestSizeError says that a request was not sent, since the meter does not
// take one so long. The association goes on.
type RequestSizeError struct {
	Op     string
	Octets int  // of the request
	Limit  int  // what the meter takes
	Frame  bool // in a frame; else in a PDU
}

func (e *RequestSizeError) Error() string {
	if e.Frame {
		return fmt.Sprintf("%s: the request has %d octets, a frame to the meter has room for %d", e.Op, e.Octets, e.Limit)
	}
	return fmt.Sprintf("%s: the request has %d octets, the meter takes PDUs of at most %d", e.Op, e.Octets, e.Limit)
}

// A DisconnectedError says that the HDLC link is not there (any more): the
// meter answered with a DM or FRMR, or the link had been ended before. The
// association is gone with it; a new one begins with [Conn.Associate].
type DisconnectedError struct {
	Op   string // what was sent
	Mode string // "DM", "FRMR", or "" if the link was not open when the call was made
	Info []byte // information field of an FRMR
}

func (e *DisconnectedError) Error() string {
	switch e.Mode {
	case "":
		return e.Op + ": the link is closed"
	case "FRMR":
		if r, ok := hdlc.ParseReject(e.Info); ok {
			return fmt.Sprintf("%s: the meter rejected the frame (FRMR %X: %s): the link is gone", e.Op, e.Info, r)
		}
		return e.Op + ": the meter rejected the frame (FRMR): the link is gone"
	case "DM":
		if e.Op == "SNRM" {
			return "SNRM: the meter refuses the link (DM): it may be busy with another client, or hold an old session"
		}
	default:
	}
	return fmt.Sprintf("%s: the meter is disconnected (%s): the link is gone", e.Op, e.Mode)
}

// A FramingError says that what came is not of the framing that was configured.
type FramingError struct {
	Want  Framing
	Seen  string // "an HDLC frame", "a wrapper header", "text", "neither wrapper nor HDLC"
	First []byte // the first octets, at most 32
}

func (e *FramingError) Error() string {
	if e.Seen == seenText {
		return fmt.Sprintf("expected %s, saw text: %q", e.Want, e.First)
	}
	return fmt.Sprintf("expected %s, saw %s: %X", e.Want, e.Seen, e.First)
}

// A ProtocolError says that an answer breaks the protocol's rules or our caps,
// or that a request would.
type ProtocolError struct {
	Op  string // what was asked; "" if it does not matter
	Msg string // what was seen and what was expected
	Err error  // the parser's error; may be nil
}

func (e *ProtocolError) Error() string {
	var b strings.Builder
	if e.Op != "" {
		b.WriteString(e.Op)
		b.WriteString(": ")
	}
	b.WriteString(e.Msg)
	if e.Err != nil {
		if e.Msg != "" {
			b.WriteString(": ")
		}
		b.WriteString(e.Err.Error())
	}
	return b.String()
}

// Unwrap returns Err.
func (e *ProtocolError) Unwrap() error { return e.Err }

func octets(n int) string { return plural(n, "octet") }

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
