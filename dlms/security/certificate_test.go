package security_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
)

// today is the time of the tests: all certificates are valid around it, unless
// they are made otherwise.
var today = time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)

// issued is a certificate with its private key.
type issued struct {
	key *ecdsa.PrivateKey
	x   *x509.Certificate
}

func (i *issued) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: i.x.Raw})
}

func (i *issued) parsed(t testing.TB, suite uint8) *security.Certificate {
	t.Helper()
	c, err := security.ParseCertificate(suite, i.x.Raw)
	require.NoError(t, err)
	return c
}

// issue makes a key and a certificate for it, signed by itself without issuer.
func issue(t testing.TB, suite uint8, name string, by *issued, change func(c *x509.Certificate)) *issued {
	t.Helper()
	curve := elliptic.P256()
	if suite == 2 {
		curve = elliptic.P384()
	}
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	require.NoError(t, err)
	return issueFor(t, key, name, by, change)
}

func issueFor(t testing.TB, key *ecdsa.PrivateKey, name string, by *issued, change func(c *x509.Certificate)) *issued {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: name},
		NotBefore: today.AddDate(-1, 0, 0), NotAfter: today.AddDate(1, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature,
	}
	if change != nil {
		change(template)
	}
	parent, signer := template, key
	if by != nil {
		parent, signer = by.x, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	require.NoError(t, err)
	x, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return &issued{key, x}
}

func authority(c *x509.Certificate) {
	c.IsCA, c.BasicConstraintsValid, c.KeyUsage = true, true, x509.KeyUsageCertSign
}

// expired lets a certificate end on 2025-01-02.
func expired(c *x509.Certificate) { c.NotAfter = time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC) }

func future(c *x509.Certificate) { c.NotBefore = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }

func both2of(a, b func(c *x509.Certificate)) func(c *x509.Certificate) {
	return func(c *x509.Certificate) { a(c); b(c) }
}

func TestVerifyChain(t *testing.T) {
	for suite := uint8(1); suite <= 2; suite++ {
		root := issue(t, suite, "Root", nil, authority)
		otherRoot := issue(t, suite, "Root", nil, authority)
		sub := issue(t, suite, "Sub", root, authority)
		staleSub := issue(t, suite, "Stale sub", root, both2of(authority, expired))
		noAuthority := issue(t, suite, "Meters", root, nil)
		meter := issue(t, suite, title, sub, nil)
		direct := issue(t, suite, title, root, nil)
		p := func(all ...*issued) (out []*security.Certificate) {
			for _, i := range all {
				out = append(out, i.parsed(t, suite))
			}
			return out
		}
		for _, c := range []struct {
			name                 string
			leaf                 *issued
			roots, intermediates []*security.Certificate
			want                 string
		}{
			{"by way of one", meter, p(root), p(sub), ""},
			{"among others", meter, p(otherRoot, root), p(staleSub, noAuthority, sub), ""},
			{"direct", direct, p(root), nil, ""},
			{"trusted itself", meter, p(meter), nil, ""},
			{"no root", meter, nil, p(sub), "the certificate of " + title + " cannot be verified: no root certificate is trusted"},
			{"no intermediate", meter, p(root), nil, "the certificate of " + title + ` is not signed by a trusted one: its issuer is "Sub", and of 1 root and 0 intermediate certificates none leads to it`},
			{"root of the same name", meter, p(otherRoot), p(sub), "the certificate of " + title + ` is not signed by a trusted one: its issuer is "Sub"`},
			{"root as intermediate", direct, p(otherRoot), p(root), "is not signed by a trusted one"},
			{"expired", issue(t, suite, title, root, expired), p(root), nil, "the certificate of " + title + " expired on 2025-01-02"},
			{"not yet valid", issue(t, suite, title, root, future), p(root), nil, "the certificate of " + title + " is valid from 2026-01-02 on, it is 2025-06-01: is the clock right?"},
			{"expired intermediate", issue(t, suite, title, staleSub, nil), p(root), p(staleSub), "the certificate of " + title + ` cannot be verified: the certificate of "Stale sub" expired on 2025-01-02`},
			{"intermediate that is no authority", issue(t, suite, title, noAuthority, nil), p(root), p(noAuthority), "the certificate of " + title + ` is not signed by a trusted one: its issuer is "Meters"`},
			{"signed by itself", issue(t, suite, title, nil, nil), p(root), p(sub), "is not signed by a trusted one"},
		} {
			leaf := c.leaf.parsed(t, suite)
			err := leaf.VerifyChain(c.roots, c.intermediates, today)
			if c.want == "" {
				require.NoError(t, err, c.name)
				require.ErrorContains(t, leaf.VerifyChain(c.roots, c.intermediates, today.AddDate(2, 0, 0)), "expired on 2026-06-01", c.name)
				continue
			}
			require.ErrorContains(t, err, c.want, c.name)
		}
	}
	// An authority of suite 2 for a meter of suite 1.
	root := issue(t, 2, "Root", nil, authority)
	meter := issue(t, 1, title, root, nil)
	require.NoError(t, meter.parsed(t, 1).VerifyChain([]*security.Certificate{root.parsed(t, 2)}, nil, today))
}

