package xdlms

// DataAccessResult is Data-Access-Result: why one attribute could not be read (Green Book Ed. 9, 9.5).
type DataAccessResult uint8

// The data access results.
const (
	Success                 DataAccessResult = 0
	HardwareFault           DataAccessResult = 1
	TemporaryFailure        DataAccessResult = 2
	ReadWriteDenied         DataAccessResult = 3
	ObjectUndefined         DataAccessResult = 4
	ObjectClassInconsistent DataAccessResult = 9
	ObjectUnavailable       DataAccessResult = 11
	TypeUnmatched           DataAccessResult = 12
	ScopeOfAccessViolated   DataAccessResult = 13
	DataBlockUnavailable    DataAccessResult = 14
	LongGetAborted          DataAccessResult = 15
	NoLongGetInProgress     DataAccessResult = 16
	LongSetAborted          DataAccessResult = 17
	NoLongSetInProgress     DataAccessResult = 18
	DataBlockNumberInvalid  DataAccessResult = 19
	OtherReason             DataAccessResult = 250
)

var resultNames = [...]string{
	Success:                 "success",
	HardwareFault:           "hardware-fault",
	TemporaryFailure:        "temporary-failure",
	ReadWriteDenied:         "read-write-denied",
	ObjectUndefined:         "object-undefined",
	ObjectClassInconsistent: "object-class-inconsistent",
	ObjectUnavailable:       "object-unavailable",
	TypeUnmatched:           "type-unmatched",
	ScopeOfAccessViolated:   "scope-of-access-violated",
	DataBlockUnavailable:    "data-block-unavailable",
	LongGetAborted:          "long-get-aborted",
	NoLongGetInProgress:     "no-long-get-in-progress",
	LongSetAborted:          "long-set-aborted",
	NoLongSetInProgress:     "no-long-set-in-progress",
	DataBlockNumberInvalid:  "data-block-number-invalid",
	OtherReason:             "other-reason",
}

// String gives the standard's name: "object-undefined".
func (r DataAccessResult) String() string { return name(resultNames[:], uint8(r)) }
