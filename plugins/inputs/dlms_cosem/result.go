package dlms_cosem

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// result is how a run ended: the tag result and the field result_code.
type result uint8

const (
	resultSuccess  result = 0
	resultPartial  result = 1
	resultTimeout  result = 2
	resultConnect  result = 3
	resultRefused  result = 4
	resultAuth     result = 5
	resultDecrypt  result = 6
	resultAccess   result = 7
	resultProtocol result = 8
	resultBusy     result = 9
	resultBackoff  result = 10
)

var resultNames = [...]string{
	resultSuccess:  "success",
	resultPartial:  "partial",
	resultTimeout:  "timeout",
	resultConnect:  "connect",
	resultRefused:  "refused",
	resultAuth:     "auth",
	resultDecrypt:  "decrypt",
	resultAccess:   "access",
	resultProtocol: "protocol",
	resultBusy:     "busy",
	resultBackoff:  "backoff",
}

// String is the value of the tag result.
func (r result) String() string {
	if int(r) < len(resultNames) {
		return resultNames[r]
	}
	return fmt.Sprintf("unknown(%#02x)", uint8(r))
}

// connectError is a connection that could not be opened.
type connectError struct {
	endpoint string
	err      error
}

func (e *connectError) Error() string {
	return "cannot connect to " + e.endpoint + ": " + plainText(e.err)
}
func (e *connectError) Unwrap() error { return e.err }

// budgetError is a run that took longer than the request's timeout.
type budgetError struct {
	limit string
	stats dlms.Stats
	err   error
}

func (e *budgetError) Error() string {
	s := "the request took longer than timeout = " + e.limit + ": " + e.err.Error()
	if e.stats.FrameErrors > 0 {
		s += "; " + counted(e.stats.FrameErrors, "damaged frame") + " in the whole run"
	}
	if e.stats.Dropped > 0 {
		s += "; " + counted(e.stats.Dropped, "message") + " in the whole run answered other requests than ours"
	}
	return s
}
func (e *budgetError) Unwrap() error { return e.err }

// passwordError is a password, or a key, that cannot be read.
type passwordError struct {
	what string // the setting
	err  error
}

func (e *passwordError) Error() string { return e.what + ": " + e.err.Error() }
func (e *passwordError) Unwrap() error { return e.err }

// refusedLogin reports whether a refusal is about who we are: diagnostics 1, 11
// and 13, or 14 where no challenge can be answered. Such logins are not
// repeated soon, because meters lock.
func refusedLogin(err error) bool {
	var reject *dlms.RejectError
	if errors.As(err, &reject) && reject.Unproven {
		return true
	}
	if !errors.As(err, &reject) || reject.Diagnostic.Source != acse.ServiceUser {
		return false
	}
	var insecure *dlms.SecurityError
	if reject.Result == acse.Accepted && errors.As(reject.Err, &insecure) {
		return false // we refuse: it is not the meter's, or not as it has to be
	}
	switch reject.Diagnostic.Code {
	case 1, 11, 13, 14:
		return true
	default:
		return false
	}
}

// notUnderstood reports whether the answer to the login could not be read, so
// that it is not known to be a refusal.
func notUnderstood(e *dlms.RejectError) bool {
	var protocol *dlms.ProtocolError
	return errors.As(e.Err, &protocol) && (protocol.Err != nil || e.Diagnostic == acse.Diagnostic{})
}

// classify finds the result of a run that failed as a whole.
func classify(err error) result {
	var (
		connect      *connectError
		password     *passwordError
		reject       *dlms.RejectError
		disconnected *dlms.DisconnectedError
		framing      *dlms.FramingError
		exception    *dlms.ExceptionError
		service      *dlms.ServiceError
		access       *dlms.AccessError
		timeout      *dlms.TimeoutError
		protocol     *dlms.ProtocolError
		insecure     *dlms.SecurityError
		withheld     *withheldError
	)
	switch {
	case errors.As(err, &withheld):
		return resultAuth
	case errors.As(err, &connect):
		return resultConnect
	case errors.As(err, &insecure) && !refusedLogin(err):
		return resultDecrypt
	case errors.As(err, &password):
		return resultAuth
	case errors.As(err, &reject) && errors.As(reject.Err, &exception) && exception.Response.Service == xdlms.DecipheringError:
		return resultDecrypt
	case errors.As(err, &reject):
		switch {
		case refusedLogin(err):
			return resultAuth
		case notUnderstood(reject):
			return resultProtocol
		default:
			return resultRefused
		}
	case errors.As(err, &disconnected):
		if disconnected.Mode == "DM" {
			return resultBusy
		}
		return resultProtocol
	case errors.As(err, &framing), errors.As(err, &protocol):
		return resultProtocol
	case errors.As(err, &exception), errors.As(err, &service):
		return resultRefused
	case errors.As(err, &access):
		return resultAccess
	case errors.As(err, &timeout), errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return resultTimeout
	case connectionLost(err):
		return resultConnect
	default:
		return resultProtocol
	}
}

// connectionLost reports whether the connection itself is gone.
func connectionLost(err error) bool {
	var op *net.OpError
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe) || errors.Is(err, net.ErrClosed) || errors.As(err, &op)
}

// plainText leaves out the address, which is said already.
func plainText(err error) string {
	var op *net.OpError
	if errors.As(err, &op) && op.Err != nil {
		return op.Err.Error()
	}
	return err.Error()
}
