package security

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/x509"
	"fmt"
	"math/big"
)

// PublicKey verifies signatures, or is agreed with, on the curve of suite 1
// (P-256) or 2 (P-384).
type PublicKey struct {
	suite  uint8
	size   int // octets of a coordinate
	key    *ecdsa.PublicKey
	agree  *ecdh.PublicKey
	octets []byte // x || y
}

// ParsePublicKey reads a public key of suite 1 or 2: PEM ("PUBLIC KEY") or DER,
// a certificate in either form, or the point, x || y with or without 04 in
// front. Of several PEM blocks the first counts. A point that is not on the
// curve is refused. What a certificate says otherwise is not looked at: see
// [ParseCertificate].
func ParsePublicKey(suite uint8, b []byte) (*PublicKey, error) {
	curve, size, err := curveOf(suite)
	if err != nil {
		return nil, err
	}
	der := b
	switch {
	case isPEM(b):
		if der, _, _, err = cutPEM(b, "PUBLIC KEY", "CERTIFICATE"); err != nil {
			return nil, fmt.Errorf("public key: %w", err)
		}
	case len(b) == 2*size || len(b) == 2*size+1 && b[0] == 4:
		point := append([]byte{4}, b[len(b)-2*size:]...)
		key, err := ecdsa.ParseUncompressedPublicKey(curve, point)
		if err != nil {
			return nil, fmt.Errorf("public key: the point %X is not on %s", point[1:], curve.Params().Name)
		}
		return newPublicKey(suite, key)
	default:
	}
	var key any
	if certificate, failed := x509.ParseCertificate(der); failed == nil {
		key = certificate.PublicKey
	} else if key, err = x509.ParsePKIXPublicKey(der); err != nil {
		return nil, fmt.Errorf("public key: %d octets are no public key: PEM, DER, a certificate, or a point of 64 octets (suite 1) or 96 (suite 2) is expected", len(der))
	}
	public, err := publicKeyOf(suite, key)
	if err != nil {
		return nil, fmt.Errorf("public key: %w", err)
	}
	return public, nil
}

// publicKeyOf checks what a parser of package x509 has made.
func publicKeyOf(suite uint8, key any) (*PublicKey, error) {
	curve, _, err := curveOf(suite)
	if err != nil {
		return nil, err
	}
	ec, ok := key.(*ecdsa.PublicKey)
	switch {
	case !ok:
		return nil, fmt.Errorf("it is not for elliptic curves of DLMS: suite %d has %s", suite, curve.Params().Name)
	case ec.Curve != curve:
		return nil, fmt.Errorf("it is on %s, suite %d has %s", ec.Curve.Params().Name, suite, curve.Params().Name)
	}
	return newPublicKey(suite, ec)
}

func newPublicKey(suite uint8, key *ecdsa.PublicKey) (*PublicKey, error) {
	point, err := key.Bytes()
	if err != nil {
		return nil, fmt.Errorf("public key: %w", err)
	}
	agree, err := key.ECDH()
	if err != nil {
		return nil, fmt.Errorf("public key: %w", err)
	}
	return &PublicKey{suite: suite, size: len(point) / 2, key: key, agree: agree, octets: point[1:]}, nil
}

// Suite is 1 or 2.
func (k *PublicKey) Suite() uint8 { return k.suite }

// Octets returns x || y, 64 (suite 1) or 96 octets (suite 2), as DLMS sends them.
func (k *PublicKey) Octets() []byte { return append([]byte(nil), k.octets...) }

// Equal reports whether two keys are the same.
func (k *PublicKey) Equal(other *PublicKey) bool {
	return other != nil && k.suite == other.suite && string(k.octets) == string(other.octets)
}

// String gives the octets as hexadecimal digits.
func (k *PublicKey) String() string { return fmt.Sprintf("%X", k.octets) }

// Verify reports whether a signature r || s of a message was made with the
// private key that belongs to it.
func (k *PublicKey) Verify(message, signature []byte) bool {
	if len(signature) != 2*k.size {
		return false
	}
	r, s := new(big.Int).SetBytes(signature[:k.size]), new(big.Int).SetBytes(signature[k.size:])
	return ecdsa.Verify(k.key, digest(k.suite, message), r, s)
}
