package security

import (
	"crypto/elliptic"
	"fmt"
)

// KeyLengthOf returns how many octets a symmetric key of a suite has, the
// authentication key too: 0 for a suite that is not known.
func KeyLengthOf(suite uint8) int {
	switch suite {
	case 0, 1:
		return KeyLength
	case 2:
		return 32
	default:
		return 0
	}
}

// check tells what is wrong with the lengths of the keys. The error never holds
// octets of one.
func (k Keys) check() error {
	length := KeyLengthOf(k.Suite)
	if length == 0 {
		return fmt.Errorf("security suite %d is not known: 0, 1 and 2 are", k.Suite)
	}
	for _, c := range []struct {
		name     string
		key      []byte
		optional bool
	}{{"encryption key", k.EncryptionKey, false}, {"authentication key", k.AuthenticationKey, true}} {
		if n := len(c.key); n != length && (n > 0 || !c.optional) {
			return fmt.Errorf("%s of %d octets: suite %d has keys of %d%s", c.name, n, k.Suite, length, suitesWith(n))
		}
	}
	return nil
}

// suitesWith names the suites whose keys have a length, for the end of a message.
func suitesWith(length int) string {
	switch length {
	case KeyLengthOf(0):
		return ", suites 0 and 1 have such keys"
	case KeyLengthOf(2):
		return ", suite 2 has such keys"
	default:
		return ""
	}
}

// opens tells why a suite that a sender names cannot be opened, nil if it can.
// Meters name suite 1 and use the keys of suite 0, so those two are one here.
func (c *Context) opens(control Control) error {
	named := control.Suite()
	want := KeyLengthOf(named)
	switch {
	case want == 0:
		return &Error{Unsupported, control, fmt.Sprintf("security suite %d is not supported", named)}
	case want != KeyLengthOf(c.suite):
		return &Error{Unsupported, control, fmt.Sprintf("security suite %d is not supported by these keys: they are of suite %d and have %d octets, suite %d needs keys of %d",
			named, c.suite, KeyLengthOf(c.suite), named, want)}
	default:
		return nil
	}
}

// curveOf returns the curve of a suite, and how many octets a coordinate has.
func curveOf(suite uint8) (curve elliptic.Curve, size int, err error) {
	switch suite {
	case 1:
		return elliptic.P256(), 32, nil
	case 2:
		return elliptic.P384(), 48, nil
	default:
		return nil, 0, fmt.Errorf("security suite %d has no public keys: suite 1 has P-256, suite 2 has P-384", suite)
	}
}
