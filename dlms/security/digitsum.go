package security

import (
	"errors"
	"fmt"
)

// addDigits answers a challenge that is text of hexadecimal digits, as meters of
// Landis+Gyr want it for their "high" security: the first digit of a numeric
// password is added to the first of the challenge, the second to the second, and
// so on, each sum modulo 16 and written in upper case. Digits of the challenge
// behind the last of the password stay as they are.
//
// That the digits are aligned at the left is the plain reading of what is known;
// no recorded login proves it.
func addDigits(password, challenge []byte) ([]byte, error) {
	switch {
	case len(password) == 0:
		return nil, errors.New("the digit sum needs a password of decimal digits: it has none")
	case len(password) > len(challenge):
		return nil, fmt.Errorf("the digit sum adds the password to the challenge: it has %d digits, the challenge only %d", len(password), len(challenge))
	}
	for i, c := range challenge {
		if _, ok := hexDigit(c); !ok {
			return nil, fmt.Errorf("character %d of the challenge is %02X, a hexadecimal digit is expected: the meter does not take digit sums", i+1, c)
		}
	}
	out := append([]byte(nil), challenge...)
	for i, c := range password {
		if c < '0' || c > '9' {
			return nil, fmt.Errorf("character %d of the password is no decimal digit: the digit sum needs a numeric one", i+1)
		}
		digit, _ := hexDigit(out[i])
		out[i] = "0123456789ABCDEF"[(digit+c-'0')%16]
	}
	return out, nil
}

// hexDigit is the value of a hexadecimal digit.
func hexDigit(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	default:
		return 0, false
	}
}