// TestEveryChangedBitOfACertificateIsNoticed changes what is signed, and the
// signature.
func TestEveryChangedBitOfACertificateIsNoticed(t *testing.T) {
	root := issue(t, 1, "Root", nil, authority)
	roots := []*security.Certificate{root.parsed(t, 1)}
	der := bytes.Clone(issue(t, 1, title, root, nil).x.Raw)
	for i := range der {
		for bit := range 8 {
			der[i] ^= 1 << bit
			if c, err := security.ParseCertificate(1, der); err == nil {
				require.Error(t, c.VerifyChain(roots, nil, today), "octet %d, bit %d", i, bit)
			}
			der[i] ^= 1 << bit
		}
	}
	for n := range der {
		_, err := security.ParseCertificate(1, der[:n])
		require.Error(t, err, "%d octets", n)
	}
	text := issue(t, 1, title, root, nil).pem()
	for n := range text[:len(text)-1] {
		_, err := security.ParseCertificate(1, text[:n])
		require.Error(t, err, "%d characters", n)
	}
}

// Certificates made by OpenSSL, with the extensions that those of meters have.
const (
	foreignRoot = `-----BEGIN CERTIFICATE-----
MIIBtTCCAVugAwIBAgIUWrCek/Rrg+jJgI+LqhP5YsoQfk0wCgYIKoZIzj0EAwIw
LjEQMA4GA1UEAwwHUm9vdC1DQTENMAsGA1UECgwEVGVzdDELMAkGA1UEBhMCQVQw
IBcNMjYxMTI4MDIyNjAwWhgPMjA1MTA3MjAwMjI2MDBaMC4xEDAOBgNVBAMMB1Jv
b3QtQ0ExDTALBgNVBAoMBFRlc3QxCzAJBgNVBAYTAkFUMFkwEwYHKoZIzj0CAQYI
KoZIzj0DAQcDQgAE66AHCyGGtykIxYHqTSUQz5vc+EApaqzIR079NDO5OtAzYaV/
ObwYQ+Po1Ubi4oc5KrjDli/7NmrbGkyUgNyO2KNVMFMwDwYDVR0TAQH/BAUwAwEB
/zAOBgNVHQ8BAf8EBAMCAQYwHQYDVR0OBBYEFEQs2vVRZXdRCMSga8WWIij35ICz
MBEGA1UdIAQKMAgwBgYEKgMEBTAKBggqhkjOPQQDAgNIADBFAiBxDGMN8LLeZMF8
lWr15Bj4skk8dy1znYWjdCwdEyS/0AIhALZNnakSrXLhJ6U0ZDoJsCSYEWsPHP0c
cxcce0e6BdrP
-----END CERTIFICATE-----
`
	foreignMeter = `-----BEGIN CERTIFICATE-----
MIIBsTCCAVigAwIBAgIUW2CYVCYZaS/rLVraCF46OGJh40kwCgYIKoZIzj0EAwIw
LjEQMA4GA1UEAwwHUm9vdC1DQTENMAsGA1UECgwEVGVzdDELMAkGA1UEBhMCQVQw
IBcNMjYxMTI4MDIyNjAxWhgPMjA1MTA3MjAwMjI2MDFaMBsxGTAXBgNVBAMMEDRE
NEQ0RDAwMDBCQzYxNEUwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQnePThCuKp
Y18OqV+3SHhBNTYZLg9x22cPO1vXvKbNaxBkOZwwELhZq9zXAe/hquOdBwZgh+5+
rzvNOOaQazkdo2UwYzAOBgNVHQ8BAf8EBAMCB4AwHwYDVR0jBBgwFoAURCza9VFl
d1EIxKBrxZYiKPfkgLMwHQYDVR0OBBYEFPgKgdz24anDVQMuvEjOt26k4iCGMBEG
A1UdIAQKMAgwBgYEKgMEBTAKBggqhkjOPQQDAgNHADBEAiBy1Au/KaQG8l650avh
09+KkATInGSkkyrKUPPLpRD5qgIgXhadLnBoUjImY6fEjjN3e9+4li2bApw4fJtH
499k1mk=
-----END CERTIFICATE-----
`
	foreignKey = "2778F4E10AE2A9635F0EA95FB74878413536192E0F71DB670F3B5BD7BCA6CD6B 1064399C3010B859ABDCD701EFE1AAE39D07066087EE7EAF3BCD38E6906B391D"
)

