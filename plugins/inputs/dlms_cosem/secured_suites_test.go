package dlms_cosem

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/obis"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
)

const (
	suiteTitle = "5447440123456789" // ours
	guardTitle = "4D4D4D0000BC614E" // that of guard

)

// suiteKeys are the keys of a suite: of us and of a meter.
type suiteKeys struct {
	suite             uint8
	keys              security.Keys
	master, dedicated []byte
	own, ownAgree     *ecdsa.PrivateKey
	meter, meterAgree *ecdsa.PrivateKey
	signing, agree    string // lines of the configuration
}

func newSuiteKeys(t testing.TB, suite uint8) (k suiteKeys) {
	t.Helper()
	n := security.KeyLengthOf(suite)
	random := func() []byte {
		b := make([]byte, n)
		_, _ = rand.Read(b)
		return b
	}
	curve := elliptic.P256()
	if suite == 2 {
		curve = elliptic.P384()
	}
	pair := func() *ecdsa.PrivateKey {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		require.NoError(t, err)
		return key
	}
	k = suiteKeys{suite: suite, keys: security.Keys{Suite: suite, EncryptionKey: random(), AuthenticationKey: random()},
		master: random(), dedicated: random(), own: pair(), ownAgree: pair(), meter: pair(), meterAgree: pair()}
	k.signing = fmt.Sprintf("\nsigning_key = %q\nserver_signing_key = %q", scalarOf(t, k.own), pointOf(t, k.meter))
	k.agree = fmt.Sprintf("\nagreement_key = %q\nserver_agreement_key = %q", scalarOf(t, k.ownAgree), pointOf(t, k.meterAgree))
	return k
}

func scalarOf(t testing.TB, k *ecdsa.PrivateKey) string {
	b, err := k.Bytes()
	require.NoError(t, err)
	return hex.EncodeToString(b)
}

func pointOf(t testing.TB, k *ecdsa.PrivateKey) string {
	b, err := k.PublicKey.Bytes()
	require.NoError(t, err)
	return hex.EncodeToString(b)
}

// privatePEM and publicPEM are keys as openssl writes them.
func privatePEM(t testing.TB, k *ecdsa.PrivateKey) []byte {
	der, err := x509.MarshalPKCS8PrivateKey(k)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

func publicPEM(t testing.TB, k *ecdsa.PrivateKey) []byte {
	der, err := x509.MarshalPKIXPublicKey(&k.PublicKey)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// certify makes the certificate of a key; without a parent that of an authority.
func certify(t testing.TB, name string, key *ecdsa.PrivateKey, until time.Time, parent *x509.Certificate, by *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	x := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: name}, NotBefore: time.Unix(0, 0), NotAfter: until,
		KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true,
	}
	if parent == nil {
		x.IsCA, x.KeyUsage, parent = true, x509.KeyUsageCertSign, x
	}
	der, err := x509.CreateCertificate(rand.Reader, x, parent, &key.PublicKey, by)
	require.NoError(t, err)
	made, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return made
}

func certificatePEM(x *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: x.Raw})
}

// write makes a file in a directory, which the configuration names.
func write(t testing.TB, dir, name string, b []byte, mode os.FileMode) string {
	t.Helper()
	file := filepath.Join(dir, name)
	require.NoError(t, os.WriteFile(file, b, mode))
	require.NoError(t, os.Chmod(file, mode)) // whatever the umask
	return "file:" + file
}

// top is a configuration with the encryption and the authentication key.
func (k suiteKeys) top(mechanism string) string {
	return fmt.Sprintf("%s\nclient_address = 1\nauthentication = %q\nsecurity_suite = %d\nencryption_key = %q\nauthentication_key = %q",
		strings.Replace(hdlcTop, "hdlc", "wrapper", 1), mechanism, k.suite, hex.EncodeToString(k.keys.EncryptionKey), hex.EncodeToString(k.keys.AuthenticationKey))
}

