package security

import (
	"crypto/aes"
	"crypto/hmac"
	"crypto/md5"  //nolint:gosec // mechanism 3 is made of it
	"crypto/sha1" //nolint:gosec // mechanism 4 is made of it
	"crypto/sha256"
	"errors"
	"fmt"
)

// Mechanisms of high-level security that answer with a secret (Green Book Ed. 9,
// clause 9.2.7.4). GMAC (5) has keys instead: see [Context.AppendGMAC].
const (
	MechanismManufacturer = 2 // AES-128 of the challenge under the secret, as most makers have it
	MechanismMD5          = 3
	MechanismSHA1         = 4
	MechanismGMAC         = 5
	MechanismSHA256       = 6
	MechanismECDSA        = 7 // a signature, of suites 1 and 2
)

// Challenge is an authentication by a secret or a signature, seen from the side
// that answers.
type Challenge struct {
	Mechanism uint8
	Secret    []byte // for all but MechanismECDSA
	Received  []byte // the challenge to be answered
	Sent      []byte // our own, which MechanismSHA256 and MechanismECDSA include
	Own       []byte // our system title, for the same two
	Other     []byte // that of the side that asks
	DigitSum  bool   // MechanismManufacturer is that of Landis+Gyr: digits are added up

	Private *PrivateKey // to answer MechanismECDSA
	Public  *PublicKey  // to verify an answer of it: the key of the side that answers
}

// Answer computes the answer: for MechanismECDSA the signature r || s. It fails
// for mechanisms that it does not have, for DigitSum where something else than
// digits is given, and without the key or the system titles that MechanismECDSA
// needs. The error holds no octets of the secret.
func (c Challenge) Answer() ([]byte, error) {
	switch c.Mechanism {
	case MechanismManufacturer:
		if c.DigitSum {
			return addDigits(c.Secret, c.Received)
		}
		return encryptBlocks(c.Secret, c.Received)
	case MechanismMD5:
		sum := md5.Sum(join(c.Received, c.Secret)) //nolint:gosec // as the standard has it
		return sum[:], nil
	case MechanismSHA1:
		sum := sha1.Sum(join(c.Received, c.Secret)) //nolint:gosec // as the standard has it
		return sum[:], nil
	case MechanismSHA256:
		sum := sha256.Sum256(join(c.Secret, c.Own, c.Other, c.Received, c.Sent))
		return sum[:], nil
	case MechanismECDSA:
		if c.Private == nil {
			return nil, errors.New("mechanism 7 answers with a signature: there is no private key to sign with")
		}
		message, err := c.signed()
		if err != nil {
			return nil, err
		}
		return c.Private.Sign(message)
	default:
		return nil, fmt.Errorf("mechanism %d does not answer with a secret", c.Mechanism)
	}
}

// Verify reports whether an answer of the other side is right. c is seen from
// that side. An answer of MechanismECDSA is verified with Public, all others are
// computed again.
func (c Challenge) Verify(answer []byte) bool {
	if c.Mechanism == MechanismECDSA {
		message, err := c.signed()
		return err == nil && c.Public != nil && c.Public.Verify(message, answer)
	}
	want, err := c.Answer()
	return err == nil && hmac.Equal(want, answer)
}

// signed is what an answer of MechanismECDSA signs.
func (c Challenge) signed() ([]byte, error) {
	for _, title := range [][]byte{c.Own, c.Other} {
		if len(title) != TitleLength {
			return nil, fmt.Errorf("mechanism 7 signs the system titles of both sides: one has %d octets, want %d", len(title), TitleLength)
		}
	}
	return join(c.Own, c.Other, c.Received, c.Sent), nil
}

func join(parts ...[]byte) (b []byte) {
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

// encryptBlocks encrypts a challenge, filled up with zeros to whole blocks, block
// by block, under a secret filled up or cut to the size of a key.
func encryptBlocks(secret, challenge []byte) ([]byte, error) {
	var key [KeyLength]byte
	copy(key[:], secret)
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, err
	}
	out := append([]byte(nil), challenge...)
	for len(out) == 0 || len(out)%aes.BlockSize != 0 {
		out = append(out, 0)
	}
	for i := 0; i < len(out); i += aes.BlockSize {
		block.Encrypt(out[i:i+aes.BlockSize], out[i:i+aes.BlockSize])
	}
	return out, nil
}