func TestForeignCertificates(t *testing.T) {
	roots, err := security.ParseCertificates(1, []byte(foreignRoot))
	require.NoError(t, err)
	require.Equal(t, `the certificate of "Root-CA"`, roots[0].String())
	meter, err := security.ParseCertificate(1, []byte(foreignMeter))
	require.NoError(t, err)
	require.Equal(t, octets(t, foreignKey), meter.PublicKey().Octets())
	require.NoError(t, meter.VerifyChain(roots, nil, time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)))
	require.NoError(t, meter.CheckTitle(octets(t, title)))
	require.NoError(t, meter.CheckSigning())
	require.Error(t, meter.CheckAgreement())
	require.EqualError(t, meter.VerifyChain(roots, nil, today), "the certificate of "+title+" is valid from 2026-11-28 on, it is 2025-06-01: is the clock right?")
	require.EqualError(t, meter.VerifyChain(roots, nil, today.AddDate(50, 0, 0)), "the certificate of "+title+" expired on 2051-07-20")
	require.ErrorContains(t, meter.VerifyChain([]*security.Certificate{meter}, nil, today.AddDate(50, 0, 0)), "expired", "a root of itself, too")
}

func TestWhatACertificateIsFor(t *testing.T) {
	root := issue(t, 1, "Root", nil, authority)
	meter := issue(t, 1, strings.ToLower(title), root, nil)
	c := meter.parsed(t, 1)
	require.Equal(t, "the certificate of "+title, c.String())
	require.Equal(t, meter.x.Raw, c.DER())
	require.Equal(t, today.AddDate(1, 0, 0), c.NotAfter())
	st, ok := c.Title()
	require.True(t, ok)
	require.Equal(t, octets(t, title), st)
	want, err := meter.key.PublicKey.Bytes()
	require.NoError(t, err)
	require.Equal(t, want[1:], c.PublicKey().Octets())

	require.NoError(t, c.CheckTitle(octets(t, title)))
	require.EqualError(t, c.CheckTitle(octets(t, "4D4D4D0000000001")), "the certificate is for system title "+title+", the other side's is 4D4D4D0000000001")
	require.EqualError(t, c.CheckTitle(nil), "the certificate is for system title "+title+", the other side's is ")
	require.NoError(t, c.CheckSigning())
	require.EqualError(t, c.CheckAgreement(), "the certificate of "+title+" is not for key agreement: its key usage has no keyAgreement, another certificate of the same title may have it")

	agreement := issue(t, 1, title, root, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyAgreement }).parsed(t, 1)
	require.NoError(t, agreement.CheckAgreement())
	require.ErrorContains(t, agreement.CheckSigning(), "is not for signatures: its key usage has no digitalSignature")

	critical := issue(t, 1, title, root, func(c *x509.Certificate) {
		c.ExtraExtensions = []pkix.Extension{{Id: []int{1, 2, 3, 4}, Critical: true, Value: []byte{5, 0}}}
	}).parsed(t, 1)
	require.EqualError(t, critical.VerifyChain([]*security.Certificate{root.parsed(t, 1)}, nil, today),
		"the certificate of "+title+" cannot be verified: it has a critical extension that is not known, 1.2.3.4")

	for _, name := range []string{"Root", "", title + "00", title[:14], title[:15] + "G"} {
		c := issue(t, 1, name, root, nil).parsed(t, 1)
		_, ok := c.Title()
		require.False(t, ok, name)
		require.ErrorContains(t, c.CheckTitle(octets(t, title)), "is for no system title: 16 hexadecimal digits are expected as its common name")
		require.Equal(t, `the certificate of "`+name+`"`, c.String())
	}
}