// signedTop is one without them: nothing is ciphered.
func (k suiteKeys) signedTop() string {
	return fmt.Sprintf("%s\nclient_address = 1\nauthentication = \"high-ecdsa\"\nsecurity_suite = %d", strings.Replace(hdlcTop, "hdlc", "wrapper", 1), k.suite)
}

// guard makes a meter that has the keys.
func (k suiteKeys) guard(t *testing.T, mechanism acse.Mechanism, change func(c *dlmstest.Client)) *guarded {
	t.Helper()
	private := func(key *ecdsa.PrivateKey) *security.PrivateKey {
		made, err := security.ParsePrivateKey(k.suite, hexOf(t, scalarOf(t, key)))
		require.NoError(t, err)
		return made
	}
	x := dlmstest.Client{Mechanism: mechanism, Keys: k.keys, Policy: bothLayers, Secret: []byte("12345"), Public: dlmstest.PublicKeys{
		Signing: private(k.meter), ClientSigning: private(k.own).Public(),
		Agreement: private(k.meterAgree), ClientAgreement: private(k.ownAgree).Public(), MasterKey: k.master,
	}}
	if change != nil {
		change(&x)
	}
	return guard(t, "wrapper", func(c *dlmstest.Config) {
		c.Clients[1] = x
		if x.DigitSum {
			c.Challenge = []byte("0123456789ABCDEF")
		}
	})
}

// secrets are what nobody may be told.
func (k suiteKeys) secrets(t testing.TB) (list [][]byte) {
	list = [][]byte{k.keys.EncryptionKey, k.keys.AuthenticationKey, k.master, k.dedicated}
	for _, key := range []*ecdsa.PrivateKey{k.own, k.ownAgree} {
		b, err := key.Bytes()
		require.NoError(t, err)
		list = append(list, b)
	}
	return list
}

// requireRead runs a configuration for five polls: all of them give the truth.
func requireRead(t *testing.T, n *network, dir, top string, g *guarded) program {
	t.Helper()
	n.set("", &host{meter: g.Meter})
	p := startProgram(t, n, dir, registersConf(top, everyTen, 5))
	later(45 * time.Second)
	p.Stop()
	require.Empty(t, p.acc.errors())
	require.Equal(t, 5*5, requireTrue(t, p.acc))
	require.Zero(t, g.Counters().RepeatedCounters)
	require.Zero(t, g.Counters().Rejections)
	return p
}

// requireRefused runs one that is refused: no value, one error and its result.
func requireRefused(t *testing.T, n *network, dir, top, result, message string, g *guarded) program {
	t.Helper()
	n.set("", &host{meter: g.Meter})
	p := startProgram(t, n, dir, registersConf(top, everyTen, 5))
	later(45 * time.Second)
	p.Stop()
	require.Empty(t, p.acc.values())
	require.Len(t, p.acc.errors(), 1)
	require.Contains(t, p.acc.errors()[0], message)
	require.Equal(t, result, p.acc.results()[0])
	return p
}

