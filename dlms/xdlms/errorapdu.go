package xdlms

import "fmt"

// ExceptionState is the state-error of an exception-response.
type ExceptionState uint8

// The state errors.
const (
	ServiceNotAllowed ExceptionState = 1
	ServiceUnknown    ExceptionState = 2
)

var exceptionStates = [...]string{
	ServiceNotAllowed: "service-not-allowed",
	ServiceUnknown:    "service-unknown",
}

// String gives the standard's name.
func (s ExceptionState) String() string { return name(exceptionStates[:], uint8(s)) }

// ExceptionService is the service-error of an exception-response.
type ExceptionService uint8

// The service errors.
const (
	OperationNotPossible   ExceptionService = 1
	ServiceNotSupported    ExceptionService = 2
	ServiceOtherReason     ExceptionService = 3
	PDUTooLong             ExceptionService = 4
	DecipheringError       ExceptionService = 5
	InvocationCounterError ExceptionService = 6
)

var exceptionServices = [...]string{
	OperationNotPossible:   "operation-not-possible",
	ServiceNotSupported:    "service-not-supported",
	ServiceOtherReason:     "other-reason",
	PDUTooLong:             "pdu-too-long",
	DecipheringError:       "deciphering-error",
	InvocationCounterError: "invocation-counter-error",
}

// String gives the standard's name.
func (s ExceptionService) String() string { return name(exceptionServices[:], uint8(s)) }

// ExceptionResponse is exception-response: the server could not process an APDU at all (Green Book Ed. 9, 9.5). It is
// never ciphered.
type ExceptionResponse struct {
	State   ExceptionState
	Service ExceptionService
	// InvocationCounter is the lowest counter that the server would accept. It is sent with InvocationCounterError, is
	// not authenticated, and is written when HasCounter is set.
	InvocationCounter uint32
	HasCounter        bool
}

// String gives names and numbers: "service-not-allowed, operation-not-possible (1/1)".
func (e ExceptionResponse) String() string {
	s := fmt.Sprintf("%s, %s (%d/%d)", e.State, e.Service, uint8(e.State), uint8(e.Service))
	if e.HasCounter {
		s += fmt.Sprintf(", invocation counter %d", e.InvocationCounter)
	}
	return s
}

// Append appends the encoded exception to b.
func (e ExceptionResponse) Append(b []byte) []byte {
	b = append(b, uint8(TagExceptionResponse), uint8(e.State), uint8(e.Service))
	if e.HasCounter {
		b = appendU32(b, e.InvocationCounter)
	}
	return b
}

// ParseExceptionResponse decodes an exception that fills b. A missing invocation counter is tolerated, so that the
// reason is not lost. The error is a *SyntaxError.
func ParseExceptionResponse(b []byte) (ExceptionResponse, error) {
	r := newReader(b, TagExceptionResponse)
	e := ExceptionResponse{
		State:   ExceptionState(r.u8("state-error")),
		Service: ExceptionService(r.u8("service-error")),
	}
	if e.Service == InvocationCounterError && len(r.b) > 0 {
		e.InvocationCounter = r.u32("invocation-counter-error")
		e.HasCounter = true
	}
	if err := r.end(); err != nil {
		return ExceptionResponse{}, err
	}
	return e, nil
}

// ServiceErrorChoice is the choice inside ConfirmedServiceError: which service failed.
type ServiceErrorChoice uint8

// The services of DLMS/COSEM that answer with a ConfirmedServiceError.
const (
	InitiateError ServiceErrorChoice = 1
	ReadError     ServiceErrorChoice = 5
	WriteError    ServiceErrorChoice = 6
)

var serviceErrorChoices = [...]string{
	InitiateError: "initiateError",
	ReadError:     "read",
	WriteError:    "write",
}

// String gives the standard's name.
func (s ServiceErrorChoice) String() string { return name(serviceErrorChoices[:], uint8(s)) }

// ErrorClass is the choice inside ServiceError: the kind of the code that follows.
type ErrorClass uint8

