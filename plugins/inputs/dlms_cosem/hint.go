package dlms_cosem

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/rfc2217"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/serial"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// Hint says in plain words what to do about an error; "" if there is nothing
// to add to it.
func Hint(err error) string {
	var (
		connect      *connectError
		password     *passwordError
		scaler       *scalerError
		class        *classError
		access       *dlms.AccessError
		reject       *dlms.RejectError
		framing      *dlms.FramingError
		disconnected *dlms.DisconnectedError
		mode         *dlms.ModeError
		exception    *dlms.ExceptionError
		service      *dlms.ServiceError
		budget       *budgetError
		timeout      *dlms.TimeoutError
		protocol     *dlms.ProtocolError
		gateway      *dlms.GatewayError
	)
	switch heard := heardHint(err); {
	case err == nil:
		return ""
	case heard != "":
		return heard
	case errors.As(err, &connect):
		return connectHint(connect)
	case errors.As(err, &gateway):
		return "check gateway_network and gateway_device, and that the gateway knows the gateway protocol; for a meter that is reached directly remove both keys"
	case errors.As(err, &password):
		return "no login is tried without it; the next run reads it again"
	case errors.As(err, &scaler):
		return scalerHint(scaler)
	case errors.As(err, &class):
		return classHint(class)
	case errors.As(err, &access):
		if access.Unlisted {
			return "the meter does not have this object, or " + seesLittle
		}
		return accessHint(access.Result)
	case errors.As(err, &reject):
		return rejectHint(reject)
	case errors.As(err, &framing):
		return framingHint(framing)
	case errors.As(err, &mode):
		return modeHint(mode)
	case errors.As(err, &disconnected):
		return disconnectedHint(disconnected)
	case errors.As(err, &exception):
		return exceptionHint(exception)
	case errors.As(err, &service):
		return "the meter does not take this request: leave the item out, or try another client_address"
	case errors.Is(err, errNoValue):
		return "it may have one later; if it never does, leave the item out"
	case errors.As(err, &budget):
		if budget.stats.Dropped > 0 {
			return "see that no other client uses the line, and raise reply_timeout if the meter is slow"
		}
		return "raise timeout, or read fewer items per request"
	case errors.As(err, &timeout):
		return timeoutHint(timeout)
	case errors.As(err, &protocol):
		return brokenRules
	case errors.Is(err, serial.ErrGone):
		return "plug it in again: the next run opens it"
	case errors.Is(err, io.EOF):
		return "many meters take one client at a time, or close on a wrong framing or logical_address; is another client connected?"
	case refusedPort(err) && overUDP(err):
		return "nothing listens on this UDP port: check host and port, and whether the meter speaks TCP"
	case connectionLost(err):
		return "check the network, and whether another client took the meter"
	default:
		return ""
	}
}

// ProbeHint is Hint for an error of package dlms, or of a connection that could
// not be opened, outside of a request.
func ProbeHint(err error) string {
	var op *net.OpError
	var port *serial.OpenError
	if errors.As(err, &port) || errors.As(err, &op) && op.Op == "dial" {
		return connectHint(&connectError{err: err})
	}
	return Hint(err)
}

func connectHint(e *connectError) string {
	var dns *net.DNSError
	var port *serial.OpenError
	var refused *rfc2217.RefusedError
	var unconfirmed *rfc2217.UnconfirmedError
	switch {
	case errors.As(e.err, &port):
		return portHint(port.Kind)
	case errors.As(e.err, &refused):
		return "check baud_rate, parity and stop_bits, and whether the serial server lets clients change them"
	case errors.As(e.err, &unconfirmed):
		return "is the port of the serial server in use, or taken by another client? else use tcp:// and set the line there"
	case errors.Is(e.err, rfc2217.ErrNoControl):
		return "turn RFC 2217 (or: Telnet with COM port control) on in the serial server, or use tcp:// and set the line there"
	case errors.As(e.err, &dns):
		return "the host name is not known: check endpoint, or give the IP address"
	case refusedPort(e.err):
		return "the host is there but nothing listens on this port: check the port (4059 is usual for the wrapper), and whether another client holds the meter's only connection"
	case errors.Is(e.err, syscall.EHOSTUNREACH), errors.Is(e.err, syscall.ENETUNREACH):
		return "there is no way to this host: check the address and the route"
	case isTimeout(e.err):
		return "the host does not answer: check the address, the power, and firewalls in between"
	default:
		return ""
	}
}