// TestSuites: suites 1 and 2, each mechanism and each form of requests; no
// secret is said or kept.
func TestSuites(t *testing.T) {
	for suite := uint8(1); suite < 3; suite++ {
		k := newSuiteKeys(t, suite)
		master := fmt.Sprintf("\nmaster_key = %q", hex.EncodeToString(k.master))
		dedicated := fmt.Sprintf("\ndedicated_key = %q", hex.EncodeToString(k.dedicated))
		for word, mechanism := range map[string]acse.Mechanism{"high-gmac": acse.HLSGMAC, "high-ecdsa": acse.HLSECDSA} {
			for name, lines := range map[string]string{
				"service": "", "general": "\nciphering = \"general\"", "identified": "\nciphering = \"identified\"",
				"wrapped": "\nciphering = \"wrapped\"" + master, "one pass": "\nciphering = \"agreed-one-pass\"" + k.agree, "static": "\nciphering = \"agreed-static\"" + k.agree,
				"dedicated": "\ndedicated_key = \"random\"", "one that is dedicated": dedicated, "dedicated, general": "\nciphering = \"general\"\ndedicated_key = \"Random\"",
				"signed": "\nsigned = true", "signed under a key agreed on": "\nsigned = true\nciphering = \"agreed-static\"" + k.agree,
			} {
				t.Run(fmt.Sprintf("%d/%s/%s", suite, word, name), func(t *testing.T) {
					inFold(t, func(t *testing.T, n *network, dir string) {
						g := k.guard(t, mechanism, nil)
						top := k.top(word) + lines
						if mechanism == acse.HLSECDSA || strings.Contains(lines, "signed") || strings.Contains(lines, "one-pass") {
							top += k.signing
						}
						p := requireRead(t, n, dir, top, g)
						own := strings.Contains(lines, "dedicated_key") || strings.Contains(lines, "wrapped") || strings.Contains(lines, "agreed")
						require.Equal(t, own, g.Counters().Dedicated > 0, "requests under a key of the association")
						require.NotZero(t, g.Counters().Ciphered)
						requireUntold(t, p, dir, k.secrets(t)...)
					})
				})
			}
		}
	}
}

// TestSignedLogin: high-ecdsa needs no other key, and no invocation counter. The
// keys may be files, as openssl writes them; public ones may be read by all.
func TestSignedLogin(t *testing.T) {
	for suite := uint8(1); suite < 3; suite++ {
		for _, form := range []string{"digits", "files"} {
			t.Run(fmt.Sprintf("%d/%s", suite, form), func(t *testing.T) {
				k, keys := newSuiteKeys(t, suite), t.TempDir()
				lines := k.signing
				if form == "files" {
					lines = fmt.Sprintf("\nsigning_key = %q\nserver_signing_key = %q",
						write(t, keys, "own.pem", privatePEM(t, k.own), 0o600), write(t, keys, "meter.pem", publicPEM(t, k.meter), 0o644))
				}
				inFold(t, func(t *testing.T, n *network, dir string) {
					g := k.guard(t, acse.HLSECDSA, func(c *dlmstest.Client) { c.Keys, c.Policy = security.Keys{}, 0 })
					p := requireRead(t, n, dir, k.signedTop()+lines, g)
					require.Zero(t, g.left(16), "nobody asked for an invocation counter")
					require.Equal(t, 1, g.Counters().Authentications)
					requireUntold(t, p, dir, append(k.secrets(t), bytes.TrimSpace(privatePEM(t, k.own)))...)
				})
			})
		}
	}
}

// TestSuiteStrangers: a key that is not the other side's, and what becomes of it.
func TestSuiteStrangers(t *testing.T) {
	for suite := uint8(1); suite < 3; suite++ {
		k, other := newSuiteKeys(t, suite), newSuiteKeys(t, suite)
		mine := k
		static := "\nciphering = \"agreed-static\"" + k.agree
		for name, c := range map[string]struct {
			mechanism       acse.Mechanism
			top             string
			result, message string
		}{
			"signing_key": {acse.HLSECDSA, k.signedTop() + strings.Replace(k.signing, scalarOf(t, k.own), scalarOf(t, other.own), 1),
				"auth", "the meter does not accept our answer to its challenge"},
			"server_signing_key": {acse.HLSECDSA, k.signedTop() + strings.Replace(k.signing, pointOf(t, k.meter), pointOf(t, other.meter), 1),
				"auth", "its answer to our challenge is wrong"},
			"server_signing_key of answers": {acse.HLSGMAC, k.top("high-gmac") + "\nsigned = true" + strings.Replace(k.signing, pointOf(t, k.meter), pointOf(t, other.meter), 1),
				"decrypt", "its signature is not the meter's"},
			"agreement_key": {acse.HLSGMAC, k.top("high-gmac") + strings.Replace(static, scalarOf(t, k.ownAgree), scalarOf(t, other.ownAgree), 1),
				"decrypt", "deciphering-error"},
			"server_agreement_key": {acse.HLSGMAC, k.top("high-gmac") + strings.Replace(static, pointOf(t, k.meterAgree), pointOf(t, other.meterAgree), 1),
				"decrypt", "deciphering-error"},
			"master_key": {acse.HLSGMAC, k.top("high-gmac") + fmt.Sprintf("\nciphering = \"wrapped\"\nmaster_key = %q", hex.EncodeToString(other.master)),
				"decrypt", "deciphering-error"},
			"no agreement_key for the answer": {acse.HLSGMAC, k.top("high-gmac") + k.signing + "\nciphering = \"agreed-one-pass\"\n" + strings.Split(k.agree, "\n")[2],
				"decrypt", "set agreement_key"},
		} {
			t.Run(fmt.Sprintf("%d/%s", suite, name), func(t *testing.T) {
				inFold(t, func(t *testing.T, n *network, dir string) {
					g := mine.guard(t, c.mechanism, func(x *dlmstest.Client) {
						if !strings.Contains(c.top, "encryption_key") {
							x.Keys, x.Policy = security.Keys{}, 0
						}
					})
					p := requireRefused(t, n, dir, c.top, c.result, c.message, g)
					requireUntold(t, p, dir, append(k.secrets(t), other.secrets(t)...)...)
				})
			})
		}
	}
}

