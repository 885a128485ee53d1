package xdlms

import (
	"math/bits"
	"strings"
)

// Conformance is the conformance block: the services that a client proposes and a server grants (Green Book Ed. 9,
// 9.4.6.1, The conformance block). It has 24 bits; bit 0 of the standard is 800000h here, bit 23 is 000001h.
// A service whose bit is not granted must not be used.
type Conformance uint32

// The bits of the conformance block. Bits 0 and 7 are reserved.
const (
	ConformanceGeneralProtection           Conformance = 0x400000
	ConformanceGeneralBlockTransfer        Conformance = 0x200000
	ConformanceRead                        Conformance = 0x100000
	ConformanceWrite                       Conformance = 0x080000
	ConformanceUnconfirmedWrite            Conformance = 0x040000
	ConformanceDeltaValueEncoding          Conformance = 0x020000
	ConformanceAttribute0SupportedWithSet  Conformance = 0x008000
	ConformancePriorityMgmt                Conformance = 0x004000
	ConformanceAttribute0SupportedWithGet  Conformance = 0x002000
	ConformanceBlockTransferWithGetOrRead  Conformance = 0x001000
	ConformanceBlockTransferWithSetOrWrite Conformance = 0x000800
	ConformanceBlockTransferWithAction     Conformance = 0x000400
	ConformanceMultipleReferences          Conformance = 0x000200
	ConformanceInformationReport           Conformance = 0x000100
	ConformanceDataNotification            Conformance = 0x000080
	ConformanceAccess                      Conformance = 0x000040
	ConformanceParameterizedAccess         Conformance = 0x000020
	ConformanceGet                         Conformance = 0x000010
	ConformanceSet                         Conformance = 0x000008
	ConformanceSelectiveAccess             Conformance = 0x000004
	ConformanceEventNotification           Conformance = 0x000002
	ConformanceAction                      Conformance = 0x000001
	conformanceMask                        Conformance = 0xFFFFFF
)

// conformanceNames is indexed by the standard's bit number.
var conformanceNames = [24]string{
	"reserved-zero",
	"general-protection",
	"general-block-transfer",
	"read",
	"write",
	"unconfirmed-write",
	"delta-value-encoding",
	"reserved-seven",
	"attribute0-supported-with-set",
	"priority-mgmt-supported",
	"attribute0-supported-with-get",
	"block-transfer-with-get-or-read",
	"block-transfer-with-set-or-write",
	"block-transfer-with-action",
	"multiple-references",
	"information-report",
	"data-notification",
	"access",
	"parameterized-access",
	"get",
	"set",
	"selective-access",
	"event-notification",
	"action",
}

// Has reports whether all bits of c2 are set in c.
func (c Conformance) Has(c2 Conformance) bool { return c&c2 == c2 }

// String lists the names of the bits that are set, in the standard's order: "multiple-references, get"; "none" for none.
func (c Conformance) String() string {
	c &= conformanceMask
	if c == 0 {
		return "none"
	}
	var s strings.Builder
	for c != 0 {
		bit := bits.LeadingZeros32(uint32(c)) - 8
		if s.Len() > 0 {
			s.WriteString(", ")
		}
		s.WriteString(conformanceNames[bit])
		c &^= 1 << (23 - bit)
	}
	return s.String()
}

// appendTo writes the block as it stands inside an initiate APDU: [APPLICATION 31], a bit string in BER, with the
// identifier in its two octets.
func (c Conformance) appendTo(b []byte) []byte {
	return append(b, 0x5F, 0x1F, 4, 0, uint8(c>>16), uint8(c>>8), uint8(c))
}

// conformance reads the block. Meters of the older HDLC profile write the identifier in one octet, 5F instead of 5F 1F.
func (r *reader) conformance() Conformance {
	const what = "conformance block"
	at := r.size - len(r.b)
	if tag := r.u8(what); r.err == nil && tag != 0x5F {
		r.failAt(at, what+": identifier is not 5F 1F", nil)
	}
	n := r.u8(what)
	if n == 0x1F {
		n = r.u8(what)
	}
	unused := r.u8(what)
	if r.err == nil && (n != 4 || unused != 0) {
		r.failAt(at, what+": not a bit string of 24 bits", nil)
	}
	c := r.octets(3, what)
	if c == nil {
		return 0
	}
	return Conformance(c[0])<<16 | Conformance(c[1])<<8 | Conformance(c[2])
}