func portHint(k serial.OpenKind) string {
	switch k {
	case serial.OpenMissing:
		return "is the adapter plugged in? ls -l /dev/serial/by-id shows the ports and names that stay the same"
	case serial.OpenBusy:
		return "end the other program: a port has one user at a time"
	case serial.OpenPermission:
		return "add the user of this program to the group of the port, as a rule dialout, and start it again"
	case serial.OpenNoPort:
		return "check endpoint: a serial port is expected, like /dev/ttyUSB0"
	case serial.OpenMode:
		return "check baud_rate, parity and stop_bits: this adapter does not have them"
	case serial.OpenDescriptors:
		return "run serial meters and thousands of network meters in programs of their own"
	default:
		return ""
	}
}

// refusedPort reports whether the host says that nothing listens: the second
// number is that of Windows.
func refusedPort(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.Errno(10061))
}

func overUDP(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && strings.HasPrefix(op.Net, "udp")
}

func isTimeout(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}

func scalerHint(e *scalerError) string {
	switch {
	case !forGood(e.err) && classify(e.err) != resultProtocol:
		return "the value is held back until both are known"
	case e.hasScaler:
		return "set unit for this item"
	default:
		return "set scaler and unit for this item"
	}
}

func classHint(e *classError) string {
	s := "set class for this item"
	if e.first.Result == xdlms.ReadWriteDenied || e.first.Result == xdlms.ObjectUndefined {
		s += "; if the meter has the object, " + seesLittle
	}
	return s
}

const brokenRules = "the meter's answer breaks the rules of DLMS/COSEM; if it stays so, leave the item out, or ask the maker"

const seesLittle = "this client may not see it (the public client 16 sees little): try another client_address or authentication"

func accessHint(r xdlms.DataAccessResult) string {
	switch r {
	case xdlms.ReadWriteDenied, xdlms.ScopeOfAccessViolated:
		return seesLittle
	case xdlms.ObjectUndefined:
		return "the meter does not have this object, or " + seesLittle
	case xdlms.ObjectClassInconsistent, xdlms.TypeUnmatched:
		return "set class to what the object is in this meter"
	case xdlms.ObjectUnavailable:
		return "the object is there but not to be had, now or for this client"
	case xdlms.TemporaryFailure:
		return "the meter asks to try again later"
	case xdlms.HardwareFault:
		return "the meter reports a fault of its own"
	default:
		return ""
	}
}

// decipheringError is the code of an initiate error (application-reference) that Green Book Ed. 9 adds.
const decipheringError = 6

const otherReferencing = `set referencing to the other one: "sn" for short names, "ln" for logical names`

func rejectHint(e *dlms.RejectError) string {
	if e.OtherReferencing {
		return otherReferencing
	}
	var exception *dlms.ExceptionError
	if errors.As(e.Err, &exception) && unopened(exception) {
		return exceptionHint(exception)
	}
	if notUnderstood(e) {
		return "this is no answer to a login: check framing, client_address and logical_address; if it stays so, ask the maker of the meter"
	}
	if s := e.ServiceError; s != nil && s.Class == 6 && s.Code >= 1 && s.Code <= 3 {
		return "the meter does not agree to what was proposed: its documentation tells the DLMS version, services and PDU size it takes"
	}
	if s := e.ServiceError; s != nil && s.Class == xdlms.ClassApplicationReference && s.Code == decipheringError {
		return "the meter cannot open our message: check encryption_key, authentication_key and client_address, and invocation_counter if it is set; further attempts are slowed down because meters lock"
	}
	if e.Diagnostic.Source != acse.ServiceUser {
		return "check client_address and logical_address"
	}
	switch e.Diagnostic.Code {
	case acse.DiagnosticContextNotSupported:
		return "the meter wants another application context: " + otherReferencing + "; if it refuses both, it wants ciphered messages: set encryption_key and authentication_key, or use a client_address that reads in clear, usually 16"
	case 13:
		return "check password and client_address; further attempts are slowed down because meters lock after some wrong passwords"
	case 1:
		if e.Context == acse.LN || e.Context == acse.SN {
			return "the meter gives no reason, but its refusal names the context without ciphering: if that is what it wants, set security = \"none\"; other usual reasons are a wrong password or client_address; further attempts are slowed down because meters lock"
		}
		return "the meter gives no reason; usual ones are a wrong password or client_address; further attempts are slowed down because meters lock"
	case acse.DiagnosticMechanismNotRecognised:
		return "this client_address has another authentication in the meter: usual pairs are 16 with none, 32 with low and 1 with high-gmac; further attempts are slowed down because meters lock"
	case acse.DiagnosticMechanismRequired:
		return `this client_address needs a password: set authentication = "low" and password, or use client_address = 16`
	case 14:
		return "this client_address needs high-level security: set authentication (most often \"high-gmac\") and the keys, or use a client_address with none or low, usually 16 or 32; further attempts are slowed down because meters lock"
	default:
		return "check client_address and authentication"
	}
}