// TestSuiteCertificates: the meter's key may come with the AARE, and ours goes
// with the AARQ; one that has expired is not believed.
func TestSuiteCertificates(t *testing.T) {
	keys := t.TempDir()
	for name, c := range map[string]struct {
		until   time.Duration
		meter   string
		message string
	}{
		"valid":             {24 * time.Hour, guardTitle, ""},
		"expired":           {-24 * time.Hour, guardTitle, "the meter's certificate: the certificate of " + guardTitle + " expired on 1999-12-31"},
		"of another meter":  {24 * time.Hour, "4D4D4D0000000001", "the certificate is for system title 4D4D4D0000000001, the other side's is " + guardTitle},
		"of another issuer": {0, guardTitle, "is not signed by a trusted one"},
	} {
		t.Run(name, func(t *testing.T) {
			inFold(t, func(t *testing.T, n *network, dir string) {
				k, ca, stranger := newSuiteKeys(t, 1), newSuiteKeys(t, 2).own, newSuiteKeys(t, 1).own
				root := certify(t, "Root-CA", ca, time.Now().Add(48*time.Hour), nil, ca)
				issuer, by, until := root, ca, time.Now().Add(c.until)
				if c.until == 0 {
					issuer, by, until = certify(t, "Other-CA", stranger, time.Now().Add(48*time.Hour), nil, stranger), stranger, time.Now().Add(time.Hour)
				}
				own := certify(t, suiteTitle, k.own, time.Now().Add(time.Hour), root, ca)
				g := k.guard(t, acse.HLSECDSA, func(x *dlmstest.Client) {
					x.Keys, x.Policy = security.Keys{}, 0
					x.Public.Certificate = certify(t, c.meter, k.meter, until, issuer, by).Raw
				})
				top := k.signedTop() + fmt.Sprintf("\nsystem_title = %q\nsigning_key = %q\ncertificate = %q\nca_certificate = %q", suiteTitle,
					write(t, keys, "own.pem", privatePEM(t, k.own), 0o600), write(t, keys, "own.crt", certificatePEM(own), 0o644), write(t, keys, "ca.crt", certificatePEM(root), 0o644))
				if c.message == "" {
					requireRead(t, n, dir, top, g)
					return
				}
				requireRefused(t, n, dir, top, "decrypt", c.message, g)
				require.Zero(t, g.Counters().Authentications, "we refuse before we have answered")
			})
		})
	}
}

