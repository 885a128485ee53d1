package security

import (
	"bytes"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

// Certificate is an X.509 certificate of a key on the curve of suite 1 (P-256)
// or 2 (P-384). That of a meter or a client has the system title as its common
// name, in 16 hexadecimal digits (Green Book Ed. 9, clause 9.2.6); those of
// authorities have other names.
type Certificate struct {
	x      *x509.Certificate
	public *PublicKey
}

// MaxCertificates is how many certificates ParseCertificates takes.
const MaxCertificates = 64

// ParseCertificate reads one certificate, PEM or DER, whose key is on the curve
// of the suite. Nothing of it is verified yet: see [Certificate.VerifyChain].
func ParseCertificate(suite uint8, b []byte) (*Certificate, error) {
	all, err := ParseCertificates(suite, b)
	if err != nil {
		return nil, err
	}
	if len(all) != 1 {
		return nil, fmt.Errorf("certificate: there are %d of them, want one: the others belong to the intermediate certificates", len(all))
	}
	return all[0], nil
}

// ParseCertificates reads certificates: PEM, one behind the other, or the DER
// of one. There is one at least.
func ParseCertificates(suite uint8, b []byte) (all []*Certificate, err error) {
	if _, _, err = curveOf(suite); err != nil {
		return nil, err
	}
	if !isPEM(b) {
		c, err := newCertificate(suite, b)
		if err != nil {
			return nil, err
		}
		return []*Certificate{c}, nil
	}
	for rest := b; len(all) == 0 || isPEM(rest); {
		var der []byte
		if der, _, rest, err = cutPEM(rest, "CERTIFICATE"); err != nil {
			return nil, fmt.Errorf("certificate %d: %w", len(all)+1, err)
		}
		c, err := newCertificate(suite, der)
		if err != nil {
			return nil, err
		}
		if all = append(all, c); len(all) > MaxCertificates {
			return nil, fmt.Errorf("certificate: there are more than %d", MaxCertificates)
		}
	}
	return all, nil
}

func newCertificate(suite uint8, der []byte) (*Certificate, error) {
	x, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("certificate: %d octets are none, PEM or DER of X.509 is expected: %w", len(der), err)
	}
	c := &Certificate{x: x}
	if c.public, err = publicKeyOf(suite, x.PublicKey); err != nil {
		return nil, fmt.Errorf("the key of %s: %w", c, err)
	}
	return c, nil
}

// String names the certificate by its system title, or by its name.
func (c *Certificate) String() string { return "the certificate of " + nameOf(c.x) }

func nameOf(x *x509.Certificate) string {
	if title, ok := titleOf(x); ok {
		return fmt.Sprintf("%X", title)
	}
	return fmt.Sprintf("%.64q", x.Subject.CommonName)
}

func titleOf(x *x509.Certificate) ([]byte, bool) {
	title, err := hex.DecodeString(x.Subject.CommonName)
	return title, err == nil && len(title) == TitleLength
}

// Title returns the system title that is its common name. Authorities have none.
func (c *Certificate) Title() ([]byte, bool) { return titleOf(c.x) }

// PublicKey returns the key that it certifies.
func (c *Certificate) PublicKey() *PublicKey { return c.public }

// DER returns its octets, valid as long as the certificate and not to be changed.
func (c *Certificate) DER() []byte { return c.x.Raw }

// NotAfter is when it expires.
func (c *Certificate) NotAfter() time.Time { return c.x.NotAfter }

// CheckTitle tells whether it is that of a meter or client, by its system title.
func (c *Certificate) CheckTitle(title []byte) error {
	own, ok := c.Title()
	switch {
	case !ok:
		return fmt.Errorf("%s is for no system title: 16 hexadecimal digits are expected as its common name", c)
	case !bytes.Equal(own, title):
		return fmt.Errorf("the certificate is for system title %X, the other side's is %X", own, title)
	default:
		return nil
	}
}

// CheckSigning tells whether its key may verify signatures.
func (c *Certificate) CheckSigning() error {
	return c.checkUsage(x509.KeyUsageDigitalSignature, "signatures", "digitalSignature")
}

// CheckAgreement tells whether its key may agree on keys.
func (c *Certificate) CheckAgreement() error {
	return c.checkUsage(x509.KeyUsageKeyAgreement, "key agreement", "keyAgreement")
}

func (c *Certificate) checkUsage(usage x509.KeyUsage, what, name string) error {
	if c.x.KeyUsage&usage == 0 {
		return fmt.Errorf("%s is not for %s: its key usage has no %s, another certificate of the same title may have it", c, what, name)
	}
	return nil
}

// VerifyChain verifies that one of the roots has signed it, itself or by way of
// intermediate ones, and that all of those are valid at a time. A certificate
// that is one of the roots itself is trusted. Roots and intermediate ones may be
// of another suite than the certificate: authorities on P-384 sign for P-256.
//
// Neither the title nor the key usage is looked at, nor whether it was revoked.
func (c *Certificate) VerifyChain(roots, intermediates []*Certificate, now time.Time) error {
	if len(roots) == 0 {
		return fmt.Errorf("%s cannot be verified: no root certificate is trusted", c)
	}
	if err := validAt(c.x, now); err != nil {
		return err
	}
	options := x509.VerifyOptions{Roots: poolOf(roots), Intermediates: poolOf(intermediates), CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}
	_, err := c.x.Verify(options)
	var invalid x509.CertificateInvalidError
	var unknown x509.UnknownAuthorityError
	var unhandled x509.UnhandledCriticalExtension
	switch {
	case err == nil:
		return nil
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && invalid.Cert != nil:
		if err := validAt(invalid.Cert, now); err != nil {
			return fmt.Errorf("%s cannot be verified: %w", c, err)
		}
	case errors.As(err, &unknown):
		return fmt.Errorf("%s is not signed by a trusted one: its issuer is %.64q, and of %d root and %d intermediate certificates none leads to it",
			c, c.x.Issuer.CommonName, len(roots), len(intermediates))
	case errors.As(err, &unhandled) && len(c.x.UnhandledCriticalExtensions) > 0:
		return fmt.Errorf("%s cannot be verified: it has a critical extension that is not known, %s", c, c.x.UnhandledCriticalExtensions[0])
	default:
	}
	return fmt.Errorf("%s cannot be verified: %w", c, err)
}

func poolOf(certificates []*Certificate) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, c := range certificates {
		pool.AddCert(c.x)
	}
	return pool
}

func validAt(x *x509.Certificate, now time.Time) error {
	const day = "2006-01-02"
	switch {
	case now.Before(x.NotBefore):
		return fmt.Errorf("the certificate of %s is valid from %s on, it is %s: is the clock right?", nameOf(x), x.NotBefore.UTC().Format(day), now.UTC().Format(day))
	case now.After(x.NotAfter):
		return fmt.Errorf("the certificate of %s expired on %s", nameOf(x), x.NotAfter.UTC().Format(day))
	default:
		return nil
	}
}