func framingHint(e *dlms.FramingError) string {
	switch {
	case e.Want == dlms.Wrapper && e.Seen == "an HDLC frame":
		return `the other side speaks HDLC: set framing = "hdlc"`
	case e.Want == dlms.HDLC && e.Seen == "a wrapper header":
		return `the other side speaks the wrapper: set framing = "wrapper"`
	case e.Seen == "text":
		return "this is no meter: check host and port"
	default:
		return "check framing, and the line settings of a serial server in between"
	}
}

func disconnectedHint(e *dlms.DisconnectedError) string {
	switch e.Mode {
	case "DM":
		return "end the other client, or wait until the meter forgets an old session (its inactivity time, often 2 minutes)"
	case "FRMR":
		return "the meter did not understand a frame: check address_size"
	default:
		return ""
	}
}

// unopened reports whether the meter could not, or would not, open a message.
func unopened(e *dlms.ExceptionError) bool {
	return e.Response.Service == xdlms.DecipheringError || e.Response.Service == xdlms.InvocationCounterError
}

func exceptionHint(e *dlms.ExceptionError) string {
	switch {
	case e.Response.Service == 4:
		return "the answer does not fit the meter's messages: read fewer or smaller items per request"
	case e.Response.Service == xdlms.DecipheringError:
		return "the meter wants ciphered messages from this client_address, or cannot open ours: check encryption_key, authentication_key and invocation_counter (with ciphering wrapped also master_key, with agreed-one-pass and agreed-static the keys for signing and agreement), or use a client_address that reads in clear, usually 16 or 32; further attempts are slowed down because meters lock"
	case unopened(e):
		return "the meter wants ciphered messages from this client_address, or cannot open ours: check encryption_key, authentication_key and invocation_counter, or use a client_address that reads in clear, usually 16 or 32"
	case e.Response.State == 1:
		return "another client may have taken our place; the next run logs in again"
	default:
		return "the meter does not support this service"
	}
}

func timeoutHint(e *dlms.TimeoutError) string {
	switch {
	case e.Echo:
		return "only our own message comes back, no meter answers: check the wiring behind the adapter (A and B swapped?), the meter's power, and physical_address"
	case e.NotReady:
		return "the meter is not ready: wait, or raise reply_timeout"
	case e.FrameErrors > 0:
		return "frames arrive damaged: check the line, its speed and parity at the serial server, and other masters on the bus"
	case bytes.HasPrefix(e.Noise, []byte{0, 1}), bytes.HasPrefix(e.Noise, []byte{0x7E, 0xA0}):
		return "an answer began but did not end: check the connection and the devices in between, or raise reply_timeout"
	case e.Op == "sign-on" && len(e.Noise) > 0:
		return "what arrives is no identification: check the speed and format of the line (software_7e1 where it has 8 bits only), and whether the meter speaks HDLC at once: protocol_mode = \"dlms\""
	case e.Op == "sign-on":
		return "nobody answers: check where the optical head sits and how it is powered (dtr, rts), iec_address, and whether the meter has to be woken (wakeup) or speaks HDLC at once: protocol_mode = \"dlms\""
	case len(e.Noise) > 0:
		return "what arrives is no frame: check framing, and speed and parity at the serial server"
	case e.Acknowledge:
		return "the meter took the request: raise reply_timeout if it is slow"
	case e.Received > 0 && e.Op != "SNRM" && e.Op != "AARQ":
		return "what arrives answers other requests: raise reply_timeout if the meter is slow, and see that no other client uses the line"
	case e.Received > 0:
		return "something answers, but not this meter: check physical_address, logical_address and address_size, or raise reply_timeout"
	case e.Op == "SNRM":
		return `nobody answers: check physical_address, logical_address and address_size, whether the meter speaks HDLC here (framing), and reply_timeout`
	case e.Op == "AARQ":
		return `nobody answers: check logical_address and client_address, whether the meter speaks this framing, and reply_timeout`
	default:
		return "the meter fell silent: raise reply_timeout if it is slow"
	}
}
