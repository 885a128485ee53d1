// Package telegram makes what simulated meters push in the proofs and
// measurements: values that a number tells, in some of the layouts, framings
// and protections that real meters use.
package telegram

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"encoding/hex"
	"strings"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/hdlc"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/mbus"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/wrapper"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// Value is a register of a telegram.
type Value struct {
	OBIS   [6]byte
	Raw    uint32
	Scaler int8
	Unit   uint8
	Symbol string  // of the unit
	Number float64 // the raw value with its scaler
}

// Registers are the values of telegram n. The first of them is n itself, of
// which the others can be told.
func Registers(n uint32) []Value {
	power, volt := 100+n*7%4900, 2250+n%100
	return []Value{
		{OBIS: [6]byte{1, 0, 1, 8, 0, 255}, Raw: n, Unit: 30, Symbol: "Wh", Number: float64(n)},
		{OBIS: [6]byte{1, 0, 1, 7, 0, 255}, Raw: power, Unit: 27, Symbol: "W", Number: float64(power)},
		{OBIS: [6]byte{1, 0, 32, 7, 0, 255}, Raw: volt, Scaler: -1, Unit: 35, Symbol: "V", Number: float64(volt) / 10},
	}
}

// Layout is how the body of a push is arranged.
type Layout int

// Layouts.
const (
	Pairs   Layout = iota // code, value, scaler and unit one after the other
	Records               // a structure of these for each value
	Objects               // a push object list, then the values and their scalers and units
)

// deviceName is the code of the logical device name.
var deviceName = [6]byte{0, 0, 42, 0, 0, 255}

// Body appends the body of a push with the logical device name and values.
func Body(b []byte, layout Layout, device string, values []Value) []byte {
	switch layout {
	case Records:
		b = axdr.AppendArray(b, 1+len(values))
		b = axdr.AppendStructure(b, 2)
		b = axdr.AppendOctetString(b, deviceName[:])
		b = axdr.AppendVisibleString(b, device)
		for i := range values {
			v := &values[i]
			b = axdr.AppendStructure(b, 3)
			b = axdr.AppendOctetString(b, v.OBIS[:])
			b = axdr.AppendDoubleLongUnsigned(b, v.Raw)
			b = appendUnit(b, v)
		}
	case Objects:
		b = axdr.AppendStructure(b, 2+2*len(values))
		b = axdr.AppendArray(b, 2+2*len(values)) // it names itself first
		b = appendObject(b, 40, [6]byte{0, 7, 25, 9, 0, 255}, 2)
		b = appendObject(b, 1, deviceName, 2)
		for i := range values {
			b = appendObject(b, 3, values[i].OBIS, 2)
			b = appendObject(b, 3, values[i].OBIS, 3)
		}
		b = axdr.AppendOctetString(b, []byte(device))
		for i := range values {
			b = axdr.AppendDoubleLongUnsigned(b, values[i].Raw)
			b = appendUnit(b, &values[i])
		}
	default:
		b = axdr.AppendStructure(b, 2+3*len(values))
		b = axdr.AppendOctetString(b, deviceName[:])
		b = axdr.AppendOctetString(b, []byte(device))
		for i := range values {
			v := &values[i]
			b = axdr.AppendOctetString(b, v.OBIS[:])
			b = axdr.AppendDoubleLongUnsigned(b, v.Raw)
			b = appendUnit(b, v)
		}
	}
	return b
}

func appendUnit(b []byte, v *Value) []byte {
	return axdr.AppendEnum(axdr.AppendInteger(axdr.AppendStructure(b, 2), v.Scaler), v.Unit)
}

func appendObject(b []byte, class uint16, code [6]byte, attribute int8) []byte {
	b = axdr.AppendStructure(b, 4)
	b = axdr.AppendLongUnsigned(b, class)
	b = axdr.AppendOctetString(b, code[:])
	b = axdr.AppendInteger(b, attribute)
	return axdr.AppendLongUnsigned(b, 0)
}

// Notification is data-notification n with the body.
func Notification(n uint32, body []byte) ([]byte, error) {
	d := xdlms.DataNotification{InvokeID: xdlms.LongInvokeID(n & 0xFFFFFF), Body: body}
	return d.Append(nil)
}

// Keys are the system title and the keys of a meter.
type Keys struct {
	Title          [security.TitleLength]byte
	Encryption     [security.KeyLength]byte
	Authentication [security.KeyLength]byte
}

// KeysOf makes the keys of a simulated meter of its number.
func KeysOf(meter uint32) (k Keys) {
	copy(k.Title[:], "SIM")
	binary.BigEndian.PutUint32(k.Title[4:], meter)
	for i := range k.Encryption {
		k.Encryption[i] = byte(meter>>(i%4*8)) ^ byte(17*i)
		k.Authentication[i] = byte(meter>>(i%4*8)) ^ byte(0xD0+i)
	}
	return k
}

// Hex is the text of a title or key in configurations and tags.
func Hex(b []byte) string { return strings.ToUpper(hex.EncodeToString(b)) }

// A Cipher protects the APDUs of a meter with general-glo-ciphering.
type Cipher struct {
	keys Keys
	aead cipher.AEAD
}

// NewCipher makes one.
func NewCipher(k Keys) (*Cipher, error) {
	block, err := aes.NewCipher(k.Encryption[:])
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithTagSize(block, security.TagLength)
	return &Cipher{keys: k, aead: aead}, err
}

// Protect encrypts and authenticates an APDU under an invocation counter.
func (c *Cipher) Protect(apdu []byte, counter uint32) []byte {
	const control = byte(security.Authenticated | security.Encrypted)
	header := binary.BigEndian.AppendUint32([]byte{control}, counter)
	iv := append(append([]byte(nil), c.keys.Title[:]...), header[1:]...)
	aad := append([]byte{control}, c.keys.Authentication[:]...)
	p := xdlms.Ciphered{Tag: xdlms.TagGeneralGloCiphering, Title: c.keys.Title[:], Protected: c.aead.Seal(header, iv, apdu, aad)}
	return p.Append(nil)
}

// Ports of the wrapper: of the meter, and of what it pushes to.
const (
	source      = 1
	destination = 103
)

// Wrapped is the APDU behind a wrapper.
func Wrapped(apdu []byte) ([]byte, error) { return wrapper.Append(nil, source, destination, apdu) }

// Segmented is the APDU in HDLC frames with so many octets of it each.
func Segmented(apdu []byte, size int) (b []byte, err error) {
	rest := append([]byte{0xE6, 0xE7, 0x00}, apdu...)
	for len(rest) > 0 && err == nil {
		part := rest[:min(size, len(rest))]
		rest = rest[len(part):]
		b, err = hdlc.Frame{
			Destination: hdlc.ClientAddress(destination), Source: hdlc.Address{Upper: source, Lower: 17, Size: 2},
			Segmented: len(rest) > 0, Control: hdlc.Unnumbered(hdlc.UI, len(rest) == 0), Info: part,
		}.Append(b)
	}
	return b, err
}

// Fragmented is the APDU in long frames of M-Bus with so many octets of it each.
func Fragmented(apdu []byte, size int) (b []byte) {
	const last = 0x10 // of the CI field, whose low half-octet is the number
	for ci := byte(0); len(apdu) > 0; ci++ {
		part := apdu[:min(size, len(apdu))]
		if apdu = apdu[len(part):]; len(apdu) == 0 {
			ci |= last
		}
		b = mbus.Frame{Control: 0x53, Address: 0xFF, CI: ci, Data: append([]byte{source, destination}, part...)}.Append(b)
	}
	return b
}
