package security

import (
	"crypto/aes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
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
)

// Challenge is an authentication by a secret, seen from the side that answers.
type Challenge struct {
	Mechanism uint8
	Secret    []byte
	Received  []byte // the challenge to be answered
	Sent      []byte // our own, which MechanismSHA256 includes
	Own       []byte // our system title, for MechanismSHA256
	Other     []byte // that of the side that asks
}

// Answer computes the answer. It fails for mechanisms that it does not have.
func (c Challenge) Answer() ([]byte, error) {
	switch c.Mechanism {
	case MechanismManufacturer:
		return encryptBlocks(c.Secret, c.Received)
	case MechanismMD5:
		sum := md5.Sum(join(c.Received, c.Secret))
		return sum[:], nil
	case MechanismSHA1:
		sum := sha1.Sum(join(c.Received, c.Secret))
		return sum[:], nil
	case MechanismSHA256:
		sum := sha256.Sum256(join(c.Secret, c.Own, c.Other, c.Received, c.Sent))
		return sum[:], nil
	default:
		return nil, fmt.Errorf("mechanism %d does not answer with a secret", c.Mechanism)
	}
}

// Verify reports whether an answer of the other side is right. c is seen from
// that side.
func (c Challenge) Verify(answer []byte) bool {
	want, err := c.Answer()
	return err == nil && hmac.Equal(want, answer)
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