func TestParseCertificates(t *testing.T) {
	root := issue(t, 1, "Root", nil, authority)
	meter := issue(t, 1, title, root, nil)
	key := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: root.x.RawSubjectPublicKeyInfo})
	all, err := security.ParseCertificates(1, bytes.Join([][]byte{[]byte("# authorities\n"), key, root.pem(), []byte("\n# meters\n"), meter.pem(), []byte("\n")}, nil))
	require.NoError(t, err)
	require.Len(t, all, 2)
	require.Equal(t, []string{`the certificate of "Root"`, "the certificate of " + title}, []string{all[0].String(), all[1].String()})
	all, err = security.ParseCertificates(1, root.x.Raw)
	require.NoError(t, err)
	require.Len(t, all, 1)

	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	rsaDER, err := x509.CreateCertificate(rand.Reader, meter.x, root.x, &rsaKey.PublicKey, root.key)
	require.NoError(t, err)
	two := string(root.pem()) + string(meter.pem())
	for _, c := range []struct {
		suite   uint8
		octets  string
		message string
	}{
		{0, string(root.x.Raw), "security suite 0 has no public keys"},
		{1, "", "certificate: 0 octets are none, PEM or DER of X.509 is expected"},
		{1, two, "certificate: there are 2 of them, want one"},
		{1, two[:len(two)-40], "certificate 2: there is no whole PEM block"},
		{1, string(key), `certificate 1: the PEM block is "PUBLIC KEY", want "CERTIFICATE"`},
		{1, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte{0x30}})), "certificate: 1 octets are none"},
		{2, string(root.pem()), `the key of the certificate of "Root": it is on P-256, suite 2 has P-384`},
		{1, string(rsaDER), "the key of the certificate of " + title + ": it is not for elliptic curves of DLMS: suite 1 has P-256"},
		{1, strings.Repeat(string(root.pem()), security.MaxCertificates+1), "certificate: there are more than 64"},
	} {
		_, err := security.ParseCertificate(c.suite, []byte(c.octets))
		require.ErrorContains(t, err, c.message)
	}
}

// TestSecuredByAWholeChain is what a client does with the certificate of a meter.
func TestSecuredByAWholeChain(t *testing.T) {
	root := issue(t, 1, "Root", nil, authority)
	meter := issue(t, 1, title, root, nil)
	der, err := x509.MarshalPKCS8PrivateKey(meter.key)
	require.NoError(t, err)
	private, err := security.ParsePrivateKey(1, der)
	require.NoError(t, err)
	c := security.Challenge{
		Mechanism: security.MechanismECDSA, Received: []byte("K56iVagY"), Sent: []byte("P6wRJ21F"),
		Own: octets(t, title), Other: octets(t, "4D4D4D0000000001"), Private: private,
	}
	answer, err := c.Answer()
	require.NoError(t, err)
	certificate := meter.parsed(t, 1)
	require.NoError(t, certificate.VerifyChain([]*security.Certificate{root.parsed(t, 1)}, nil, today))
	require.NoError(t, certificate.CheckTitle(c.Own))
	require.NoError(t, certificate.CheckSigning())
	c.Public = certificate.PublicKey()
	require.True(t, c.Verify(answer))
}

func FuzzParseCertificate(f *testing.F) {
	root := issue(f, 1, "Root", nil, authority)
	stranger := issue(f, 1, "Stranger", nil, authority)
	for _, i := range []*issued{root, issue(f, 1, title, root, nil), issue(f, 2, title, root, nil)} {
		f.Add(uint8(1), i.x.Raw)
		f.Add(uint8(2), i.pem())
		f.Add(uint8(1), append(i.pem(), root.pem()...))
	}
	roots := []*security.Certificate{stranger.parsed(f, 1)}
	f.Fuzz(func(t *testing.T, suite uint8, b []byte) {
		all, err := security.ParseCertificates(suite, b)
		if err != nil {
			require.Nil(t, all)
			return
		}
		require.NotEmpty(t, all)
		for _, c := range all {
			require.Error(t, c.VerifyChain(roots, all, today), "nothing here is signed by the stranger")
			require.Equal(t, suite, c.PublicKey().Suite())
			if st, ok := c.Title(); ok {
				require.NoError(t, c.CheckTitle(st))
			}
		}
	})
}