// TestChangedKeyFile: a key that is changed in its file counts from the next login.
func TestChangedKeyFile(t *testing.T) {
	k, keys := newSuiteKeys(t, 1), t.TempDir()
	wrong := newSuiteKeys(t, 1)
	inFold(t, func(t *testing.T, n *network, dir string) {
		g := k.guard(t, acse.HLSECDSA, func(c *dlmstest.Client) { c.Keys, c.Policy = security.Keys{}, 0 })
		n.set("", &host{meter: g.Meter})
		lines := fmt.Sprintf("\nkeep_open = \"always\"\nsigning_key = %q\nserver_signing_key = %q",
			write(t, keys, "own.pem", privatePEM(t, wrong.own), 0o600), write(t, keys, "meter.pem", publicPEM(t, k.meter), 0o644))
		p := startProgram(t, n, dir, registersConf(k.signedTop()+lines, everyTen, 5))
		later(25 * time.Second)
		require.Empty(t, p.acc.values())
		require.Equal(t, 1, g.Counters().Rejections)
		write(t, keys, "own.pem", privatePEM(t, k.own), 0o600)
		later(20 * time.Minute)
		require.NotZero(t, requireTrue(t, p.acc))
		require.Equal(t, 1, g.Counters().Authentications)
		write(t, keys, "own.pem", privatePEM(t, wrong.own), 0o600)
		later(30 * time.Second)
		p.Stop()
		require.Equal(t, 2, g.Counters().Rejections, "the association under the old key is not used on")
		require.Equal(t, "backoff", p.acc.results()[len(p.acc.results())-1])
		require.Len(t, p.acc.errors(), 2)
	})
}

// TestLoginVariants: how a login may differ from the usual.
func TestLoginVariants(t *testing.T) {
	k := newSuiteKeys(t, 1)
	far := obis.Code{0, 0, 40, 0, 3, 255}
	high := strings.Replace(hdlcTop, "hdlc", "wrapper", 1) + "\nclient_address = 1\nauthentication = \"high\"\npassword = \"12345\""
	for name, c := range map[string]struct {
		mechanism acse.Mechanism
		top       string
		change    func(c *dlmstest.Client)
	}{
		"short challenge":    {acse.HLSGMAC, k.top("high-gmac") + "\nchallenge_size = 8", nil},
		"long challenge":     {acse.HLSGMAC, k.top("high-gmac") + "\nchallenge_size = 64", nil},
		"association object": {acse.HLSGMAC, k.top("high-gmac") + "\nassociation_object = \"0.0.40.0.3.255\"", func(c *dlmstest.Client) { c.Association = far }},
		"plain release":      {acse.HLSGMAC, k.top("high-gmac") + "\nworkarounds = { plain_release = true }", func(c *dlmstest.Client) { c.Policy = 0 }},
		"digit sum":          {acse.HLS, high + "\nworkarounds = { digit_sum = true }", func(c *dlmstest.Client) { c.Keys, c.Policy, c.DigitSum = security.Keys{}, 0, true }},
	} {
		t.Run(name, func(t *testing.T) {
			inFold(t, func(t *testing.T, n *network, dir string) {
				g := k.guard(t, c.mechanism, c.change)
				requireRead(t, n, dir, c.top, g)
				require.Equal(t, 1, g.left(1), "it was released")
			})
		})
	}
	t.Run("object that does not reply", func(t *testing.T) {
		inFold(t, func(t *testing.T, n *network, dir string) {
			g := k.guard(t, acse.HLSGMAC, func(c *dlmstest.Client) { c.Association = far })
			requireRefused(t, n, dir, k.top("high-gmac"), "refused", "reply_to_HLS_authentication", g)
		})
	})
	t.Run("no digit sum", func(t *testing.T) {
		inFold(t, func(t *testing.T, n *network, dir string) {
			g := k.guard(t, acse.HLS, func(c *dlmstest.Client) { c.Keys, c.Policy, c.DigitSum = security.Keys{}, 0, true })
			requireRefused(t, n, dir, high, "auth", "the meter does not accept our answer", g)
		})
	})
}
