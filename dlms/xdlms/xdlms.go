// Package xdlms encodes and decodes the xDLMS APDUs by which a client reads a server with logical names: initiate, GET
// with blocks and lists, and the two error APDUs (Green Book Ed. 9, 9.3 and 9.5: the xDLMS services and the abstract
// syntax of their APDUs).
//
// Encoding appends to a slice of the caller; decoding gives values whose octets are views into the input and live as
// long as it does. Decoding an answer does not allocate.
package xdlms

// Version is the DLMS version number that both sides propose and negotiate. An answer with a smaller one is to be refused.
const Version uint8 = 6

// The vaa-name of an InitiateResponse: the kind of referencing that the server granted.
const (
	VAANameLN uint16 = 0x0007 // logical names
	VAANameSN uint16 = 0xFA00 // short names: the base_name of the current association object
)

// InvokeID is Invoke-Id-And-Priority: the number that ties an answer to its request, with two flags. Bits 4 and 5 are
// reserved. Compare answers by ID only: some meters answer with other flags.
type InvokeID uint8

// The flags of an InvokeID.
const (
	InvokeConfirmed    InvokeID = 0x40 // service class: an answer is wanted
	InvokeHighPriority InvokeID = 0x80
)

// ID gives the number itself, 0..15.
func (i InvokeID) ID() uint8 { return uint8(i) & 0x0F }

// Confirmed reports the service class.
func (i InvokeID) Confirmed() bool { return i&InvokeConfirmed != 0 }

// HighPriority reports the priority.
func (i InvokeID) HighPriority() bool { return i&InvokeHighPriority != 0 }