// The classes of service errors.
const (
	ClassApplicationReference ErrorClass = 0
	ClassHardwareResource     ErrorClass = 1
	ClassVDEState             ErrorClass = 2
	ClassService              ErrorClass = 3
	ClassDefinition           ErrorClass = 4
	ClassAccess               ErrorClass = 5
	ClassInitiate             ErrorClass = 6
	ClassLoadDataSet          ErrorClass = 7
	ClassTask                 ErrorClass = 9
)

var errorClasses = [...]string{
	ClassApplicationReference: "application-reference",
	ClassHardwareResource:     "hardware-resource",
	ClassVDEState:             "vde-state-error",
	ClassService:              "service",
	ClassDefinition:           "definition",
	ClassAccess:               "access",
	ClassInitiate:             "initiate",
	ClassLoadDataSet:          "load-data-set",
	ClassTask:                 "task",
}

// String gives the standard's name.
func (c ErrorClass) String() string { return name(errorClasses[:], uint8(c)) }

// Codes of ClassInitiate.
const (
	InitiateOther                   uint8 = 0
	InitiateDLMSVersionTooLow       uint8 = 1
	InitiateIncompatibleConformance uint8 = 2
	InitiatePDUSizeTooShort         uint8 = 3
	InitiateRefusedByTheVDEHandler  uint8 = 4
)

var errorCodes = [...][]string{
	ClassApplicationReference: {
		"other", "time-elapsed", "application-unreachable", "application-reference-invalid",
		"application-context-unsupported", "provider-communication-error", "deciphering-error",
	},
	ClassHardwareResource: {
		"other", "memory-unavailable", "processor-resource-unavailable", "mass-storage-unavailable",
		"other-resource-unavailable",
	},
	ClassVDEState:   {"other", "no-dlms-context", "loading-data-set", "status-nochange", "status-inoperable"},
	ClassService:    {"other", "pdu-size", "service-unsupported"},
	ClassDefinition: {"other", "object-undefined", "object-class-inconsistent", "object-attribute-inconsistent"},
	ClassAccess: {
		"other", "scope-of-access-violated", "object-access-invalid", "hardware-fault", "object-unavailable",
	},
	ClassInitiate: {
		"other", "dlms-version-too-low", "incompatible-conformance", "pdu-size-too-short", "refused-by-the-VDE-handler",
	},
	ClassLoadDataSet: {
		"other", "primitive-out-of-sequence", "not-loadable", "dataset-size-too-large", "not-awaited-segment",
		"interpretation-failure", "storage-failure", "data-set-not-ready",
	},
	ClassTask: {"other", "no-remote-control", "ti-stopped", "ti-running", "ti-unusable"},
}

// ConfirmedServiceError is ConfirmedServiceError: the server could not perform an initiate, read or write (Green Book
// Ed. 9, 9.5). A refusal of the initiate travels in the user-information of an AARE or alone.
type ConfirmedServiceError struct {
	Service ServiceErrorChoice
	Class   ErrorClass
	Code    uint8 // its meaning depends on Class; CodeName
}

// CodeName gives the standard's name of the code: "incompatible-conformance".
func (e ConfirmedServiceError) CodeName() string {
	if int(e.Class) >= len(errorCodes) {
		return name(nil, e.Code)
	}
	return name(errorCodes[e.Class], e.Code)
}

// String gives names and numbers: "initiateError: initiate, incompatible-conformance (1/6/2)".
func (e ConfirmedServiceError) String() string {
	return fmt.Sprintf("%s: %s, %s (%d/%d/%d)", e.Service, e.Class, e.CodeName(), uint8(e.Service), uint8(e.Class), e.Code)
}

// Append appends the encoded error to b.
func (e ConfirmedServiceError) Append(b []byte) []byte {
	return append(b, uint8(TagConfirmedServiceError), uint8(e.Service), uint8(e.Class), e.Code)
}

// ParseConfirmedServiceError decodes an error that fills b. The error is a *SyntaxError.
func ParseConfirmedServiceError(b []byte) (ConfirmedServiceError, error) {
	r := newReader(b, TagConfirmedServiceError)
	e := ConfirmedServiceError{
		Service: ServiceErrorChoice(r.u8("service")),
		Class:   ErrorClass(r.u8("class")),
		Code:    r.u8("code"),
	}
	if err := r.end(); err != nil {
		return ConfirmedServiceError{}, err
	}
	return e, nil
}
