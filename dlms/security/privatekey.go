package security

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"errors"
	"fmt"
)

// PrivateKey signs, or agrees on keys, on the curve of suite 1 (P-256) or 2
// (P-384). No verb of fmt shows it.
type PrivateKey struct {
	suite uint8
	key   *ecdsa.PrivateKey
	agree *ecdh.PrivateKey
	own   *PublicKey
}

// GeneratePrivateKey makes a private key, for one agreement as a rule.
func GeneratePrivateKey(suite uint8) (*PrivateKey, error) {
	curve, _, err := curveOf(suite)
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generating a private key of suite %d: %w", suite, err)
	}
	return newPrivateKey(suite, key)
}

// ParsePrivateKey reads a private key of suite 1 or 2: PEM or DER, PKCS #8
// ("PRIVATE KEY") or SEC 1 ("EC PRIVATE KEY"), or the bare number of 32 (suite
// 1) or 48 octets (suite 2), most significant first. Encrypted PEM is refused.
// The error never holds octets of the key.
func ParsePrivateKey(suite uint8, b []byte) (*PrivateKey, error) {
	curve, size, err := curveOf(suite)
	if err != nil {
		return nil, err
	}
	der := b
	switch {
	case isPEM(b):
		if der, _, _, err = cutPEM(b, "PRIVATE KEY", "EC PRIVATE KEY"); err != nil {
			return nil, fmt.Errorf("private key: %w", err)
		}
	case len(b) == size:
		key, err := ecdsa.ParseRawPrivateKey(curve, b)
		if err != nil { // what it says is not passed on
			return nil, fmt.Errorf("private key: the number of %d octets is not one of %s: it is 0 or too large", size, curve.Params().Name)
		}
		return newPrivateKey(suite, key)
	default:
	}
	key, err := parsePrivateDER(der)
	if err != nil {
		return nil, err
	}
	if key.Curve != curve {
		return nil, fmt.Errorf("private key: it is on %s, suite %d has %s", key.Curve.Params().Name, suite, curve.Params().Name)
	}
	return newPrivateKey(suite, key)
}

func parsePrivateDER(der []byte) (*ecdsa.PrivateKey, error) {
	if key, err := x509.ParseECPrivateKey(der); err == nil {
		return key, nil
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil { // what it says is not passed on
		return nil, fmt.Errorf("private key: %d octets are no private key: PEM, DER (PKCS #8 or SEC 1), or a bare number of 32 octets (suite 1) or 48 (suite 2) is expected", len(der))
	}
	ec, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return nil, errors.New("private key: it is not for elliptic curves of DLMS: P-256 (suite 1) or P-384 (suite 2) is expected")
	}
	return ec, nil
}

func newPrivateKey(suite uint8, key *ecdsa.PrivateKey) (*PrivateKey, error) {
	agree, err := key.ECDH()
	if err != nil {
		return nil, errors.New("private key: it does not fit its curve")
	}
	own, err := newPublicKey(suite, &key.PublicKey)
	if err != nil {
		return nil, err
	}
	return &PrivateKey{suite: suite, key: key, agree: agree, own: own}, nil
}

// String hides the key.
func (PrivateKey) String() string { return "***" }

// GoString hides the key.
func (PrivateKey) GoString() string { return "***" }

// Suite is 1 or 2.
func (k *PrivateKey) Suite() uint8 { return k.suite }

// Public returns the public key that belongs to it.
func (k *PrivateKey) Public() *PublicKey { return k.own }

// Sign signs a message: ECDSA with SHA-256 (suite 1) or SHA-384 (suite 2). The
// signature is r || s, 64 or 96 octets, raw as DLMS sends it (Green Book
// Ed. 9, clause 9.2.3.4).
func (k *PrivateKey) Sign(message []byte) ([]byte, error) {
	r, s, err := ecdsa.Sign(rand.Reader, k.key, digest(k.suite, message))
	if err != nil {
		return nil, errors.New("signing failed")
	}
	size := k.own.size
	signature := make([]byte, 2*size)
	r.FillBytes(signature[:size])
	s.FillBytes(signature[size:])
	return signature, nil
}

// Agree returns the secret Z that both sides have in common, 32 (suite 1) or 48
// octets (suite 2): the x coordinate of the product of our private and their
// public key. It is what [DeriveKey] takes, not a key.
func (k *PrivateKey) Agree(other *PublicKey) ([]byte, error) {
	if other.suite != k.suite {
		return nil, fmt.Errorf("key agreement: our key is of suite %d, the other of suite %d", k.suite, other.suite)
	}
	z, err := k.agree.ECDH(other.agree)
	if err != nil {
		return nil, errors.New("key agreement: the keys have no secret in common")
	}
	return z, nil
}

// digest is the hash of a message that a signature of a suite covers.
func digest(suite uint8, message []byte) []byte {
	if suite == 2 {
		sum := sha512.Sum384(message)
		return sum[:]
	}
	sum := sha256.Sum256(message)
	return sum[:]
}
